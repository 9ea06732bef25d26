"""The pooled access log: over a million requests, as API Gateway's JSON access logging would write them.

One gzipped object per day, `raw/access_log/day=YYYY-MM-DD/part-0.jsonl.gz`, in order of time. A request with a status
of 500 or above counts as an error in every dataset that is made from the log.
"""

from collections.abc import Iterator
from datetime import date

import duckdb
import numpy as np

from .activity import (
    BURST_DAYS,
    BURST_HOURS,
    HARM_FACTOR,
    Floats,
    Ints,
    assistant_launch_day,
    burst_surplus,
    expected_requests,
    feature_mixes,
    generator,
)
from .features import FEATURES
from .periods import DAYS, FIRST_DAY, day_number
from .tenants import NOISY_NEIGHBOUR, TENANTS, tenant_index

HOUR_MS = 3_600_000
UNKNOWN_PATHS = ("/favicon.ico", "/v1/status", "/.env")
UNKNOWN_SHARE = 0.002
_OFFICE_HOURS = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 18, 15, 16, 18, 18, 16, 13, 10, 8, 6, 5, 4, 3)


def _pick(cumulative: Floats, row: Ints, draw: Floats) -> Ints:
    """For each draw in [0, 1), the column of its row's cumulative distribution that it falls into."""
    bounds = cumulative / cumulative[:, -1:]
    flat = (bounds + np.arange(len(bounds))[:, None]).ravel()
    chosen = np.searchsorted(flat, row + draw, side="right") - row * bounds.shape[1]
    return np.minimum(chosen, bounds.shape[1] - 1).astype(np.int64)


def _hours(rng: np.random.Generator, tenant: Ints, surplus: Ints) -> Ints:
    """Hour of the day in UTC: office hours where the tenant lives, the burst's hours for a burst."""
    office = np.array(_OFFICE_HOURS, dtype=np.float64).cumsum()[None, :]
    local = _pick(office, np.zeros_like(tenant), rng.random(len(tenant)))
    behind = np.array([-1 if one.eu else 5 for one in TENANTS])[tenant]
    burst = rng.integers(BURST_HOURS.start, BURST_HOURS.stop, len(tenant))
    return np.where(surplus == 1, burst, (local + behind) % 24).astype(np.int64)


def _status(rng: np.random.Generator, method_ok: Ints, harmed: Ints) -> Ints:
    """HTTP status: mostly fine, now and then the caller's or our fault, more of ours under a noisy neighbour."""
    draw = rng.random(len(method_ok))
    status = method_ok.copy()
    status[draw < 0.022] = 404
    status[draw < 0.014] = 400
    status[draw < 0.008] = 429
    status[draw < 0.0045] = 500
    status[(harmed == 1) & (draw > 0.985)] = 429
    status[(harmed == 1) & (draw > 0.992)] = 503
    return status


def request_columns() -> dict[str, Ints]:
    """Every request as columns of integers, in order of time. `feature` is -1 for a path that belongs to none."""
    rng = generator("access log")
    usual = rng.poisson(expected_requests())
    extra = rng.poisson(burst_surplus())
    grid_tenant, grid_day = np.indices(usual.shape)
    tenant = np.concatenate([np.repeat(grid_tenant.ravel(), part.ravel()) for part in (usual, extra)])
    day = np.concatenate([np.repeat(grid_day.ravel(), part.ravel()) for part in (usual, extra)])
    surplus = np.repeat([0, 1], [usual.sum(), extra.sum()])
    lines = len(tenant)

    hour = _hours(rng, tenant, surplus)
    at_ms = hour * HOUR_MS + rng.integers(0, HOUR_MS, lines)
    before, after = feature_mixes()
    draw = rng.random(lines)
    launched = day >= assistant_launch_day()
    feature = np.where(launched, _pick(after, tenant, draw), _pick(before, tenant, draw))
    feature[rng.random(lines) < UNKNOWN_SHARE] = -1

    most = max(len(one.actions) for one in FEATURES)
    shares = np.array([[*(a.share for a in one.actions), *[0.0] * (most - len(one.actions))] for one in FEATURES])
    action = np.where(feature < 0, 0, _pick(shares.cumsum(axis=1), np.maximum(feature, 0), rng.random(lines)))

    burst_day = np.isin(day, [day_number(one) for one in BURST_DAYS])
    in_burst = burst_day & (hour >= BURST_HOURS.start) & (hour < BURST_HOURS.stop)
    harmed = (in_burst & (tenant != tenant_index(NOISY_NEIGHBOUR))).astype(np.int64)

    good = {"GET": 200, "POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}
    ok = np.array([[*(good[a.method] for a in one.actions), *[0] * (most - len(one.actions))] for one in FEATURES])
    status = _status(rng, ok[np.maximum(feature, 0), action].astype(np.int64), harmed)
    status[feature < 0] = 404

    median_ms = np.array([*(one.latency_ms for one in FEATURES), 5.0])[feature]
    latency = median_ms * np.exp(0.42 * rng.standard_normal(lines)) * np.where(harmed == 1, HARM_FACTOR, 1.0)
    size = np.array([*(one.size_bytes for one in FEATURES), 90.0])[feature] * np.exp(0.5 * rng.standard_normal(lines))
    size = np.where(status >= 400, 120 + size % 60, np.where(status == 204, 0, size))

    users = np.array([max(one.users, 1) for one in TENANTS])[tenant]
    columns = {
        "tenant": tenant, "day": day, "at_ms": at_ms, "feature": feature, "action": action, "status": status,
        "ms": np.maximum(latency, 1).astype(np.int64), "bytes": size.astype(np.int64),
        "user_number": (users * rng.random(lines) ** 1.8).astype(np.int64), "number": rng.integers(0, 1 << 40, lines),
    }  # fmt: skip
    order = np.lexsort((columns["number"], at_ms, day))
    return {name: np.ascontiguousarray(column[order], dtype=np.int64) for name, column in columns.items()}


_LOG = """
CREATE TABLE access_log AS
WITH request AS (SELECT row_number() OVER () AS line, * FROM request_columns)
SELECT line, DATE '{first}' + r.day::INTEGER AS day, epoch_ms({epoch} + r.day * 86400000 + r.at_ms) AS requested_at,
       t.tenant_id, f.feature, f.action, coalesce(f.method, 'GET') AS method,
       CASE WHEN f.feature IS NULL THEN ['{unknown}'][1 + r.number % {unknowns}]
            ELSE f.prefix || CASE f.parameter
                WHEN '' THEN ''
                WHEN 'flight_id' THEN 'WF' || (100 + r.number % 900)::VARCHAR
                WHEN 'country' THEN ['DE', 'FR', 'IT', 'JP', 'BR', 'US', 'IN', 'ZA', 'PE', 'NZ'][1 + r.number % 10]
                WHEN 'trip_id' THEN (400000 + r.number % 90000)::VARCHAR
                WHEN 'traveller_id' THEN 'tv_' || lower(hex(r.number % 1048576))
                WHEN 'report_id' THEN 'rpt-2026-' || lpad((r.number % 5000)::VARCHAR, 6, '0')
                ELSE md5((r.number % 100000)::VARCHAR)::UUID::VARCHAR END || f.suffix END AS path,
       r.status, r.bytes, r.ms, 'u-' || lpad(r.user_number::VARCHAR, 3, '0') AS user_id,
       md5('wayfarer ' || line)::UUID::VARCHAR AS request_id
FROM request r
JOIN tenant t ON t.tenant = r.tenant
LEFT JOIN action f ON f.feature_number = r.feature AND f.action_number = r.action
ORDER BY line
"""


def _around_parameter(route: str) -> tuple[str, str, str]:
    """What stands before the route's parameter, the parameter's name and what stands after it."""
    prefix, _, rest = route.partition("{")
    parameter, _, suffix = rest.partition("}")
    return prefix, parameter, suffix


def create_access_log(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `access_log` (and the dimension tables `tenant` and `action`)."""
    connection.execute("CREATE TABLE tenant (tenant INTEGER, tenant_id VARCHAR)")
    connection.executemany("INSERT INTO tenant VALUES (?, ?)", [(n, one.id) for n, one in enumerate(TENANTS)])
    connection.execute(
        "CREATE TABLE action (feature_number INTEGER, action_number INTEGER, feature VARCHAR, prefix VARCHAR,"
        " parameter VARCHAR, suffix VARCHAR, action VARCHAR, method VARCHAR)"
    )
    connection.executemany(
        "INSERT INTO action VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (f, a, feature.name, *_around_parameter(feature.route), action.name, action.method)
            for f, feature in enumerate(FEATURES)
            for a, action in enumerate(feature.actions)
        ],
    )
    connection.register("request_columns", request_columns())
    epoch_ms = (FIRST_DAY - date(1970, 1, 1)).days * 86_400_000
    unknown = "', '".join(UNKNOWN_PATHS)
    sql = _LOG.format(first=FIRST_DAY, epoch=epoch_ms, unknown=unknown, unknowns=len(UNKNOWN_PATHS))
    connection.execute(sql)
    connection.unregister("request_columns")


_LINES = """
SELECT string_agg('{"requestId":"' || request_id
    || '","requestTime":"' || strftime(requested_at, '%Y-%m-%dT%H:%M:%S.%gZ')
    || '","httpMethod":"' || method || '","path":"' || path || '","status":' || status || ',"responseLength":' || bytes
    || ',"responseLatency":' || ms || ',"tenantId":"' || tenant_id || '","user":"' || user_id || '"}',
    chr(10) ORDER BY line)
FROM access_log WHERE day = ?
"""


def daily_lines(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[date, bytes]]:
    """The lines of each day, as they stand in its object before compression."""
    for day in DAYS:
        row = connection.execute(_LINES, [day]).fetchone()
        assert row is not None
        yield day, f"{row[0]}\n".encode()
