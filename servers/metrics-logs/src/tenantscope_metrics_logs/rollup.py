"""Counts the access log month by month and commits each month whole."""

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from tenantscope_core.results.documents import DocumentFault
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.raw_objects import RawObject, RawObjects
from tenantscope_core.stores.rollup import Commits, Outcome, Request, Rolled, Say, inputs_hash
from tenantscope_core.stores.schemas import FEATURE_USAGE, USAGE
from tenantscope_core.stores.workbench import Limits

from tenantscope_metrics_logs.counting import CLASSES, COUNTED
from tenantscope_metrics_logs.log_formats import LogFormat, read_sql, recognise
from tenantscope_metrics_logs.log_report import ACCESS_LOG_REPORT
from tenantscope_metrics_logs.log_rules import LogRules
from tenantscope_metrics_logs.routes import Route
from tenantscope_metrics_logs.sources.raw_log import LogFile, Span, days_of, peek
from tenantscope_metrics_logs.sources.workbench import Counted, LogWorkbench

COUNTING_FORMAT = 1
"""Part of every inputs hash: raise it when the same inputs come to give other rows."""
PEEK_FILES, PEEK_LINES = 5, 20
SAID_ROUTES = 5


@dataclass(frozen=True, slots=True)
class _Part:
    """An object that a month reads, and whether it is the month's own."""

    object: RawObject
    days: Span | None
    own: bool


class Rollup:
    """Rolls up months of one log into one bucket, with the provider's session.

    An object's name tells its day; where it does not, its lines are read to learn their months. A month reads the
    objects of its days, and those of the day before and after for lines that strayed.
    """

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        log: RawObjects,
        rules: LogRules,
        *,
        kind: LogFormat | None,
        registry: str | None,
        folder: Path,
        clock: Callable[[], datetime],
        say: Say,
        limits: Limits | None = None,
    ) -> None:
        self._log = log
        self._rules = rules
        self._kind = kind
        self._folder = folder
        self._say = say
        self._limits = limits
        self._commits = Commits(aws, bucket, done_when=USAGE, registry=registry, clock=clock, say=say)

    async def run(self, request: Request) -> dict[Month, Outcome]:
        """Roll up; a month that fails is said and does not keep the others from being done.

        Raises:
            ToolFailure: The log or the datasets cannot be reached at all, or the format is not recognised.
        """
        objects = await self._log.objects()
        kind = await self._recognised(objects) if objects else LogFormat.JSON
        months = await self._by_month(objects, kind)

        async def one(month: Month) -> Outcome:
            return await self._one(month, months[month], kind, force=request.force)

        return await self._commits.each_month(request, months, one, what="access log")

    async def learn(self) -> list[Route]:
        """The routes that the latest month of the log teaches.

        Raises:
            ToolFailure: The log cannot be reached or read, or has no lines.
        """
        objects = await self._log.objects()
        if not objects:
            raise InvalidArgument("The access log has no files.")
        kind = await self._recognised(objects)
        latest = max((span.last for one in objects if (span := days_of(one.name))), default=None)
        if latest is not None:
            since = latest.replace(day=1)
            objects = [one for one in objects if (span := days_of(one.name)) and span.last >= since]
        self._say(f"learning from {len(objects):,} files, {_megabytes(objects)}")
        async with self._log.files(objects) as paths:
            files = [LogFile(one.name, paths[one.name], days_of(one.name)) for one in objects]
            with self._workbench(kind) as workbench:
                return await workbench.learn(files)

    async def sweep(self) -> int:
        """Delete what runs before the last one of each month left behind, a day after it was written; how many objects.

        Raises:
            ToolFailure: S3 refused or does not answer.
        """
        return await self._commits.sweep((USAGE, FEATURE_USAGE, ACCESS_LOG_REPORT))

    async def _recognised(self, objects: Sequence[RawObject]) -> LogFormat:
        if self._kind is not None:
            return self._fitting(self._kind)
        some = objects[:: max(len(objects) // PEEK_FILES, 1)][:PEEK_FILES]
        async with self._log.files(some) as paths:
            lines = [
                line for one in some for line in peek(LogFile(one.name, paths[one.name], None))[:PEEK_LINES] if line
            ]
        kind = recognise(lines)
        if kind is None:
            raise InvalidArgument(
                "The access log's format is none that is known; name it with --format or "
                f"TENANTSCOPE_ACCESS_LOG_FORMAT: {', '.join(LogFormat)}."
            )
        self._say(f"The format is {kind}, by the first lines of {len(some)} files.")
        return self._fitting(kind)

    def _fitting(self, kind: LogFormat) -> LogFormat:
        if kind is not LogFormat.CLOUDFRONT:  # its files say what is in them one by one
            try:
                read_sql(kind, self._rules, None, "lines")
            except DocumentFault as fault:
                raise InvalidArgument(str(fault)) from None
        return kind

    async def _by_month(self, objects: Sequence[RawObject], kind: LogFormat) -> dict[Month, list[_Part]]:
        """What each month reads: its own objects, and its neighbours' last and first."""
        found: dict[Month, list[_Part]] = {}
        dated = [(one, span) for one in objects if (span := days_of(one.name)) is not None]
        for one, span in dated:
            found.setdefault(_month(span.first), []).append(_Part(one, span, own=True))
        for one, span in dated:
            for month in {_month(span.before), _month(span.after)} - {_month(span.first)}:
                if month in found:
                    found[month].append(_Part(one, span, own=False))
        undated = [one for one in objects if days_of(one.name) is None]
        if undated:
            self._say(f"reading {len(undated):,} files, {_megabytes(undated)}, for their months: no name tells a day")
        for one in undated:
            for number, month in enumerate(await self._months_in(one, kind)):
                found.setdefault(month, []).append(_Part(one, None, own=number == 0))
        return found

    async def _months_in(self, one: RawObject, kind: LogFormat) -> list[Month]:
        async with self._log.files([one]) as paths:
            with self._workbench(kind) as workbench:
                months = await workbench.months_in(LogFile(one.name, paths[one.name], None))
        if not months:
            self._say(f"{one.name} is left out: none of its lines tells a time")
        return months

    async def _one(self, month: Month, parts: Sequence[_Part], kind: LogFormat, *, force: bool) -> Outcome:
        objects = [part.object for part in parts]
        own = sum(part.own for part in parts)
        files = [(part.object.name, part.object.etag, part.own) for part in parts]
        inputs = f"{inputs_hash(COUNTING_FORMAT, kind, self._rules.version, files)}-{own}"
        if not force and await self._commits.has(month, inputs):
            return Outcome.UNCHANGED
        if not force and (gone := await self._gone(month, own)):
            self._say(f"{month}: kept as it is: {gone:,} of its files are gone; --force counts what is left")
            return Outcome.UNCHANGED
        self._say(f"{month}: counting {len(objects):,} files, {_megabytes(objects)}")
        with self._workbench(kind, month) as workbench:
            async with self._log.files(objects) as paths:
                done = await workbench.count(
                    month,
                    [LogFile(part.object.name, paths[part.object.name], part.days, part.own) for part in parts],
                )
            for line in _account(done, learned=self._rules.routes is None):
                self._say(f"{month}: {line}")
            (tenants, fleet), (tenants_features, fleet_features) = done.usage, done.features
            rolled = (
                Rolled(ACCESS_LOG_REPORT, done.report),
                Rolled(FEATURE_USAGE, fleet_features, tenants_features),
                Rolled(USAGE, fleet, tenants),
            )
            await self._commits.commit(month, inputs, rolled, force=force)
        return Outcome.COMMITTED

    async def _gone(self, month: Month, own: int) -> int:
        """How many files fewer there are than when the month was committed: logs expire, what they told should not."""
        known = (await self._commits.manifest(USAGE)).months.get(str(month))
        _, _, before = known.inputs.partition("-") if known is not None else ("", "", "")
        return max(int(before) - own, 0) if before.isdigit() else 0

    @contextmanager
    def _workbench(self, kind: LogFormat, month: Month | None = None) -> Generator[LogWorkbench]:
        with tempfile.TemporaryDirectory(prefix=f"{month or 'months'}-", dir=self._folder) as scratch:
            yield LogWorkbench(Path(scratch), kind, self._rules, self._limits)


def _account(done: Counted, *, learned: bool) -> Iterator[str]:
    """What became of the lines, in sentences."""
    classes = [f"{done.classes[name]:,} {words}" for name, words in CLASSES.items() if done.classes.get(name)]
    yield f"{done.lines:,} lines: {', '.join(classes) or 'none'}"
    counted = done.classes.get(COUNTED, 0)
    if counted:
        told = ", ".join(f"{name} of {100 * lines / counted:.1f} %" for name, lines in sorted(done.known.items()))
        yield f"of those counted it knows {told}"
    if learned:
        busiest = ", ".join(route.template for route in done.routes[:SAID_ROUTES])
        yield f"no routes are given; learned {len(done.routes)}, such as {busiest}: learn-routes prints them to own"


def _month(day: date) -> Month:
    return Month(day.year, day.month)


def _megabytes(objects: Sequence[RawObject]) -> str:
    return f"{sum(one.size for one in objects) / 1e6:,.1f} MB"
