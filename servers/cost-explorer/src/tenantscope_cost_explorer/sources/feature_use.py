"""How much each feature is used, and amounts of tenants divided among the features by their use."""

from collections.abc import Mapping
from decimal import Decimal

from tenantscope_core.results.errors import Unavailable
from tenantscope_core.results.periods import Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.manifests import Commit
from tenantscope_core.stores.schemas import FEATURE_USAGE
from tenantscope_core.stores.sql import SqlEngine, Table

from tenantscope_cost_explorer.features.costs import Use

MAX_ROWS = 10_000
_MILLIONTHS = 6
NO_FEATURE = '("x_Feature" IS NULL OR "x_Feature" = \'\')'
COST_OF_NO_FEATURE = f"""
SELECT tenant_id, month, "BillingCurrency" AS currency, sum("EffectiveCost") AS amount FROM amounts_of
WHERE {NO_FEATURE} AND tenant_id IS NOT NULL GROUP BY tenant_id, month, "BillingCurrency\""""
"""Tenants' cost that names no feature, in the form that `FeatureUses.divided` takes."""
_USED = "feature IS NOT NULL AND feature <> '' AND calls > 0"


class FeatureUses:
    """The `feature_usage` dataset of the fleet."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def table(self, aws: AwsCaller, period: Period) -> tuple[Table, list[str]]:
        """What is committed of a period, and those of its months that are not."""
        committed = await self._reader.committed(aws, FEATURE_USAGE.name, None)
        missing = [month for month in period.month_names if month not in committed.manifest.months]
        return Table.of(FEATURE_USAGE, committed, period.month_names), missing

    async def of_features(self, aws: AwsCaller, table: Table) -> dict[str, Use]:
        """What was done with each feature.

        Its users are the different people of each tenant in one action on its busiest day, added up over tenants: at
        least so many used it. People of two days or actions may be the same, so nothing else is known.

        Raises:
            Unavailable: There are more features than one answer can add up.
        """
        result = await self._engine.query(
            f"""
            SELECT feature, sum(calls), count(*), sum(users) FROM (
              SELECT feature, tenant_id, sum(calls) AS calls, max(users) AS users FROM (
                SELECT feature, tenant_id, calls, users FROM used WHERE {_USED})
              GROUP BY feature, tenant_id)
            GROUP BY feature""",
            (),
            {"used": table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if result.truncated:
            raise _too_many()
        return {
            name: Use(int(calls), int(tenants), None if users is None else int(users))
            for name, calls, tenants, users in result.rows
        }

    async def divided(
        self, aws: AwsCaller, used: Table, amounts: str, table: Table
    ) -> Mapping[tuple[str, str], Decimal]:
        """Amounts by currency and feature, each tenant's month divided in proportion to its calls of each feature.

        `amounts` selects `tenant_id, month, currency, amount` from `amounts_of`, which is `table`. Tenants that used no
        feature in a month are left out. Divided in floating point, which both engines do alike, and rounded to
        millionths: who needs cents deals them against the exact total.

        Raises:
            Unavailable: There are more features than one answer can add up.
        """
        result = await self._engine.query(
            f"""
            WITH amounts AS ({amounts}),
            calls AS (
              SELECT tenant_id, month, feature, sum(calls) AS calls FROM used WHERE {_USED}
              GROUP BY tenant_id, month, feature),
            totals AS (SELECT tenant_id, month, sum(calls) AS calls FROM calls GROUP BY tenant_id, month)
            SELECT amounts.currency, calls.feature,
              sum(CAST(amounts.amount AS DOUBLE) * CAST(calls.calls AS DOUBLE) / CAST(totals.calls AS DOUBLE))
            FROM amounts
            JOIN totals ON totals.tenant_id = amounts.tenant_id AND totals.month = amounts.month
            JOIN calls ON calls.tenant_id = amounts.tenant_id AND calls.month = amounts.month
            GROUP BY amounts.currency, calls.feature""",
            (),
            {"used": used, "amounts_of": table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if result.truncated:
            raise _too_many()
        return {(currency, name): round(Decimal(amount), _MILLIONTHS) for currency, name, amount in result.rows}


def months_of(table: Table, period: Period) -> dict[str, Commit]:
    """The commits of a table that are of a period."""
    wanted = set(period.month_names)
    return {month: commit for month, commit in table.months.items() if month in wanted}


def _too_many() -> Unavailable:
    return Unavailable(f"There are more than {MAX_ROWS:,} features, which is more than one answer can add up.")
