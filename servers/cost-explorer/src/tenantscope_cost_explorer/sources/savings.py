"""What savings are found in, read from the committed datasets of the fleet."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from anyio import to_thread
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import MARGIN, REVENUE, USAGE, Dataset
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.windows import Window

from tenantscope_cost_explorer.saving_evidence import SAVING_EVIDENCE
from tenantscope_cost_explorer.savings import ZERO, Burst, DaySpend, Facts, Line, MonthOfUse, TenantFacts
from tenantscope_cost_explorer.shared_load import ABOVE_MIDDLE, BURSTING

LOOKED_BACK = 3
"""Months that trends and the steady base are taken from, the period's last one included."""
MAX_ROWS = 100_000
FEWEST_DAYS = 14
"""Days with requests before a day in the middle is one."""
_GB = Decimal(10) ** 9
_USED = "metric NOT LIKE 'storage%'"
"""What a tenant stores it stores without doing anything."""


@dataclass(frozen=True, slots=True)
class Known:
    """Facts in one currency, the other currencies, and the months in which something of it is not committed."""

    facts: Facts
    other_currencies: list[str]
    lacking: Mapping[str, list[str]]
    """Dataset → months."""
    last_day: date | None


class SavingFacts:
    """Reads from `allocated_cost`, `saving_evidence`, `usage`, `revenue` and `margin`, with the fleet's credentials."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def known(self, aws: AwsCaller, window: Window, currency: str | None) -> Known:
        """All that is committed about a period of whole months.

        Raises:
            NotFound: There is no cost, or none in this currency.
            InvalidArgument: It is more than one answer can be made of.
        """
        months = [month for month in window.period.month_names if month in window.table.months]
        before = [str(Month.parse(months[-1]).shift(-n)) for n in range(LOOKED_BACK)]
        costs, last_day = await self._costs(aws, window, months)
        chosen = _currency(costs, currency)
        evidence = await self._table(aws, SAVING_EVIDENCE, {*months, *before}, window)
        usage = await self._table(aws, USAGE, {*months, *before})
        revenue = await self._table(aws, REVENUE, months)
        margin = await self._table(aws, MARGIN, months)
        lacking = {
            table.dataset.name: [month for month in months if month not in table.months]
            for table in (evidence, usage, revenue, margin)
        }
        told = not lacking["saving_evidence"]
        days = _days(window, months)
        money = {} if lacking["revenue"] else await self._revenue(aws, revenue, chosen)
        use = {} if lacking["usage"] else await self._use(aws, usage)
        facts = Facts(
            currency=chosen,
            months=tuple(months),
            days=len(days),
            weekend_days=sum(day.isoweekday() >= 6 for day in days),
            running=window.days_covered < window.period.days,
            bill=sum((cost for cost, _, _ in costs[chosen].values()), ZERO),
            revenue=None if lacking["revenue"] else sum((one for one in money.values() if one), ZERO),
            lines=await self._lines(aws, evidence, months, chosen) if told else (),
            day_spend=await self._day_spend(aws, evidence, chosen) if told else (),
            tenants=await to_thread.run_sync(
                _tenants,
                costs[chosen],
                months,
                before[::-1],
                use,
                None if lacking["revenue"] else money,
                {} if lacking["margin"] else await self._tiers(aws, margin),
                await self._capacity(aws, evidence, chosen) if told else {},
                not lacking["usage"],
            ),
            bursts=() if lacking["usage"] else await self._bursts(aws, usage, months),
        )
        gaps = {name: absent for name, absent in lacking.items() if absent}
        return Known(facts, sorted(set(costs) - {chosen}), gaps, last_day)

    async def _table(
        self, aws: AwsCaller, dataset: Dataset, months: Collection[str], of: Window | None = None
    ) -> Table:
        """The months of a dataset that are committed, and made in the same runs as `of`."""
        table = Table.of(dataset, await self._reader.committed(aws, dataset.name, None), months)
        if of is None:
            return table
        made = (await self._reader.committed(aws, of.table.dataset.name, None)).manifest.months
        same = {
            month: commit
            for month, commit in table.months.items()
            if month in made and made[month].inputs == commit.inputs
        }
        return Table(dataset, None, same, table.stale_since)

    async def _rows(self, aws: AwsCaller, sql: str, name: str, table: Table, *parameters: str) -> list[tuple[Any, ...]]:
        result = await self._engine.query(sql, parameters, {name: table}, aws=aws, max_rows=MAX_ROWS)
        if result.truncated:
            raise InvalidArgument("That is more than one answer can look at; ask for one month.", parameter="period")
        return result.rows

    async def _costs(
        self, aws: AwsCaller, window: Window, months: Collection[str]
    ) -> tuple[dict[str, dict[str | None, tuple[Decimal, Decimal, Decimal]]], date | None]:
        """By currency and tenant (None: the residual) its cost, what of it is direct, what is shared by use.

        And the last day of the bill: the last that charges of one tenant or of nobody begin on.
        """
        rows = await self._rows(
            aws,
            f"""
            SELECT "BillingCurrency", tenant_id, sum("EffectiveCost"),
              sum(CASE WHEN "x_Method" = 'direct' THEN "EffectiveCost" END),
              sum(CASE WHEN "x_Method" = 'driver' THEN "EffectiveCost" END), max("ChargePeriodStart")
            FROM costs WHERE {_within(months)} GROUP BY "BillingCurrency", tenant_id""",
            "costs",
            window.table,
        )
        found: dict[str, dict[str | None, tuple[Decimal, Decimal, Decimal]]] = {}
        for currency, tenant, cost, direct, driver, _ in rows:
            found.setdefault(currency, {})[tenant] = (cost, direct or ZERO, driver or ZERO)
        return found, max((row[-1] for row in rows), default=None)

    async def _lines(self, aws: AwsCaller, evidence: Table, months: Collection[str], currency: str) -> list[Line]:
        told = (
            '"Section", "Kind", "ServiceName", "ConsumedUnit", "PricingCategory", "ResourceId", "ResourceType",'
            ' tenant_id, "x_Method", "x_Environment", "BillingAccountId", "SubAccountId", "RegionId",'
            ' "ChargeDescription"'
        )
        rows = await self._rows(
            aws,
            f"""
            SELECT {told}, sum("Days"), sum("WeekendDays"), sum("WeekendCost"), sum("ConsumedQuantity"),
              sum("EffectiveCost")
            FROM evidence WHERE "Section" <> 'day' AND "BillingCurrency" = ? AND {_within(months)}
              AND "Kind" IN ('capacity', 'storage')
            GROUP BY {told}""",
            "evidence",
            evidence,
            currency,
        )
        return await to_thread.run_sync(_as_lines, rows)

    async def _day_spend(self, aws: AwsCaller, evidence: Table, currency: str) -> list[DaySpend]:
        told = '"Kind", "Day", "ServiceName", "ConsumedUnit", "BillingAccountId", "RegionId", "CommitmentDiscountId"'
        rows = await self._rows(
            aws,
            f"""
            SELECT {told}, sum("EffectiveCost"), sum("ListCost") FROM evidence
            WHERE "Section" = 'day' AND "BillingCurrency" = ? GROUP BY {told} ORDER BY {told}""",
            "evidence",
            evidence,
            currency,
        )
        return [
            DaySpend(
                kind=row[0], day=row[1], service=row[2] or "", unit=row[3] or "", payer=row[4], region=row[5],
                commitment=row[6], cost=row[7], listed=row[8] or ZERO,
            )
            for row in rows
        ]  # fmt: skip

    async def _capacity(self, aws: AwsCaller, evidence: Table, currency: str) -> dict[tuple[str, str], Decimal]:
        """By tenant and month the cost of its own capacity."""
        rows = await self._rows(
            aws,
            """
            SELECT tenant_id, month, sum("EffectiveCost") FROM evidence
            WHERE "Section" = 'resource' AND "Kind" = 'capacity' AND "x_Method" = 'direct' AND tenant_id IS NOT NULL
              AND "BillingCurrency" = ? GROUP BY tenant_id, month""",
            "evidence",
            evidence,
            currency,
        )
        return {(tenant, month): cost for tenant, month, cost in rows}

    async def _use(self, aws: AwsCaller, usage: Table) -> dict[tuple[str, str], tuple[bool, Decimal, Decimal]]:
        """By tenant and month whether it did anything, its requests, and the bytes it was sent."""
        rows = await self._rows(
            aws,
            f"""
            SELECT tenant_id, month, sum(CASE WHEN quantity > 0 AND {_USED} THEN 1 ELSE 0 END),
              sum(CASE WHEN metric = 'requests' THEN quantity END), sum(CASE WHEN metric = 'bytes' THEN quantity END)
            FROM usage GROUP BY tenant_id, month""",
            "usage",
            usage,
        )
        return {(row[0], row[1]): (row[2] > 0, row[3] or ZERO, row[4] or ZERO) for row in rows}

    async def _bursts(self, aws: AwsCaller, usage: Table, months: Collection[str]) -> list[Burst]:
        rows = await self._rows(
            aws,
            f"""
            SELECT tenant_id, max(middle), max(quantity), sum(quantity),
              sum(CASE WHEN quantity > {ABOVE_MIDDLE} * middle THEN quantity - {ABOVE_MIDDLE} * middle ELSE 0 END)
            FROM (
              SELECT tenant_id, quantity, days,
                min(CASE WHEN 2 * place >= days THEN quantity END) OVER (PARTITION BY tenant_id) AS middle
              FROM (
                SELECT tenant_id, quantity, count(*) OVER (PARTITION BY tenant_id) AS days,
                  row_number() OVER (PARTITION BY tenant_id ORDER BY quantity, day) AS place
                FROM (
                  SELECT tenant_id, day, sum(quantity) AS quantity FROM usage
                  WHERE metric = 'requests' AND {_within(months)} GROUP BY tenant_id, day
                ) AS by_day
              ) AS ordered
            ) AS told
            WHERE middle > 0 GROUP BY tenant_id
            HAVING max(days) >= {FEWEST_DAYS} AND max(quantity) >= {BURSTING} * max(middle) ORDER BY tenant_id""",
            "usage",
            usage,
        )
        return [Burst(tenant=row[0], middle=row[1], peak=row[2], requests=row[3], excess=row[4]) for row in rows]

    async def _revenue(self, aws: AwsCaller, revenue: Table, currency: str) -> dict[str, Decimal | None]:
        """By tenant its revenue; None where it pays in other currencies alone."""
        rows = await self._rows(
            aws, "SELECT tenant_id, currency, sum(amount) FROM revenue GROUP BY tenant_id, currency", "revenue", revenue
        )
        found: dict[str, Decimal | None] = {tenant: None for tenant, _, _ in rows if tenant is not None}
        return found | {tenant: amount for tenant, of, amount in rows if of == currency and tenant is not None}

    async def _tiers(self, aws: AwsCaller, margin: Table) -> dict[str, str]:
        """The tier of each tenant in the last of the months."""
        last = max(margin.months)
        rows = await self._rows(
            aws,
            f"SELECT tenant_id, max(tier) FROM margins WHERE month = '{last}' AND tier IS NOT NULL GROUP BY tenant_id",
            "margins",
            margin,
        )
        return {tenant: tier for tenant, tier in rows if tenant is not None}


def _as_lines(rows: list[tuple[Any, ...]]) -> list[Line]:
    """Rows as lines, the dearest first."""
    return [
        Line(
            kind=row[1],
            service=row[2] or "",
            unit=row[3] or "",
            on_demand=row[4] in ("Standard", "On-Demand"),
            resource=row[5],
            resource_type=row[6],
            tenant=row[7],
            method=row[8],
            environment=row[9],
            payer=row[10],
            account=row[11],
            region=row[12],
            description=row[13] or "",
            days=None if row[14] is None else int(row[14]),
            weekend_days=int(row[15] or 0),
            weekend_cost=row[16] or ZERO,
            quantity=row[17] or ZERO,
            cost=row[18],
        )
        for row in sorted(rows, key=lambda row: (-row[18], *map(str, row[:14])))
    ]


def _within(months: Collection[str]) -> str:
    return "month IN (" + ", ".join(f"'{month}'" for month in sorted(months)) + ")"


def _currency(found: Mapping[str, Mapping[str | None, tuple[Decimal, Decimal, Decimal]]], asked: str | None) -> str:
    if not found:
        raise NotFound("The bill of this period has no cost.", parameter="period")
    if asked is not None and asked not in found:
        raise NotFound(f"No cost is in that currency; there is {', '.join(sorted(found))}.", parameter="currency")
    return asked or max(sorted(found), key=lambda name: sum(abs(cost) for cost, _, _ in found[name].values()))


def _days(window: Window, months: Collection[str]) -> list[date]:
    """The days of these months that were over when the last was committed; at least one."""
    start = window.period.start
    covered = [start + timedelta(days=n) for n in range(max(window.days_covered, 1))]
    return [day for day in covered if f"{day:%Y-%m}" in months] or [start]


def _tenants(
    costs: Mapping[str | None, tuple[Decimal, Decimal, Decimal]],
    months: list[str],
    looked_back: list[str],
    use: Mapping[tuple[str, str], tuple[bool, Decimal, Decimal]],
    revenue: Mapping[str, Decimal | None] | None,
    tiers: Mapping[str, str],
    capacity: Mapping[tuple[str, str], Decimal],
    used_known: bool,
) -> dict[str, TenantFacts]:
    nothing = (False, ZERO, ZERO)
    known = {month for _, month in use}
    history = [month for month in looked_back if month in known]
    whole = history[-1:] == months[-1:] and len(history) == len(looked_back)
    found: dict[str, TenantFacts] = {}
    for tenant, (cost, direct, driver) in costs.items():
        if tenant is None:
            continue
        now = [use.get((tenant, month), nothing) for month in months]
        found[tenant] = TenantFacts(
            tenant=tenant,
            cost=cost,
            direct=direct,
            driver=driver,
            revenue=None if revenue is None else revenue.get(tenant, ZERO),
            tier=tiers.get(tenant),
            active=any(one[0] for one in now) if used_known else None,
            requests=sum((one[1] for one in now), ZERO) if used_known else None,
            served_gb=sum((one[2] for one in now), ZERO) / _GB if used_known else None,
            history=tuple(
                MonthOfUse(
                    month=month,
                    requests=use.get((tenant, month), nothing)[1],
                    capacity=capacity.get((tenant, month), ZERO),
                )
                for month in looked_back
            )
            if whole
            else (),
        )
    return found
