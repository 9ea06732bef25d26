"""Allocates the bill month by month and commits each month whole."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

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
from tenantscope_cost_explorer.sources.billing import Bill, BillObject
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
        bill = await self._by_month()
        usage = {dataset.name: await self._commits.manifest(dataset) for dataset in MEASURED}

        async def one(month: Month) -> Outcome:
            return await self._one(month, bill[month], usage, force=request.force)

        return await self._commits.each_month(request, bill, one, what="bill")

    async def sweep(self) -> int:
        """Delete what runs before the last one of each month left behind, a day after it was written; how many objects.

        Raises:
            ToolFailure: S3 refused or does not answer.
        """
        return await self._commits.sweep((ALLOCATED_COST, ALLOCATION_REPORT, SAVING_EVIDENCE))

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
