"""Committed margins, asked for by SQL: the fleet's by tenant, what features bring in, and losers' pasts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal

from tenantscope_core.results.errors import InvalidArgument, Unavailable
from tenantscope_core.results.periods import Month, Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import ALLOCATED_COST, MARGIN
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.windows import Window, open_window

from tenantscope_cost_explorer.cents import ZERO
from tenantscope_cost_explorer.margins.caveats import FleetMargins
from tenantscope_cost_explorer.margins.lines import MarginSum
from tenantscope_cost_explorer.sources.feature_use import COST_OF_NO_FEATURE, FeatureUses, months_of

MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class FeatureParts:
    """One currency's revenue and cost by feature, of tenants alone: the residual is in none of it.

    `cost` is all that was allocated to tenants, `unused` the months whose use of features is not committed.
    """

    revenue: dict[str, Decimal]
    named: dict[str, Decimal]
    shared: dict[str, Decimal]
    cost: Decimal
    calls: dict[str, int]
    unused: list[str]


class Margins:
    """The `margin` dataset, and what divides it among features."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine, uses: FeatureUses) -> None:
        self._reader = reader
        self._engine = engine
        self._uses = uses

    async def window(self, aws: AwsCaller, period: str) -> Window:
        """The committed part of a period that a caller wrote; `open_window` says what else it raises.

        Raises:
            InvalidArgument: It is not of whole months.
        """
        window = await open_window(self._reader, aws, MARGIN, None, period, noun="margin")
        return require_months(window, "A margin")

    async def by_tenant(self, aws: AwsCaller, window: Window) -> dict[str, FleetMargins]:
        """Revenue and cost of the period by currency and tenant; tier, persona and plan of its newest month.

        Raises:
            Unavailable: There are more tenants than one answer can add up.
        """
        newest = ", ".join(f"max_by(coalesce({name}, ''), month)" for name in ("tier", "persona", "plan"))
        result = await self._engine.query(
            f"""
            SELECT currency, tenant_id, sum(revenue), sum(cost), {newest} FROM margins
            WHERE month IN ({_months(window.period)}) GROUP BY currency, tenant_id""",
            (),
            {"margins": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if result.truncated:
            raise Unavailable(f"There are more than {MAX_ROWS:,} tenants, which is more than one answer can add up.")
        found: dict[str, FleetMargins] = {}
        for currency, tenant, revenue, cost, *labels in result.rows:
            fleet = found.setdefault(currency, FleetMargins())
            if tenant is None:
                fleet.residual += cost
            else:
                fleet.tenants.append(MarginSum(tenant, revenue, cost, *(label or None for label in labels)))
        return found

    async def pasts(
        self, aws: AwsCaller, tenants: Sequence[str], currency: str, last: Month
    ) -> tuple[dict[str, dict[Month, Decimal]], set[Month]]:
        """Each tenant's margin by month as far back as any is committed, and the months that are, up to `last`."""
        committed = await self._reader.committed(aws, MARGIN.name, None)
        months = {month for name in committed.manifest.months if (month := Month.parse(name)) <= last}
        found: dict[str, dict[Month, Decimal]] = {tenant: {} for tenant in tenants}
        if not tenants:
            return found, months
        result = await self._engine.query(
            f"""
            SELECT tenant_id, month, sum(margin) FROM margins
            WHERE currency = ? AND tenant_id IN ({", ".join("?" * len(tenants))}) GROUP BY tenant_id, month""",
            [currency, *tenants],
            {"margins": Table.of(MARGIN, committed, [str(month) for month in months])},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        for tenant, month, margin in result.rows:
            found[tenant][Month.parse(month)] = margin
        return found, months

    async def by_feature(self, aws: AwsCaller, window: Window, currency: str) -> FeatureParts:
        """Revenue and cost of the period's tenants divided among features, in the months that have a margin."""
        made = months_of(window.table, window.period)
        used, unused = await self._uses.table(aws, window.period)
        committed = await self._reader.committed(aws, ALLOCATED_COST.name, None)
        costs = Table.of(ALLOCATED_COST, committed, made)
        margins = Table(MARGIN, None, made, window.table.stale_since)
        paid = await self._uses.divided(
            aws, used, "SELECT tenant_id, month, currency, revenue AS amount FROM amounts_of", margins
        )
        shared = await self._uses.divided(aws, used, COST_OF_NO_FEATURE, costs)
        named = await self._engine.query(
            """
            SELECT coalesce("x_Feature", ''), sum("EffectiveCost") FROM costs
            WHERE tenant_id IS NOT NULL AND "BillingCurrency" = ? GROUP BY coalesce("x_Feature", '')""",
            [currency],
            {"costs": costs},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        uses = await self._uses.of_features(aws, used)
        return FeatureParts(
            revenue=_in(paid, currency),
            named={name: cost for name, cost in named.rows if name},
            shared=_in(shared, currency),
            cost=sum((cost for _, cost in named.rows), ZERO),
            calls={name: use.calls for name, use in uses.items()},
            unused=[month for month in unused if month in made],
        )


def made_on(window: Window) -> dict[Month, date]:
    """The months of the window's period that have margins, each with the day on which they were made."""
    commits = months_of(window.table, window.period)
    return {Month.parse(month): commit.written.astimezone(UTC).date() for month, commit in commits.items()}


def require_months(window: Window, what: str) -> Window:
    """The window, which has to be of whole months; `what` begins the sentence that says why.

    Raises:
        InvalidArgument: It is not.
    """
    if not window.period.is_whole_months:
        raise InvalidArgument(
            f"{what} is of whole months; ask for '2026-09' or '2026-07..2026-09'.", parameter="period"
        )
    return window


def _months(period: Period) -> str:
    return ", ".join(f"'{month}'" for month in period.months)


def _in(amounts: Mapping[tuple[str, str], Decimal], currency: str) -> dict[str, Decimal]:
    return {feature: amount for (one, feature), amount in amounts.items() if one == currency}
