"""What each cell of the cost was in two periods: one tenant's own, or the fleet's."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import Period, parse_period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.schemas import ALLOCATED_COST
from tenantscope_core.stores.sql import Table
from tenantscope_core.stores.windows import Window

from tenantscope_cost_explorer.changes.drivers import ZERO, Amounts, Cell, Lengths
from tenantscope_cost_explorer.changes.report import OTHER_TENANTS, RESIDUAL
from tenantscope_cost_explorer.costs.spread import Stretch, part_within
from tenantscope_cost_explorer.sources.costs import GROUPS, MAX_ROWS, NONE, Costs

MAX_CELLS = 2_000
"""Cells that are explained one by one; further ones together by service and feature."""

ONE_OFF = """("ChargeCategory" IN ('Credit', 'Adjustment') OR coalesce("ChargeClass", '') = 'Correction'
    OR lower(coalesce("ChargeFrequency", '')) = 'one-time')"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two periods, all of both committed, that have no day in common."""

    window: Window
    before: Period
    table: Table

    @property
    def lengths(self) -> Lengths:
        """How many days they have; of one that still runs, how many of its days were over when it was rolled up."""
        now, then, days = self.window.period, self.before, max(self.window.days_covered, 1)
        whole = now.is_whole_months and then.is_whole_months and days == now.days
        return Lengths(then.days, days, by_month=whole and len(now.months) == len(then.months))


@dataclass(frozen=True, slots=True)
class Moves:
    """Amounts by currency; of all `cells`, those from `MAX_CELLS` on stand together."""

    amounts: list[tuple[str, Amounts]]
    cells: int
    last_day: date | None


async def compare(
    costs: Costs, aws: AwsCaller, tenant: str | None, period: str, compared_with: str | None
) -> Comparison:
    """The two periods that a caller wrote, by default a period and the one before it.

    Raises:
        InvalidArgument: One is no period, or they have days in common.
        NotFound: Not all of both is committed; the months that are not, are named.
    """
    window = await costs.window(aws, tenant, period)
    after = window.period
    before = after.before()
    if compared_with is not None:
        before = parse_period(compared_with, latest=after.months[-1], parameter="compared_with")
    if before.start < after.end and after.start < before.end:
        raise InvalidArgument(f"{before} and {after} have days in common.", parameter="compared_with")
    committed = await costs.reader.committed(aws, ALLOCATED_COST.name, tenant)
    table = Table.of(ALLOCATED_COST, committed, {*after.month_names, *before.month_names})
    for part, parameter in ((after, "period"), (before, "compared_with")):
        missing = [month for month in part.month_names if month not in table.months]
        if missing:
            known = committed.manifest.months
            raise NotFound(
                f"No cost is committed for {', '.join(missing[:3])}, so nothing can be explained against it; there is "
                f"cost for {min(known)} to {max(known)}.",
                parameter=parameter,
            )
    return Comparison(window, before, table)


async def moves(costs: Costs, aws: AwsCaller, compared: Comparison) -> Moves:
    """The amounts of each cell in both periods.

    Raises:
        InvalidArgument: They are more than one answer can sum up.
    """
    tagged = " UNION ALL ".join(
        _side(side, part) for side, part in enumerate((compared.before, compared.window.period))
    )
    result = await costs.engine.query(
        f"""
        WITH tagged AS ({tagged}),
        cells AS (
          SELECT currency, tenant, service, feature, abs(sum(CASE WHEN side = 1 THEN cost ELSE -cost END)) AS moved,
            max(CASE WHEN side = 0 AND one_off = 0 THEN 1 ELSE 0 END) AS had,
            max(CASE WHEN side = 1 AND one_off = 0 THEN 1 ELSE 0 END) AS has
          FROM tagged GROUP BY 1, 2, 3, 4
        ),
        placed AS (
          SELECT *, row_number() OVER (ORDER BY moved DESC, currency, tenant, service, feature) AS place,
            count(*) OVER () AS cells
          FROM cells
        )
        SELECT side, tagged.currency, CASE WHEN place <= {MAX_CELLS} THEN tagged.tenant ELSE '{OTHER_TENANTS}' END,
          tagged.service, tagged.feature, CASE WHEN place <= {MAX_CELLS} THEN 0 ELSE had END,
          CASE WHEN place <= {MAX_CELLS} THEN 0 ELSE has END, one_off, unit, starts, ends,
          sum(cost), sum(quantity), max(last_day), max(cells)
        FROM tagged JOIN placed ON placed.currency = tagged.currency AND placed.tenant = tagged.tenant
          AND placed.service = tagged.service AND placed.feature = tagged.feature
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11""",
        (),
        {"costs": compared.table},
        aws=aws,
        max_rows=MAX_ROWS,
    )
    if result.truncated:
        raise InvalidArgument("That is more than one answer can explain; ask for a shorter period.", parameter="period")
    return Moves(
        [_amounts(row, compared) for row in result.rows],
        max((int(row[-1]) for row in result.rows), default=0),
        max((row[-2] for row in result.rows if row[0] == 1), default=None),
    )


def _side(side: int, period: Period) -> str:
    """Costs and quantities of one period by cell; charges that reach over its edge by the days they cover."""
    start, end = '"ChargePeriodStart"', '"ChargePeriodEnd"'
    if period.is_whole_months:
        within, inside = "month IN (" + ", ".join(f"'{month}'" for month in period.month_names) + ")", "true"
    else:
        within = f"{start} < DATE '{period.end}' AND {end} > DATE '{period.start}'"
        inside = f"{start} >= DATE '{period.start}' AND {end} <= DATE '{period.end}'"
    edges = ", ".join(
        f"CASE WHEN {inside} THEN NULL ELSE {edge} END AS {name}" for edge, name in ((start, "starts"), (end, "ends"))
    )
    unit = f'CASE WHEN {ONE_OFF} OR "ConsumedQuantity" IS NULL THEN NULL ELSE "ConsumedUnit" END'
    return f"""
      SELECT {side} AS side, "BillingCurrency" AS currency, coalesce(tenant_id, '{RESIDUAL}') AS tenant,
        coalesce({GROUPS["service"]}, '{NONE}') AS service, coalesce({GROUPS["feature"]}, '{NONE}') AS feature,
        CASE WHEN {ONE_OFF} THEN 1 ELSE 0 END AS one_off, {unit} AS unit, {edges},
        sum("EffectiveCost") AS cost, sum("ConsumedQuantity") AS quantity, max({start}) AS last_day
      FROM costs WHERE {within} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"""


def _amounts(row: tuple[Any, ...], compared: Comparison) -> tuple[str, Amounts]:
    side, currency, tenant, service, feature, had, has, one_off, unit, starts, ends, cost, quantity, _, _ = row
    cell = Cell(tenant, service, feature, f"{had}{has}" if tenant == OTHER_TENANTS else "")
    period = compared.window.period if side else compared.before

    def part(value: Decimal | None) -> Decimal:
        if value is None:
            return ZERO
        return value if starts is None else part_within(value, Stretch(starts, ends), period)

    amounts = Amounts(cell, unit, bool(one_off))
    if side:
        return currency, replace(amounts, after=part(cost), quantity_after=part(quantity))
    return currency, replace(amounts, before=part(cost), quantity_before=part(quantity))
