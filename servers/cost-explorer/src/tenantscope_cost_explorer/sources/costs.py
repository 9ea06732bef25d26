"""Committed costs, asked for by SQL: one tenant's own, or the fleet's."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from tenantscope_core.results.errors import InvalidArgument, NotFound, Unavailable
from tenantscope_core.results.periods import Period, parse_period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import ALLOCATED_COST, USAGE
from tenantscope_core.stores.sql import SqlEngine, Table

from tenantscope_cost_explorer.breakdown import CostSum
from tenantscope_cost_explorer.models import Freshness
from tenantscope_cost_explorer.ranking import TenantSum
from tenantscope_cost_explorer.report import ALLOCATION_REPORT, InvoiceSum, RuleSum

NONE = "(none)"
MAX_ROWS = 100_000
RESTATED_FOR = timedelta(days=15)
"""How long after a month's end the cloud may change its bill; AWS closes a bill within about two weeks."""

GROUPS = {
    "service": '"ServiceName"',
    "feature": '"x_Feature"',
    "environment": '"x_Environment"',
    "charge_category": '"ChargeCategory"',
    "day": 'CAST("ChargePeriodStart" AS VARCHAR)',
    "month": "month",
}
TIME_GROUPS = ("day", "month")


@dataclass(frozen=True, slots=True)
class Window:
    """A period as far as it is committed, and the one before it where all of that is."""

    table: Table
    period: Period
    before: Period | None
    missing: list[str]

    def freshness(self, now: datetime, last_day: date | None) -> Freshness:
        """How complete and final its costs are, `last_day` being the last with a charge."""
        final = self.period.months[-1].shift(1).first_day + RESTATED_FOR
        within = None if last_day is None else min(last_day, self.period.end - timedelta(days=1))
        return Freshness(
            data_through=within,
            may_be_restated=now.date() < final,
            missing_months=self.missing,
            stale=self.table.stale_since is not None,
        )

    def holds(self, period: Period | None) -> str:
        """The SQL condition for a period: its bills for whole months, else the days that charges begin on."""
        if period is None:
            return "false"
        if period.is_whole_months:
            return "month IN (" + ", ".join(f"'{month}'" for month in period.months) + ")"
        return f"\"ChargePeriodStart\" >= DATE '{period.start}' AND \"ChargePeriodStart\" < DATE '{period.end}'"


@dataclass(frozen=True, slots=True)
class Reported:
    """The allocation report of a period: rules' versions, what each rule consumed, and the invoices."""

    versions: list[str]
    rules: list[RuleSum]
    invoices: list[InvoiceSum]
    charges: int


class Costs:
    """The `allocated_cost` dataset and what stands beside it."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def window(self, aws: AwsCaller, tenant: str | None, period: str) -> Window:
        """The committed part of a period that a caller wrote.

        Raises:
            InvalidArgument: It is no period.
            NotFound: Nothing of it is committed; the months that are, are named.
        """
        committed = await self._reader.committed(aws, ALLOCATED_COST.name, tenant)
        known = committed.manifest.months
        wanted = parse_period(period, latest=committed.manifest.latest)
        missing = [str(month) for month in wanted.months if str(month) not in known]
        if len(missing) == len(wanted.months):
            have = f"there is cost for {min(known)} to {max(known)}" if known else "no month is committed yet"
            raise NotFound(f"No cost is committed for {wanted}; {have}.", parameter="period")
        before = wanted.before()
        if any(str(month) not in known for month in before.months) or missing:
            return Window(Table.of(ALLOCATED_COST, committed, _names(wanted)), wanted, None, missing)
        months = {*_names(wanted), *_names(before)}
        return Window(Table.of(ALLOCATED_COST, committed, months), wanted, before, missing)

    async def sums(self, aws: AwsCaller, window: Window, group_by: str, filters: Mapping[str, str]) -> list[CostSum]:
        """Costs of the window by currency, group and method.

        Raises:
            InvalidArgument: A filter holds a wildcard.
            NotFound: A filter's value occurs nowhere in the window; the nearest that do are named.
        """
        conditions, parameters = _filtered(filters)
        result = await self._engine.query(
            f"""
            SELECT "BillingCurrency", coalesce({GROUPS[group_by]}, '{NONE}'), "x_Method",
              coalesce(sum("EffectiveCost") FILTER (WHERE {window.holds(window.period)}), 0),
              coalesce(sum("EffectiveCost") FILTER (WHERE {window.holds(window.before)}), 0),
              max("ChargePeriodStart") FILTER (WHERE {window.holds(window.period)})
            FROM costs WHERE {conditions} GROUP BY 1, 2, 3""",
            parameters,
            {"costs": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if not result.rows:
            await self._require_known(aws, window, filters)
        return [CostSum(*row) for row in result.rows]

    async def by_tenant(self, aws: AwsCaller, window: Window) -> dict[str, list[TenantSum]]:
        """Costs of the window by currency and tenant, the residual under None, and the last day of each currency."""
        now = window.holds(window.period)
        result = await self._engine.query(
            f"""
            SELECT "BillingCurrency", tenant_id,
              coalesce(sum("EffectiveCost") FILTER (WHERE {now} AND "x_Method" = 'direct'), 0),
              coalesce(sum("EffectiveCost") FILTER (WHERE {now}), 0),
              coalesce(sum("EffectiveCost") FILTER (WHERE {window.holds(window.before)}), 0)
            FROM costs GROUP BY 1, 2""",
            (),
            {"costs": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if result.truncated:
            raise InvalidArgument(f"More than {MAX_ROWS:,} tenants are more than one ranking takes.")
        found: dict[str, list[TenantSum]] = {}
        for currency, *row in result.rows:
            found.setdefault(currency, []).append(TenantSum(*row))
        return found

    async def last_day(self, aws: AwsCaller, window: Window) -> date | None:
        """The last day within the period that a charge begins on."""
        sql = f'SELECT max("ChargePeriodStart") FROM costs WHERE {window.holds(window.period)}'
        result = await self._engine.query(sql, (), {"costs": window.table}, aws=aws)
        day: date | None = result.rows[0][0]
        return day

    async def active_tenants(self, aws: AwsCaller, period: Period) -> frozenset[str] | None:
        """The tenants with any use in the period; None unless the usage of all of its months is committed."""
        committed = await self._reader.committed(aws, USAGE.name, None)
        if any(month not in committed.manifest.months for month in _names(period)):
            return None
        result = await self._engine.query(
            f"SELECT DISTINCT tenant_id FROM usage WHERE quantity > 0 AND day >= DATE '{period.start}'"
            f" AND day < DATE '{period.end}'",
            (),
            {"usage": Table.of(USAGE, committed, _names(period))},
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
        table = Table.of(ALLOCATION_REPORT, committed, _names(window.period))
        if any(
            month not in table.months or table.months[month].inputs != commit.inputs
            for month, commit in window.table.months.items()
            if month in _names(window.period)
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
        """The services with the most residual: name, currency, cost."""
        result = await self._engine.query(
            f"""
            SELECT coalesce("ServiceName", '{NONE}'), "BillingCurrency", sum("EffectiveCost")
            FROM costs WHERE "x_Method" = 'residual' AND {window.holds(window.period)}
            GROUP BY 1, 2 HAVING sum("EffectiveCost") <> 0
            ORDER BY abs(sum("EffectiveCost")) DESC, 1, 2 LIMIT {limit}""",
            (),
            {"costs": window.table},
            aws=aws,
        )
        return [(row[0], row[1], row[2]) for row in result.rows]

    async def _require_known(self, aws: AwsCaller, window: Window, filters: Mapping[str, str]) -> None:
        for name, value in filters.items():
            sql = f"SELECT DISTINCT coalesce({GROUPS[name]}, '{NONE}') FROM costs"
            result = await self._engine.query(sql, (), {"costs": window.table}, aws=aws)
            known = sorted(row[0] for row in result.rows)
            if value not in known:
                raise NotFound(f"No cost in {window.period} has that {name}; {_nearest(value, known)}.", parameter=name)


def _filtered(filters: Mapping[str, str]) -> tuple[str, list[str]]:
    conditions, parameters = ["true"], list[str]()
    for name, value in filters.items():
        if "*" in value or "%" in value:
            raise InvalidArgument(f"{name} is one exact value; wildcards are not understood.", parameter=name)
        if value == NONE:
            conditions.append(f"{GROUPS[name]} IS NULL")
        else:
            conditions.append(f"{GROUPS[name]} = ?")
            parameters.append(value)
    return " AND ".join(conditions), parameters


def _nearest(value: str, known: Sequence[str]) -> str:
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in difflib.get_close_matches(value.casefold(), folded, n=5, cutoff=0.3)]
    named = near or list(known[:5])
    return "the nearest are " + ", ".join(repr(one) for one in named) if named else "there is none at all"


def _names(period: Period) -> list[str]:
    return [str(month) for month in period.months]
