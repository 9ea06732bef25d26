"""Committed use of features, asked for by SQL: one tenant's own, or the fleet's."""

from datetime import date

from tenantscope_core.results.errors import NotFound
from tenantscope_core.results.names import exact, hint
from tenantscope_core.results.periods import Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import FEATURE_USAGE
from tenantscope_core.stores.sql import SqlEngine
from tenantscope_core.stores.windows import Window, open_window

from tenantscope_metrics_logs.features import FeatureSum, FeatureUse
from tenantscope_metrics_logs.routes import Route
from tenantscope_metrics_logs.sources.percentiles import weighted_percentiles
from tenantscope_metrics_logs.sources.text import days_of
from tenantscope_metrics_logs.usage import Latency

MAX_ROWS = 100_000


class Features:
    """The `feature_usage` dataset."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def window(self, aws: AwsCaller, tenant: str | None, period: str) -> Window:
        """The committed part of a period that a caller wrote; `open_window` says what it raises."""
        return await open_window(self._reader, aws, FEATURE_USAGE, tenant, period, noun="feature use")

    async def use(self, aws: AwsCaller, window: Window, feature: str | None) -> tuple[FeatureUse, date | None]:
        """The use of every feature, or of the actions of one, with the last day of the period that has any.

        Raises:
            InvalidArgument: The feature holds a wildcard.
            NotFound: Nobody used it in the window; the nearest that were used are named.
        """
        now = await self._sums(aws, window, window.period, feature)
        before = await self._sums(aws, window, window.before, feature) if window.before is not None else None
        if feature is not None and not now and not before:
            await self._refuse_unknown(aws, window, feature)
        tenants, last_day = await self._any(aws, window)
        use = FeatureUse(
            now,
            before,
            latency=await self._latency(aws, window, feature),
            people=await self._people(aws, window, feature),
            active_tenants=tenants,
            length=window.days_covered / window.before.days if window.before else 1.0,
        )
        return use, last_day

    async def changes(self, aws: AwsCaller, window: Window, feature: str) -> list[tuple[str, int, int]] | None:
        """Tenants that made fewer calls of a feature than in the period before: tenant, calls, calls before.

        None where the period before is not known.
        """
        if window.before is None:
            return None
        result = await self._engine.query(
            f"""
            WITH counted AS (
              SELECT tenant_id, sum(CASE WHEN {days_of(window.period)} THEN calls ELSE 0 END) AS now,
                sum(CASE WHEN {days_of(window.before)} THEN calls ELSE 0 END) AS earlier
              FROM features WHERE feature = ? GROUP BY tenant_id)
            SELECT tenant_id, now, earlier FROM counted WHERE now < earlier""",
            (feature,),
            {"features": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        return [(tenant, int(now), int(earlier)) for tenant, now, earlier in result.rows]

    async def _sums(self, aws: AwsCaller, window: Window, period: Period, feature: str | None) -> dict[str, FeatureSum]:
        name, where, parameters = _asked(period, feature)
        result = await self._engine.query(
            f"""
            WITH used AS (
              SELECT {name} AS name, tenant_id, day, sum(calls) AS calls, sum(errors) AS errors
              FROM features WHERE {where} GROUP BY 1, 2, 3)
            SELECT name, sum(calls), sum(errors), count(DISTINCT tenant_id), count(*)
            FROM used WHERE calls > 0 GROUP BY name""",
            parameters,
            {"features": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        return {
            one: FeatureSum(one, int(calls), int(errors), int(tenants), int(days))
            for one, calls, errors, tenants, days in result.rows
        }

    async def _latency(self, aws: AwsCaller, window: Window, feature: str | None) -> dict[str, Latency]:
        name, where, parameters = _asked(window.period, feature)
        return await weighted_percentiles(
            self._engine,
            aws,
            window.table,
            f"SELECT {name} AS name, calls AS weight, p50_ms AS p50, p95_ms AS p95 FROM source WHERE {where}",
            parameters,
        )

    async def _people(self, aws: AwsCaller, window: Window, feature: str | None) -> dict[str, int]:
        """Of each, the people in one action on one day; the same person may be in several, so actions are not added."""
        name, where, parameters = _asked(window.period, feature)
        result = await self._engine.query(
            f"""
            WITH daily AS (
              SELECT {name} AS name, feature, action, day, sum(users) AS users
              FROM features WHERE {where} GROUP BY 1, 2, 3, 4)
            SELECT name, max(users) FROM daily WHERE users IS NOT NULL GROUP BY name""",
            parameters,
            {"features": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        return {one: int(users) for one, users in result.rows}

    async def _any(self, aws: AwsCaller, window: Window) -> tuple[int, date | None]:
        """How many tenants made a call of any feature, and the last day of one."""
        result = await self._engine.query(
            f"SELECT count(DISTINCT tenant_id), max(day) FROM features WHERE {days_of(window.period)} AND calls > 0",
            (),
            {"features": window.table},
            aws=aws,
        )
        ((tenants, last),) = result.rows
        return int(tenants), last

    async def _refuse_unknown(self, aws: AwsCaller, window: Window, feature: str) -> None:
        result = await self._engine.query(
            "SELECT DISTINCT feature FROM features ORDER BY feature", (), {"features": window.table}, aws=aws
        )
        known = [row[0] for row in result.rows]
        raise NotFound(f"No call in {window.period} is of that feature; {hint(feature, known)}.", parameter="feature")


def _asked(period: Period, feature: str | None) -> tuple[str, str, tuple[str, ...]]:
    """What rows are named by, which rows count, and the parameters of that."""
    if feature is None:
        return "feature", days_of(period), ()
    if (
        Route(feature, feature).ending is None
    ):  # `*.png` is the name of files with that ending, where routes are learned
        exact(feature, parameter="feature")
    return "action", f"{days_of(period)} AND feature = ?", (feature,)
