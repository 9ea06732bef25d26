"""What the company's own metering makes of the access log: usage, feature_usage and llm_usage.

Only llm_usage is uploaded, as an LLM gateway would meter it. The two others are what a reader of the log has to find.
"""

import duckdb
import numpy as np

from .activity import generator
from .columns import fetch_columns
from .features import ASSISTANT_LAUNCH
from .periods import first_day
from .tenants import TENANTS

LANGUAGE_MODELS: dict[str, tuple[str, str, str]] = {
    # model: feature, action, agent
    "anthropic.claude-sonnet-4-5": ("chat_assistant", "ask", "concierge"),
    "amazon.nova-lite": ("reports", "run", "report-writer"),
}
TOKEN_PRICES: dict[str, tuple[int, int, int]] = {
    # model: millionths of a dollar per thousand tokens in, out, cached
    "anthropic.claude-sonnet-4-5": (3000, 15000, 300),
    "amazon.nova-lite": (60, 240, 15),
}

_USAGE = """
CREATE TABLE usage AS
WITH metered AS (
    SELECT tenant_id, day, count(*)::DECIMAL(38, 6) AS requests, sum(ms)::DECIMAL(38, 6) AS request_ms,
           sum(bytes)::DECIMAL(38, 6) AS bytes, count(*) FILTER (status >= 500)::DECIMAL(38, 6) AS errors,
           count(*) FILTER (status >= 400 AND status < 500 AND status <> 429)::DECIMAL(38, 6) AS client_errors,
           count(*) FILTER (status = 429)::DECIMAL(38, 6) AS throttled,
           count(DISTINCT user_id)::DECIMAL(38, 6) AS users,
           round(quantile_cont(ms, 0.5), 3)::DECIMAL(38, 6) AS p50_ms,
           round(quantile_cont(ms, 0.95), 3)::DECIMAL(38, 6) AS p95_ms
    FROM access_log GROUP BY ALL),
people AS (
    SELECT tenant_id, date_trunc('month', day)::DATE AS day, count(DISTINCT user_id)::DECIMAL(38, 6) AS monthly_users
    FROM access_log GROUP BY ALL),
stored AS (
    SELECT m.tenant_id, m.day,
           (24 * (s.gigabytes + 0.0004 * sum(m.requests) OVER (PARTITION BY m.tenant_id ORDER BY m.day))
           )::DECIMAL(38, 6) AS storage_gb_hours
    FROM metered m JOIN storage s USING (tenant_id))
SELECT tenant_id, strftime(day, '%Y-%m') AS month, day, metric, quantity,
       CASE WHEN metric IN ('requests', 'throttled') THEN 'Requests' WHEN metric LIKE '%_ms' THEN 'Milliseconds'
            WHEN metric = 'bytes' THEN 'Bytes' WHEN metric LIKE '%errors' THEN 'Errors'
            WHEN metric LIKE '%users' THEN 'Users' ELSE 'GB-Hours' END AS unit
FROM (UNPIVOT metered ON requests, request_ms, bytes, errors, client_errors, throttled, users, p50_ms, p95_ms
          INTO NAME metric VALUE quantity
      UNION ALL BY NAME
      UNPIVOT people ON monthly_users INTO NAME metric VALUE quantity
      UNION ALL BY NAME
      UNPIVOT stored ON storage_gb_hours INTO NAME metric VALUE quantity)
ORDER BY tenant_id, day, metric
"""
_FEATURE_USAGE = """
CREATE TABLE feature_usage AS
SELECT tenant_id, strftime(day, '%Y-%m') AS month, day, feature, action, count(*) AS calls,
       count(DISTINCT user_id) AS users, count(*) FILTER (status >= 500) AS errors,
       round(quantile_cont(ms, 0.5), 3) AS p50_ms, round(quantile_cont(ms, 0.95), 3) AS p95_ms,
       sum(bytes)::BIGINT AS bytes
FROM access_log WHERE feature IS NOT NULL GROUP BY ALL ORDER BY tenant_id, day, feature, action
"""
_CALLS = """
SELECT row_number() OVER (ORDER BY tenant_id, day, m.model) - 1 AS row,
       tenant_id, day, m.model, u.feature, m.agent, u.calls
FROM feature_usage u JOIN language_model m ON m.feature = u.feature AND m.action = u.action
WHERE day >= ? ORDER BY row
"""
_LLM_USAGE = """
CREATE TABLE llm_usage AS
SELECT c.tenant_id, strftime(c.day, '%Y-%m') AS month, c.day, c.model, c.feature, c.agent, t.tokens_in, t.tokens_out,
       t.tokens_cached, c.calls AS requests,
       ((t.tokens_in * m.price_in + t.tokens_out * m.price_out + t.tokens_cached * m.price_cached)::DECIMAL(38, 0)
           * 0.000000001)::DECIMAL(38, 12) AS cost
FROM model_call c JOIN tokens t USING (row) JOIN language_model m USING (model) ORDER BY c.row
"""


def create_usage(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables `usage`, `feature_usage` and `llm_usage` from `access_log`.

    A tenant without a request on a day has no row for it. Storage is generated; all else follows from the log.
    """
    connection.execute("CREATE TABLE storage (tenant_id VARCHAR, gigabytes DOUBLE)")
    size = {"starter": 2.0, "growth": 14.0, "enterprise": 95.0}
    stored = [(one.id, size[one.tier] * (0.8 + 0.01 * (n * 37 % 40))) for n, one in enumerate(TENANTS)]
    connection.executemany("INSERT INTO storage VALUES (?, ?)", stored)
    connection.execute(_USAGE)
    connection.execute(_FEATURE_USAGE)
    _create_llm_usage(connection)


def _create_llm_usage(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE TABLE language_model (model VARCHAR, feature VARCHAR, action VARCHAR, agent VARCHAR,"
        " price_in BIGINT, price_out BIGINT, price_cached BIGINT)"
    )
    connection.executemany(
        "INSERT INTO language_model VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(model, *use, *TOKEN_PRICES[model]) for model, use in LANGUAGE_MODELS.items()],
    )
    connection.execute(f"CREATE TABLE model_call AS {_CALLS}", [first_day(ASSISTANT_LAUNCH)])
    calls = fetch_columns(connection, "SELECT calls FROM model_call ORDER BY row")["calls"].astype(np.float64)
    rng = generator("tokens")
    spread = np.exp(0.25 * rng.standard_normal((3, len(calls))))
    tokens = {
        "row": np.arange(len(calls)),
        "tokens_in": (calls * 14_000 * spread[0]).astype(np.int64) + 1,
        "tokens_out": (calls * 2_900 * spread[1]).astype(np.int64) + 1,
        "tokens_cached": (calls * 8_000 * spread[2]).astype(np.int64),
    }
    connection.register("tokens", tokens)
    connection.execute(_LLM_USAGE)
    connection.unregister("tokens")
