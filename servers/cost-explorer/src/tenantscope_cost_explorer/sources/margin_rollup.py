"""Sets each month's revenue against its allocated cost and commits the margins whole."""

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.results.errors import DataFault, Unavailable
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.datasets import Committed
from tenantscope_core.stores.manifests import Manifest
from tenantscope_core.stores.rollup import Commits, Outcome, Refused, Request, Rolled, Say, inputs_hash
from tenantscope_core.stores.schemas import ALLOCATED_COST, MARGIN, REVENUE, SEGMENTS, Dataset
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.sql_text import string_literal
from tenantscope_core.stores.workbench import DuckDbWorkbench, Limits, copy_part

from tenantscope_cost_explorer.cents import ZERO
from tenantscope_cost_explorer.margins.rows import Cost, MarginRow, Revenue, in_two_currencies, margin_rows
from tenantscope_cost_explorer.sources.tiers import registry_tiers

if TYPE_CHECKING:
    import duckdb

MARGIN_FORMAT = 1
"""Part of every inputs hash: raise it when the same inputs come to give other rows."""
READ = (ALLOCATED_COST, REVENUE, SEGMENTS)
MAX_ROWS = 1_000_000


class MarginRollup:
    """Rolls up the margins of one bucket from what is committed in it, with the provider's session."""

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        engine: SqlEngine,
        *,
        registry: str | None,
        folder: Path,
        clock: Callable[[], datetime],
        say: Say,
        limits: Limits | None = None,
    ) -> None:
        self._aws = aws
        self._engine = engine
        self._registry = registry
        self._folder = folder
        self._say = say
        self._workbench = DuckDbWorkbench(folder, limits)
        self._commits = Commits(aws, bucket, done_when=MARGIN, registry=registry, clock=clock, say=say)

    async def run(self, request: Request) -> dict[Month, Outcome]:
        """Roll up; a month that fails is said and does not keep the others from being done.

        Raises:
            ToolFailure: The datasets or the registry cannot be reached at all.
        """
        manifests = {dataset.name: await self._commits.manifest(dataset) for dataset in (*READ, MARGIN)}
        there = [Month.parse(month) for month in manifests[ALLOCATED_COST.name].months]
        tiers = await registry_tiers(self._aws, self._registry)

        async def one(month: Month) -> Outcome:
            return await self._one(month, manifests, tiers, force=request.force)

        return await self._commits.each_month(request, there, one, what="allocated cost")

    async def sweep(self) -> int:
        """Delete what runs before the last one of each month left behind, a day after it was written; how many objects.

        Raises:
            ToolFailure: S3 refused or does not answer.
        """
        return await self._commits.sweep((MARGIN,))

    async def _one(
        self, month: Month, manifests: Mapping[str, Manifest], registered: Mapping[str, str], *, force: bool
    ) -> Outcome:
        if str(month) not in manifests[REVENUE.name].months:
            self._say(f"{month}: no revenue is committed, so there is no margin yet")
            return Outcome.NOTHING
        committed = await self._committed_tiers(month, manifests)
        if committed is None and str(month) in manifests[MARGIN.name].months:
            self._say(f"{month}: its committed margins cannot be read and are made anew")
            force = True
        runs = {name: manifests[name].months[str(month)].run for name in _of(month, manifests)}
        if not force and committed is not None:
            known = {tenant: registered.get(tenant) or tier for tenant, tier in committed.items()}
            if await self._commits.has(month, _inputs(runs, known)):
                return Outcome.UNCHANGED
        # A tenant that left has no tier in the registry any more; what it had when the month was made stays true.
        tiers = {tenant: tier for tenant, tier in (committed or {}).items() if tier} | dict(registered)
        rows = margin_rows(
            await self._costs(month, manifests),
            await self._revenue(month, manifests),
            tiers=tiers,
            personas=await self._personas(month, manifests),
        )
        if mixed := in_two_currencies(rows):
            self._say(
                f"{month}: tenants with revenue in one currency and cost in another: {len(mixed):,}. Nothing is "
                "converted: each currency has a row of its own, with 0 on the other side"
            )
        out = self._folder / f"margin-{month}"
        fleet = await self._workbench.run(lambda connection: _written(connection, rows, out))
        tenants = {row.tenant for row in rows if row.tenant is not None}
        self._say(f"{month}: revenue set against cost; committing margins of {len(tenants):,} tenants")
        inputs = _inputs(runs, {row.tenant: row.tier for row in rows if row.tenant is not None})
        await self._commits.commit(month, inputs, (Rolled(MARGIN, fleet),), force=force)
        return Outcome.COMMITTED

    async def _committed_tiers(self, month: Month, manifests: Mapping[str, Manifest]) -> dict[str, str | None] | None:
        """The tenants of the month's margins as committed, with their tiers; None where there are none to be read."""
        if str(month) not in manifests[MARGIN.name].months:
            return None
        try:
            rows = await self._query("SELECT tenant_id, max(tier) FROM rows GROUP BY 1", MARGIN, month, manifests)
        except DataFault:
            return None
        return {tenant: tier for tenant, tier in rows if tenant is not None}

    async def _costs(self, month: Month, manifests: Mapping[str, Manifest]) -> list[Cost]:
        sql = 'SELECT tenant_id, "BillingCurrency", sum("EffectiveCost") FROM rows GROUP BY 1, 2'
        return [Cost(*row) for row in await self._query(sql, ALLOCATED_COST, month, manifests)]

    async def _revenue(self, month: Month, manifests: Mapping[str, Manifest]) -> list[Revenue]:
        sql = """
            SELECT tenant_id, currency, plan, sum(amount), count_if(amount IS NULL OR currency IS NULL)
            FROM rows GROUP BY 1, 2, 3"""
        rows = await self._query(sql, REVENUE, month, manifests)
        if any(unread for *_, unread in rows):
            raise DataFault(f"The revenue of {month} has a line without an amount or a currency; commit it again.")
        if not all(is_tenant_id(tenant or "") for tenant, *_ in rows):
            raise DataFault(f"The revenue of {month} has a line that names no tenant; commit it again.")
        return [Revenue(*row) for *row, _ in rows]

    async def _personas(self, month: Month, manifests: Mapping[str, Manifest]) -> dict[str, str]:
        if str(month) not in manifests[SEGMENTS.name].months:
            return {}
        sql = "SELECT tenant_id, max(persona) FROM rows GROUP BY 1"
        return {tenant: persona for tenant, persona in await self._query(sql, SEGMENTS, month, manifests) if persona}

    async def _query(
        self, sql: str, dataset: Dataset, month: Month, manifests: Mapping[str, Manifest]
    ) -> list[tuple[Any, ...]]:
        table = Table.of(dataset, Committed(manifests[dataset.name]), [str(month)])
        found = await self._engine.query(sql, (), {"rows": table}, aws=self._aws, max_rows=MAX_ROWS)
        if found.truncated:
            raise Unavailable(
                f"The {dataset.name} of {month} has more than {MAX_ROWS:,} sums, more than one run takes."
            )
        return found.rows


def _of(month: Month, manifests: Mapping[str, Manifest]) -> list[str]:
    """The datasets that the month is made from, as far as they are committed."""
    return [dataset.name for dataset in READ if str(month) in manifests[dataset.name].months]


def _inputs(runs: Mapping[str, str], tiers: Mapping[str, str | None]) -> str:
    """A hash of all that the month's rows are made from; tiers of other tenants are no part of it."""
    return inputs_hash(MARGIN_FORMAT, runs, tiers)


def _written(connection: "duckdb.DuckDBPyConnection", rows: Sequence[MarginRow], out: Path) -> Part:
    """The fleet's file: what a tenant earns the company is the company's, so tenants have none of their own."""
    out.mkdir(parents=True, exist_ok=True)
    table = out / "margin.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            (row.tenant, row.currency, row.revenue, row.cost, row.margin, row.tier, row.persona, row.plan)
            for row in rows
        )
    columns = {"tenant_id": "VARCHAR", **MARGIN.columns}
    typed = ", ".join(f"{string_literal(name)}: {string_literal(kind)}" for name, kind in columns.items())
    source = (
        f"FROM read_csv({string_literal(str(table))}, auto_detect = false, header = false, delim = ',', quote = '\"',"
        f" escape = '\"', columns = {{{typed}}})"
        if rows
        else "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns.items()) + " WHERE false"
    )
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(f"CREATE TABLE margin AS {source}")
    found = connection.execute("SELECT count(*), coalesce(sum(margin), 0) FROM margin").fetchall()[0]
    if found != (len(rows), sum((row.margin for row in rows), ZERO)):
        raise Refused("the margins as written are not the margins as worked out")
    return copy_part(connection, "FROM margin", out / "fleet.parquet")
