"""Percentiles of many days put together, for which no arithmetic exists: the medians of those that there are."""

from collections.abc import Sequence

from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.sql_text import Scalar

from tenantscope_metrics_logs.usage import Latency

MAX_ROWS = 100_000


async def weighted_percentiles(
    engine: SqlEngine, aws: AwsCaller, table: Table, measures: str, parameters: Sequence[Scalar] = ()
) -> dict[str, Latency]:
    """Percentiles of percentiles by name, which `measures` selects from `source`.

    It gives `name, weight, p50, p95`. Of each name: the lowest p50 and p95 at which half of the
    weight is reached, and the highest p95.
    """
    result = await engine.query(
        f"""
        WITH measures AS ({measures}),
        weighted AS (
          SELECT name, 50 AS percentile, p50 AS ms, sum(weight) AS weight FROM measures
          WHERE p50 IS NOT NULL AND weight > 0 GROUP BY 1, 2, 3
          UNION ALL
          SELECT name, 95, p95, sum(weight) FROM measures WHERE p95 IS NOT NULL AND weight > 0 GROUP BY 1, 2, 3),
        ranked AS (
          SELECT name, percentile, ms,
            sum(weight) OVER (PARTITION BY name, percentile ORDER BY ms) AS reached,
            sum(weight) OVER (PARTITION BY name, percentile) AS whole
          FROM weighted)
        SELECT name, percentile, min(CASE WHEN 2 * reached >= whole THEN ms END), max(ms)
        FROM ranked GROUP BY name, percentile""",
        parameters,
        {"source": table},
        aws=aws,
        max_rows=MAX_ROWS,
    )
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for name, percentile, typical, worst in result.rows:
        found.setdefault(name, {})[int(percentile)] = (round(float(typical), 1), round(float(worst), 1))
    return {name: _latency(of) for name, of in found.items()}


def _latency(of: dict[int, tuple[float, float]]) -> Latency:
    p50, p95 = of.get(50), of.get(95)
    return Latency(p50[0] if p50 else None, p95[0] if p95 else None, p95[1] if p95 else None)
