"""Rates every tenant month by month and commits each month's revenue whole."""

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.manifests import Manifest
from tenantscope_core.stores.rollup import Commits, Outcome, Refused, Request, Rolled, Say, inputs_hash
from tenantscope_core.stores.schemas import REVENUE
from tenantscope_core.stores.sql_text import string_literal
from tenantscope_core.stores.workbench import DuckDbWorkbench, Limits, tenant_parts

from tenantscope_pricing.book import Book, Contract, Meter
from tenantscope_pricing.credits import first_month, is_good_in
from tenantscope_pricing.rating import RATING_FORMAT, Bill, metered, rate, replay
from tenantscope_pricing.revenue_rows import RevenueRow, revenue_rows, total
from tenantscope_pricing.segments import Quantities, Segment, by_segment, months_between, segments
from tenantscope_pricing.sources.use import METERED, Use

if TYPE_CHECKING:
    import duckdb

Days = Mapping[date, Quantities]


class Rollup:
    """Rates the months of one book and the fleet's use, with the provider's session."""

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        book: Book,
        use: Use,
        *,
        registry: str | None,
        folder: Path,
        clock: Callable[[], datetime],
        say: Say,
        limits: Limits | None = None,
    ) -> None:
        self._aws = aws
        self._book = book
        self._use = use
        self._folder = folder
        self._clock = clock
        self._say = say
        self._workbench = DuckDbWorkbench(folder, limits)
        self._commits = Commits(aws, bucket, done_when=REVENUE, registry=registry, clock=clock, say=say)

    async def run(self, request: Request) -> dict[Month, Outcome]:
        """Roll up; a month that fails is said and does not keep the others from being done.

        Raises:
            ToolFailure: The datasets cannot be reached at all.
        """
        manifests = {name: await self._commits.manifest(dataset) for name, dataset in METERED.items()}
        known = [Month.parse(month) for manifest in manifests.values() for month in manifest.months]
        since = min((term.since for one in self._book.contracts.values() for term in one.terms), default=date.max)
        first = Month(since.year, since.month)
        there = months_between(first, max(known)) if known and first <= max(known) else []

        async def one(month: Month) -> Outcome:
            return await self._one(month, manifests, force=request.force)

        return await self._commits.each_month(request, there, one, what="metered use of contracts")

    async def sweep(self) -> int:
        """Delete what runs before the last one of each month left behind; how many objects.

        Raises:
            ToolFailure: S3 refused or does not answer.
        """
        return await self._commits.sweep((REVENUE,))

    async def _one(self, month: Month, manifests: Mapping[str, Manifest], *, force: bool) -> Outcome:
        parts = {tenant: segments(self._book, one, month) for tenant, one in self._book.contracts.items()}
        billed = {tenant: self._book.contracts[tenant] for tenant, found in parts.items() if found}
        meters = list(dict.fromkeys(meter for one in billed.values() for meter in metered(self._book, one, month)))
        inputs = self._inputs(month, parts, meters, manifests)
        if not force and await self._commits.has(month, inputs):
            return Outcome.UNCHANGED
        missing = sorted({meter.dataset for meter in meters if str(month) not in manifests[meter.dataset].months})
        if missing:
            self._say(f"{month}: no {', '.join(missing)} is committed, which counts as no use")
        closely = {tenant: one for tenant, one in billed.items() if _needs_days(one, parts[tenant], month)}
        sums = await self._use.of_fleet(self._aws, meters, month)
        days = await self._days(closely, month)

        def work(connection: "duckdb.DuckDBPyConnection") -> tuple[dict[str, Part], Part]:
            rows: list[RevenueRow] = []
            for tenant, contract in billed.items():
                bill = (
                    self._closely(contract, month, days)
                    if tenant in closely
                    else rate(self._book, contract, month, [sums.get(tenant, {})])
                )
                made = list(revenue_rows(tenant, bill))
                if total(made) != bill.total:
                    raise Refused(f"{month}: the lines of {tenant} do not sum to its bill")
                rows += made
            return _written(connection, rows, self._folder / str(month))

        tenants, fleet = await self._workbench.run(work)
        self._say(f"{month}: {len(billed):,} tenants rated; committing {len(tenants):,}")
        await self._commits.commit(month, inputs, (Rolled(REVENUE, fleet, tenants),), force=force)
        return Outcome.COMMITTED

    def _closely(self, contract: Contract, month: Month, days: Mapping[Month, Mapping[str, Days]]) -> Bill:
        """A bill by the days of its use, and through the months that its credits were used in."""
        months = months_between(first_month(contract.credits, month), month)
        used = {one: by_segment(self._book, contract, one, days[one].get(contract.tenant, {})) for one in months}
        return replay(self._book, contract, used)[month]

    async def _days(self, contracts: Mapping[str, Contract], month: Month) -> dict[Month, dict[str, Days]]:
        """The daily use of some tenants, of the month and of those before it whose credits count."""
        wanted: dict[Month, list[Contract]] = {month: []}
        for contract in contracts.values():
            for one in months_between(first_month(contract.credits, month), month):
                wanted.setdefault(one, []).append(contract)
        found: dict[Month, dict[str, Days]] = {}
        for one, some in wanted.items():
            meters = list(dict.fromkeys(meter for contract in some for meter in metered(self._book, contract, one)))
            names = [contract.tenant for contract in some]
            found[one] = dict(await self._use.of_some(self._aws, meters, one, names)) if names else {}
        return found

    def _inputs(
        self,
        month: Month,
        parts: Mapping[str, Sequence[Segment]],
        meters: Sequence[Meter],
        manifests: Mapping[str, Manifest],
    ) -> str:
        """A hash of all that the month's rows are made from; what the book says of other months is no part of it."""
        agreed: list[object] = []
        months = {month}
        for tenant, found in parts.items():
            if not found:
                continue
            contract = self._book.contracts[tenant]
            good = [credit for credit in contract.credits if is_good_in(credit, month)]
            agreed.append([tenant, *(repr((one.start, one.end, one.plan, one.term.discount)) for one in found)])
            if good:
                earlier = months_between(first_month(contract.credits, month), month)
                months |= set(earlier)
                agreed.append([repr(contract.credits), repr([segments(self._book, contract, one) for one in earlier])])
        runs = [
            [name, str(one), manifest.months[str(one)].run]
            for name, manifest in manifests.items()
            for one in sorted(months)
            if str(one) in manifest.months
        ]
        measured = sorted(repr(meter) for meter in meters)
        return inputs_hash(RATING_FORMAT, self._book.currency, self._book.rounding, measured, agreed, runs)


def _needs_days(contract: Contract, parts: Sequence[Segment], month: Month) -> bool:
    """Whether the month's sums do not tell: a part of it is not billed, two terms share it, or credits count."""
    whole = len(parts) == 1 and parts[0].days == parts[0].month_days
    return not whole or any(is_good_in(credit, month) for credit in contract.credits)


def _written(
    connection: "duckdb.DuckDBPyConnection", rows: Sequence[RevenueRow], out: Path
) -> tuple[dict[str, Part], Part]:
    out.mkdir(parents=True, exist_ok=True)
    table = out / "revenue.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((row.tenant, row.plan, row.line, row.amount, row.currency) for row in rows)
    columns = {"tenant_id": "VARCHAR", **REVENUE.columns}
    typed = ", ".join(f"{string_literal(name)}: {string_literal(kind)}" for name, kind in columns.items())
    source = f"read_csv({string_literal(str(table))}, header = false, columns = {{{typed}}})" if rows else None
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns.items())
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(f"CREATE TABLE revenue AS {f'FROM {source}' if source else f'SELECT {nothing} WHERE false'}")
    return tenant_parts(connection, "revenue", out)
