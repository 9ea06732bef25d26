"""Allocates the bill month by month and commits each month whole."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

from tenantscope_core.results.errors import DataFault
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.manifests import Manifest
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.rollup import Commits, Outcome, Request, Rolled, Say, inputs_hash
from tenantscope_core.stores.schemas import ALLOCATED_COST
from tenantscope_core.stores.workbench import Limits

from tenantscope_cost_explorer.report import ALLOCATION_REPORT
from tenantscope_cost_explorer.rules import RuleSet
from tenantscope_cost_explorer.saving_evidence import SAVING_EVIDENCE
from tenantscope_cost_explorer.sources.billing import Bill
from tenantscope_cost_explorer.sources.deliveries import BillObject, empty
from tenantscope_cost_explorer.sources.workbench import MEASURED, Workbench

ALLOCATION_FORMAT = 2
"""Part of every inputs hash: raise it when the same inputs come to give other rows."""


class Rollup:
    """Rolls up months of one bill into one bucket, with the provider's session."""

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        bill: Bill,
        rules: RuleSet,
        *,
        registry: str | None,
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
        self._say = say
        self._workbench = Workbench(folder, limits)
        self._commits = Commits(aws, bucket, done_when=ALLOCATED_COST, registry=registry, clock=clock, say=say)

    async def run(self, request: Request) -> dict[Month, Outcome]:
        """Roll up; a month that fails is said and does not keep the others from being done.

        Raises:
            ToolFailure: The bill or the datasets cannot be reached at all.
        """
        bill, faults = await self._by_month()
        usage = {dataset.name: await self._commits.manifest(dataset) for dataset in MEASURED}

        async def one(month: Month) -> Outcome:
            if month in faults:
                raise DataFault(faults[month])
            return await self._one(month, bill[month], usage, force=request.force)

        return await self._commits.each_month(request, bill, one, what="bill")

    async def sweep(self) -> int:
        """Delete what runs before the last one of each month left behind, a day after it was written; how many objects.

        Raises:
            ToolFailure: S3 refused or does not answer.
        """
        return await self._commits.sweep((ALLOCATED_COST, ALLOCATION_REPORT, SAVING_EVIDENCE))

    async def _by_month(self) -> tuple[dict[Month, list[BillObject]], dict[Month, str]]:
        """The objects of each month, and what is wrong with the months that are not whole."""
        delivered = await self._bill.delivered()
        found: dict[Month, list[BillObject]] = {Month.parse(month): [] for month in delivered.faults}
        faults = {Month.parse(month): fault for month, fault in delivered.faults.items()}
        for one in delivered.objects:
            if one.month is not None:
                found.setdefault(Month.parse(one.month), []).append(one)
        await self._look_inside([one for one in delivered.objects if one.month is None], found, faults)
        return found, faults

    async def _look_inside(
        self, unnamed: Sequence[BillObject], found: dict[Month, list[BillObject]], faults: dict[Month, str]
    ) -> None:
        """Add the objects whose place names no month; what one that cannot be read belongs to is not known.

        Raises:
            DataFault: One cannot be read, and no other tells of a month.
        """
        if not unnamed:
            return
        unread = [DataFault(empty(one)) for one in unnamed if not one.size]
        async with self._bill.files([one for one in unnamed if one.size]) as files:
            months, faulty = await self._workbench.months_in(files)
        unread += faulty
        if unread and not any(months.values()) and not found:
            raise unread[0]
        for fault in unread:
            self._say(f"no month: failed: {fault.sentence}")
        for one in unnamed:
            for name in months.get(one.name, ()):
                month = Month.parse(name)
                found.setdefault(month, []).append(one)
                if unread:
                    faults.setdefault(month, unread[0].sentence)

    async def _one(
        self, month: Month, objects: Sequence[BillObject], usage: Mapping[str, Manifest], *, force: bool
    ) -> Outcome:
        inputs = self._inputs(month, objects, usage)
        if not force and await self._commits.has(month, inputs):
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
            rolled = (
                Rolled(ALLOCATION_REPORT, done.report),
                Rolled(SAVING_EVIDENCE, done.evidence),
                Rolled(ALLOCATED_COST, done.fleet, done.tenants),
            )
            await self._commits.commit(month, inputs, rolled, force=force)
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
        files = [(one.name, one.etag) for one in objects]
        return inputs_hash(ALLOCATION_FORMAT, self._rules.version, files, runs)
