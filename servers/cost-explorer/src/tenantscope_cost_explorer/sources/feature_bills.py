"""The committed cost of features, asked for by SQL."""

from datetime import date, timedelta
from decimal import Decimal

from tenantscope_core.results.errors import Unavailable
from tenantscope_core.results.periods import Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.schemas import ALLOCATED_COST
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.windows import Window

from tenantscope_cost_explorer.cents import ZERO
from tenantscope_cost_explorer.features.costs import FeatureBill, Use
from tenantscope_cost_explorer.sources.feature_use import COST_OF_NO_FEATURE, FeatureUses, months_of

MAX_ROWS = 100_000
NONE = "(none)"
_OWN = "\"x_Method\" IN ('direct', 'residual')"
_COSTS = f"""
SELECT "BillingCurrency", coalesce("x_Feature", ''), "ServiceName", CASE WHEN tenant_id IS NULL THEN 1 ELSE 0 END,
  sum("EffectiveCost"), max(CASE WHEN {_OWN} THEN "ChargePeriodStart" END),
  max(CASE WHEN {_OWN} THEN NULL ELSE "ChargePeriodEnd" END)
FROM costs GROUP BY 1, 2, 3, 4"""


class FeatureBills:
    """The `allocated_cost` dataset of the fleet by feature, with what the features were used for."""

    def __init__(self, engine: SqlEngine, uses: FeatureUses) -> None:
        self._engine = engine
        self._uses = uses

    async def bills(
        self, aws: AwsCaller, window: Window
    ) -> tuple[dict[str, FeatureBill], dict[str, Use], date | None, list[str]]:
        """Bills of whole months by currency, uses, the last day with a charge, and the months whose use is not known.

        Raises:
            Unavailable: There are more features than one answer can add up.
        """
        costs = _within(window, window.period)
        found, last_day = await self._costs(aws, costs)
        used, missing = await self._uses.table(aws, window.period)
        for (currency, feature), amount in (await self._uses.divided(aws, used, COST_OF_NO_FEATURE, costs)).items():
            if currency in found:
                found[currency].shared = {**found[currency].shared, feature: amount}
        if window.before is not None:
            earlier, _ = await self._costs(aws, _within(window, window.before))
            for currency, bill in found.items():
                was = earlier.get(currency, FeatureBill())
                bill.before = {name: sum(services.values(), ZERO) for name, services in was.services.items()}
                for name in bill.before:
                    bill.services.setdefault(name, {})
        unused = [month for month in missing if month in costs.months]
        return found, await self._uses.of_features(aws, used), last_day, unused

    async def _costs(self, aws: AwsCaller, costs: Table) -> tuple[dict[str, FeatureBill], date | None]:
        result = await self._engine.query(_COSTS, (), {"costs": costs}, aws=aws, max_rows=MAX_ROWS)
        if result.truncated:
            raise Unavailable(f"There are more than {MAX_ROWS:,} features and services, more than one answer adds up.")
        bills: dict[str, FeatureBill] = {}
        days: list[date] = []
        for currency, feature, service, is_nobodys, cost, last_start, last_end in result.rows:
            days += [last_start] if last_start is not None else []
            days += [last_end - timedelta(days=1)] if last_end is not None else []
            bill = bills.setdefault(currency, FeatureBill())
            if feature:
                services = bill.services.setdefault(feature, {})
                services[service or NONE] = services.get(service or NONE, Decimal(0)) + cost
            elif is_nobodys:
                bill.residual += cost
            else:
                bill.no_feature += cost
        return bills, max(days, default=None)


def _within(window: Window, period: Period) -> Table:
    return Table(ALLOCATED_COST, None, months_of(window.table, period), window.table.stale_since)
