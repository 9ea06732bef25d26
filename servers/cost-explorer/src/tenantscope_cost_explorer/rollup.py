"""Allocates the bill month by month and commits each month whole."""

import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.datasets import fetch_manifest
from tenantscope_core.stores.manifests import Manifest
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.schemas import ALLOCATED_COST

from tenantscope_cost_explorer.report import ALLOCATION_REPORT
from tenantscope_cost_explorer.rules import RuleSet
from tenantscope_cost_explorer.sources.billing import Bill, BillObject
from tenantscope_cost_explorer.sources.workbench import MEASURED, Limits, Unbalanced, Workbench

ALLOCATION_FORMAT = 1
"""Part of every inputs hash: raise it when the same inputs come to give other rows."""

Say = Callable[[str], None]


class Outcome(StrEnum):
    """What became of a month."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    NOTHING = "nothing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Request:
    """What a rollup is asked for: these months, or (None) all that the bill has."""

    months: tuple[Month, ...] | None = None
    force: bool = False


class Rollup:
    """Rolls up months of one bill into one bucket, with the provider's session."""

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        bill: Bill,
        rules: RuleSet,
        *,
        folder: Path,
        clock: Callable[[], datetime],
        say: Say,
        limits: Limits | None = None,
    ) -> None:
        self._aws = aws
        self._bucket = bucket
        self._bill = bill
        self._rules = rules
        self._folder = folder
        self._clock = clock
        self._say = say
        self._workbench = Workbench(folder, limits)
        self._writer = DatasetWriter(aws, bucket, clock=clock)

    async def run(self, request: Request) -> dict[Month, Outcome]:
        """Roll up; a month that fails is said and does not keep the others from being done.

        Raises:
            ToolFailure: The bill or the datasets cannot be reached at all.
        """
        bill = await self._by_month()
        usage = {dataset.name: await self._manifest(dataset.name) for dataset in MEASURED}
        outcomes: dict[Month, Outcome] = {}
        months = sorted(bill) if request.months is None else sorted(set(request.months))
        if not months:
            self._say("The bill has no files.")
        for month in months:
            if month not in bill:
                self._say(f"{month}: the bill has nothing")
                outcomes[month] = Outcome.NOTHING
                continue
            try:
                outcomes[month] = await self._one(month, bill[month], usage, force=request.force)
            except ToolFailure as failure:
                self._say(f"{month}: failed: {failure.sentence}")
                outcomes[month] = Outcome.FAILED
            except Unbalanced as error:
                self._say(f"refused: {error}")
                outcomes[month] = Outcome.FAILED
        return outcomes

    async def sweep(self) -> int:
        """Delete what runs before the last one of each month left behind, a day after it was written; how many objects.

        Raises:
            ToolFailure: S3 refused or does not answer.
        """
        return sum([await self._writer.sweep(dataset.name) for dataset in (ALLOCATED_COST, ALLOCATION_REPORT)])

    async def _by_month(self) -> dict[Month, list[BillObject]]:
        objects = await self._bill.objects()
        found: dict[Month, list[BillObject]] = {}
        for one in objects:
            if one.month is not None:
                found.setdefault(Month.parse(one.month), []).append(one)
        unnamed = [one for one in objects if one.month is None]
        if unnamed:
            async with self._bill.files(unnamed) as files:
                months = await self._workbench.months_in(files)
            for one in unnamed:
                for month in months[one.name]:
                    found.setdefault(Month.parse(month), []).append(one)
        return found

    async def _one(
        self, month: Month, objects: Sequence[BillObject], usage: Mapping[str, Manifest], *, force: bool
    ) -> Outcome:
        inputs = self._inputs(month, objects, usage)
        known = (await self._manifest(ALLOCATED_COST.name)).months.get(str(month))
        if known is not None and known.inputs == inputs and not force:
            self._say(f"{month}: unchanged since {known.written:%Y-%m-%d %H:%M} UTC, skipped")
            return Outcome.UNCHANGED
        missing = [name for name, manifest in usage.items() if str(month) not in manifest.months]
        if missing:
            self._say(f"{month}: no {', '.join(missing)} is committed; drivers on it fall back")
        with tempfile.TemporaryDirectory(prefix=f"{month}-", dir=self._folder) as scratch:
            workbench = Workbench(Path(scratch), self._workbench.limits)
            async with AsyncExitStack() as stack:
                files = await stack.enter_async_context(self._bill.files(objects))
                measured = await self._usage_files(stack, month, usage, Path(scratch))
                self._say(f"{month}: allocating {len(files)} files, {sum(one.size for one in objects) / 1e6:.1f} MB")
                done = await workbench.allocate(self._rules, month, files, measured)
            self._say(f"{month}: {done.charges:,} charges balance; committing {len(done.tenants):,} tenants")
            now = self._clock()
            run = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
            # The report goes first: whether a month is done is read from allocated_cost.
            await self._writer.commit(
                ALLOCATION_REPORT.name, str(month), run=run, inputs=inputs, tenants={}, fleet=done.report, force=force
            )
            await self._writer.commit(
                ALLOCATED_COST.name,
                str(month),
                run=run,
                inputs=inputs,
                tenants=done.tenants,
                fleet=done.fleet,
                force=force,
            )
        self._say(f"{month}: committed {done.fleet.rows:,} rows as run {run}")
        return Outcome.COMMITTED

    async def _usage_files(
        self, stack: AsyncExitStack, month: Month, usage: Mapping[str, Manifest], scratch: Path
    ) -> dict[str, list[Path]]:
        commits = {name: manifest.months.get(str(month)) for name, manifest in usage.items()}
        refs = {name: commit.objects if commit is not None else () for name, commit in commits.items()}
        everything = [ref for group in refs.values() for ref in group]
        cache = ObjectCache(scratch / "usage", max_bytes=sum(ref.size for ref in everything))
        stack.callback(cache.close)
        paths = await stack.enter_async_context(cache.pinned(self._aws, self._bucket, everything))
        return {name: [paths[ref.key] for ref in group] for name, group in refs.items()}

    def _inputs(self, month: Month, objects: Sequence[BillObject], usage: Mapping[str, Manifest]) -> str:
        """A hash of all that the month's rows are made from."""
        runs = {
            name: manifest.months[str(month)].run for name, manifest in usage.items() if str(month) in manifest.months
        }
        made_from = [ALLOCATION_FORMAT, self._rules.version, [(one.name, one.etag) for one in objects], runs]
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:32]

    async def _manifest(self, dataset: str) -> Manifest:
        try:
            manifest, _ = await fetch_manifest(self._aws, self._bucket, dataset, None)
        except AwsError as error:
            raise error.as_failure() from error
        return manifest
