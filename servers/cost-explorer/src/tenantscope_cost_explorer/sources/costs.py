"""Committed costs, asked for by SQL: one tenant's own, or the fleet's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tenantscope_core.results.errors import InvalidArgument, NotFound, Unavailable
from tenantscope_core.results.names import exact, hint
from tenantscope_core.results.periods import Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import ALLOCATED_COST, USAGE
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.windows import Window, open_window

from tenantscope_cost_explorer.allocation.report import ALLOCATION_REPORT, InvoiceSum, RuleSum
from tenantscope_cost_explorer.allocation.rules import Method
from tenantscope_cost_explorer.costs.breakdown import ZERO, CostSum
from tenantscope_cost_explorer.costs.ranking import TenantSum
from tenantscope_cost_explorer.costs.spread import Stretch, by_day, part_within
from tenantscope_cost_explorer.models import Freshness

NONE = "(none)"
MAX_ROWS = 100_000
RESTATED_FOR = timedelta(days=15)
"""How long after a month's end the cloud may change its bill; AWS closes a bill within about two weeks."""

GROUPS = {
    "service": '"ServiceName"',
    "feature": '"x_Feature"',
    "environment": '"x_Environment"',
    "charge_category": '"ChargeCategory"',
    "month": "month",
}
TIME_GROUPS = ("day", "month")


def freshness(window: Window, now: datetime, last_day: date | None) -> Freshness:
    """How complete and final the costs of a window are, `last_day` being the last with a charge."""
    final = window.period.months[-1].shift(1).first_day + RESTATED_FOR
    return Freshness(**window.freshness(last_day).model_dump(), may_be_restated=now.date() < final)


@dataclass(frozen=True, slots=True)
class Reported:
    """The allocation report of a period: rules' versions, what each rule consumed, and the invoices."""

    versions: list[str]
    rules: list[RuleSum]
    invoices: list[InvoiceSum]
    charges: int


@dataclass(frozen=True, slots=True)
class _Row:
    currency: str
    keys: tuple[Any, ...]
    stretch: Stretch | None
    cost: Decimal
    last_start: date
    last_end: date


class Costs:
    """The `allocated_cost` dataset and what stands beside it."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    @property
    def reader(self) -> DatasetReader:
        """What is committed."""
        return self._reader

    @property
    def engine(self) -> SqlEngine:
        """What asks it."""
        return self._engine

    async def window(self, aws: AwsCaller, tenant: str | None, period: str) -> Window:
        """The committed part of a period that a caller wrote; `open_window` says what it raises."""
        return await open_window(self._reader, aws, ALLOCATED_COST, tenant, period, noun="cost")

    async def sums(
        self, aws: AwsCaller, window: Window, group_by: str, filters: Mapping[str, str]
    ) -> tuple[list[CostSum], date | None]:
        """Costs of the window by currency, group and method, and the last day with a charge.

        Raises:
            InvalidArgument: A filter holds a wildcard.
            NotFound: A filter's value occurs nowhere in the window; the nearest that do are named.
        """
        name = "CAST(NULL AS VARCHAR)" if group_by == "day" else f"coalesce({GROUPS[group_by]}, '{NONE}')"
        stretches = group_by == "day"
        found = await self._grouped(aws, window, window.period, [name, '"x_Method"'], filters, stretches=stretches)
        if not found:
            await self._require_known(aws, window, filters)
        sums = [
            CostSum(row.currency, label, row.keys[1], cost=cost)
            for row in found
            for label, cost in _labelled(row, window.period, stretches)
        ]
        if window.before is not None:
            earlier = await self._grouped(aws, window, window.before, [name, '"x_Method"'], filters)
            sums += [CostSum(row.currency, row.keys[0] or "", row.keys[1], before=row.cost) for row in earlier]
        return sums, _last_day(found)

    async def by_tenant(self, aws: AwsCaller, window: Window) -> tuple[dict[str, list[TenantSum]], date | None]:
        """Costs of the window by currency and tenant, the residual under None, and the last day with a charge."""
        keys = ["tenant_id", '"x_Method"']
        now = await self._grouped(aws, window, window.period, keys, {})
        earlier = await self._grouped(aws, window, window.before, keys, {}) if window.before is not None else []
        sums: dict[str, dict[str | None, list[Decimal]]] = {}
        for rows, place in ((now, 0), (earlier, 1)):
            for row in rows:
                of_tenant = sums.setdefault(row.currency, {}).setdefault(row.keys[0], [ZERO, ZERO, ZERO])
                of_tenant[place] += row.cost
                if place == 0 and row.keys[1] == Method.DIRECT:
                    of_tenant[2] += row.cost
        found = {
            currency: [TenantSum(tenant, total, direct, before) for tenant, (total, before, direct) in tenants.items()]
            for currency, tenants in sums.items()
        }
        return found, _last_day(now)

    async def _grouped(
        self,
        aws: AwsCaller,
        window: Window,
        period: Period,
        keys: Sequence[str],
        filters: Mapping[str, str],
        *,
        stretches: bool = False,
    ) -> list[_Row]:
        """Costs of a period by currency and `keys`: the bills of whole months, else what falls on its days.

        With `stretches`, rows are told apart by the days they cover as well.
        """
        conditions, parameters = _filtered(filters)
        start, end = '"ChargePeriodStart"', '"ChargePeriodEnd"'
        inside = f"{start} >= DATE '{period.start}' AND {end} <= DATE '{period.end}'"
        if period.is_whole_months:
            conditions.append("month IN (" + ", ".join(f"'{month}'" for month in period.months) + ")")
        else:
            conditions.append(f"{start} < DATE '{period.end}' AND {end} > DATE '{period.start}'")
        whole = "false" if stretches else "true" if period.is_whole_months else inside
        columns = ['"BillingCurrency"', *keys]
        columns += [f"CASE WHEN {whole} THEN NULL ELSE {edge} END" for edge in (start, end)]
        groups = ", ".join(str(number) for number in range(1, len(columns) + 1))
        result = await self._engine.query(
            f"""
            SELECT {", ".join(columns)}, sum("EffectiveCost"), max({start}), max({end})
            FROM costs WHERE {" AND ".join(conditions)} GROUP BY {groups}""",
            parameters,
            {"costs": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if result.truncated:
            raise InvalidArgument(
                "That is more than one answer can sum up; ask for a shorter period.", parameter="period"
            )
        rows = [
            _Row(row[0], tuple(row[1:-5]), Stretch(row[-5], row[-4]) if row[-5] else None, row[-3], row[-2], row[-1])
            for row in result.rows
        ]
        if period.is_whole_months:
            return rows
        return [replace(row, cost=part_within(row.cost, row.stretch, period)) if row.stretch else row for row in rows]

    async def active_tenants(self, aws: AwsCaller, period: Period) -> frozenset[str] | None:
        """The tenants with any use in the period; None unless the usage of all of its months is committed."""
        committed = await self._reader.committed(aws, USAGE.name, None)
        if any(month not in committed.manifest.months for month in period.month_names):
            return None
        result = await self._engine.query(
            f"SELECT DISTINCT tenant_id FROM usage WHERE quantity > 0 AND day >= DATE '{period.start}'"
            f" AND day < DATE '{period.end}'",
            (),
            {"usage": Table.of(USAGE, committed, period.month_names)},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        return frozenset(row[0] for row in result.rows)

    async def reported(self, aws: AwsCaller, window: Window) -> Reported:
        """The allocation report of whole months.

        Raises:
            Unavailable: A rollup is committing at this moment.
        """
        committed = await self._reader.committed(aws, ALLOCATION_REPORT.name, None)
        table = Table.of(ALLOCATION_REPORT, committed, window.period.month_names)
        if any(
            month not in table.months or table.months[month].inputs != commit.inputs
            for month, commit in window.table.months.items()
            if month in window.period.month_names
        ):
            raise Unavailable(
                "A rollup of this period is being committed; ask again shortly.", retry_after_seconds=30.0
            )
        result = await self._engine.query(
            """
            SELECT "Section", "Name", min("Position"), "Method", "BillingCurrency", sum("Charges"),
              sum("EffectiveCost"), sum("AllocatedEffectiveCost"), sum("ResidualEffectiveCost"),
              sum("BilledCost"), sum("AllocatedBilledCost"), sum("ResidualBilledCost")
            FROM report GROUP BY "Section", "Name", "Method", "BillingCurrency" ORDER BY 3, 2, 5""",
            (),
            {"report": table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        found = Reported([], [], [], 0)
        charges = 0
        for (
            section,
            name,
            _,
            method,
            currency,
            count,
            effective,
            given,
            kept,
            billed,
            given_billed,
            kept_billed,
        ) in result.rows:
            match section:
                case "rules":
                    found.versions.append(name)
                    charges += int(count)
                case "rule":
                    found.rules.append(RuleSum(name, method, currency, int(count), effective, given, kept))
                case _:
                    found.invoices.append(InvoiceSum(name, currency, billed, given_billed, kept_billed))
        return replace(found, charges=charges)

    async def residual_services(self, aws: AwsCaller, window: Window, limit: int) -> list[tuple[str, str, Decimal]]:
        """The services with the most residual in whole months: name, currency, cost."""
        service = f"coalesce({GROUPS['service']}, '{NONE}')"
        rows = await self._grouped(aws, window, window.period, [service, '"x_Method"'], {})
        kept = [(str(r.keys[0]), r.currency, r.cost) for r in rows if r.keys[1] == Method.RESIDUAL and r.cost != 0]
        return sorted(kept, key=lambda one: (-abs(one[2]), one[:2]))[:limit]

    async def _require_known(self, aws: AwsCaller, window: Window, filters: Mapping[str, str]) -> None:
        for name, value in filters.items():
            sql = f"SELECT DISTINCT coalesce({GROUPS[name]}, '{NONE}') FROM costs"
            result = await self._engine.query(sql, (), {"costs": window.table}, aws=aws)
            known = sorted(row[0] for row in result.rows)
            if value not in known:
                raise NotFound(f"No cost in {window.period} has that {name}; {hint(value, known)}.", parameter=name)


def _filtered(filters: Mapping[str, str]) -> tuple[list[str], list[str]]:
    conditions, parameters = list[str](), list[str]()
    for name, value in filters.items():
        if exact(value, parameter=name) == NONE:
            conditions.append(f"{GROUPS[name]} IS NULL")
        else:
            conditions.append(f"{GROUPS[name]} = ?")
            parameters.append(value)
    return conditions, parameters


def _labelled(row: _Row, period: Period, by_days: bool) -> list[tuple[str, Decimal]]:
    if not by_days or row.stretch is None:
        return [(row.keys[0] or "", row.cost)]
    if period.is_whole_months:
        return [(str(day), cost) for day, cost in by_day(row.cost, row.stretch, period)]
    within = Stretch(max(row.stretch.start, period.start), min(row.stretch.end, period.end))
    return [(str(day), cost) for day, cost in by_day(row.cost, within, period)]


def _last_day(rows: Sequence[_Row]) -> date | None:
    """The last day that the bill speaks of: whole-month fees and what is not shared are known by their first day."""
    own = (Method.DIRECT, Method.RESIDUAL)
    return max((r.last_start if r.keys[1] in own else r.last_end - timedelta(days=1) for r in rows), default=None)
