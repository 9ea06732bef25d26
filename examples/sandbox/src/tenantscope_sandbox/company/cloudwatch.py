"""What CloudWatch knows of the tenants: hourly metrics and application logs of the last fortnight.

CloudWatch refuses and the emulator forgets what is older than two weeks, so the last weeks of the data are moved, by
whole weeks, to end now. Hours and weekdays stay what they were.
"""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb

from .periods import LAST_DAY
from .tenants import TENANT_IDS

NAMESPACE = "Wayfarer/Tenants"
DIMENSION = "TenantId"
STREAM = "app"
FORTNIGHT = timedelta(days=14)
WEEK = timedelta(weeks=1)
EVENTS_PER_TENANT = 300
DATA_ENDS = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC) + timedelta(days=1)
_VALUES_PER_DATUM = 150
_DATA_PER_CALL = 1000
_SAYS = {200: "served", 201: "created", 204: "deleted", 400: "request refused: invalid dates", 404: "not found",
         429: "throttled: request quota exceeded", 500: "supplier gateway timed out after 3 attempts",
         503: "no capacity: connection pool exhausted"}  # fmt: skip


def log_group(tenant_id: str) -> str:
    """Where a tenant's application log lies."""
    return f"/tenantscope/tenants/{tenant_id}/app"


def write_recent_requests(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Keep the last three weeks of requests, of which any fortnight may be loaded."""
    target = home / "cloudwatch" / "requests.parquet"
    target.parent.mkdir()
    connection.execute(
        "COPY (SELECT tenant_id, requested_at, coalesce(feature, '-') AS feature, coalesce(action, '-') AS action,"
        " status, ms, user_id, request_id FROM access_log"
        f" WHERE day > DATE '{LAST_DAY - timedelta(days=21)}' ORDER BY line)"
        f" TO '{target}' (FORMAT parquet)"
    )


def shift_at(now: datetime) -> timedelta:
    """By how many whole weeks the data moves, so that it reaches `now` or goes beyond it by less than a week."""
    return -((DATA_ENDS - now) // WEEK) * WEEK


def recent_metrics(home: Path, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """PutMetricData entries of the whole hours in [since, until)."""
    shift = shift_at(until)
    rows = _query(
        home,
        "SELECT tenant_id, date_trunc('hour', requested_at) AS hour, count(*), count(*) FILTER (status >= 500),"
        " list(ms ORDER BY requested_at) FROM requests WHERE hour >= ? AND hour < ?"
        " GROUP BY ALL ORDER BY hour, tenant_id",
        since - shift,
        until - shift,
    )
    for tenant, hour, requests, errors, latencies in rows:
        common = {"Dimensions": [{"Name": DIMENSION, "Value": tenant}], "Timestamp": hour.replace(tzinfo=UTC) + shift}
        yield {**common, "MetricName": "Requests", "Value": float(requests), "Unit": "Count"}
        yield {**common, "MetricName": "Errors", "Value": float(errors), "Unit": "Count"}
        for start in range(0, len(latencies), _VALUES_PER_DATUM):
            values = [float(ms) for ms in latencies[start : start + _VALUES_PER_DATUM]]
            yield {**common, "MetricName": "Latency", "Values": values, "Unit": "Milliseconds"}


def recent_events(home: Path, since: datetime, until: datetime) -> dict[str, list[dict[str, Any]]]:
    """PutLogEvents entries by tenant: its last few hundred requests in [since, until), in order of time."""
    shift = shift_at(until)
    rows = _query(
        home,
        "SELECT * FROM requests WHERE requested_at >= ? AND requested_at < ?"
        " QUALIFY row_number() OVER (PARTITION BY tenant_id ORDER BY requested_at DESC, request_id)"
        f" <= {EVENTS_PER_TENANT} ORDER BY requested_at, request_id",
        since - shift,
        until - shift,
    )
    events: dict[str, list[dict[str, Any]]] = {}
    for tenant, requested_at, feature, action, status, ms, user, request_id in rows:
        moment = requested_at.replace(tzinfo=UTC) + shift
        level = "ERROR" if status >= 500 else "WARN" if status >= 400 else "INFO"
        message = {"time": moment.isoformat(timespec="milliseconds"), "level": level, "message": _SAYS[status],
                   "feature": feature, "action": action, "status": status, "ms": ms, "user": user,
                   "requestId": str(request_id)}  # fmt: skip
        timestamp = round(moment.timestamp() * 1000)
        events.setdefault(tenant, []).append({"timestamp": timestamp, "message": json.dumps(message)})
    return events


def _query(home: Path, sql: str, since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW requests AS SELECT * FROM '{home / 'cloudwatch' / 'requests.parquet'}'")
        return connection.execute(sql, [since.replace(tzinfo=None), until.replace(tzinfo=None)]).fetchall()


def put_metrics(client: Any, data: Iterable[dict[str, Any]]) -> Iterator[datetime]:
    """Send metric data in calls of whole hours; after each, say until when all is sent."""
    batch: list[dict[str, Any]] = []
    for hour, group in groupby(data, key=itemgetter("Timestamp")):
        of_hour = list(group)
        if batch and len(batch) + len(of_hour) > _DATA_PER_CALL:
            client.put_metric_data(Namespace=NAMESPACE, MetricData=batch)
            yield hour
            batch = []
        batch += of_hour
    if batch:
        client.put_metric_data(Namespace=NAMESPACE, MetricData=batch)
        yield batch[-1]["Timestamp"] + timedelta(hours=1)


def put_events(client: Any, events: dict[str, list[dict[str, Any]]], threads: int, *, anew: bool) -> None:
    """Send log events to a group per tenant; `anew` drops what the groups held."""
    known = client.exceptions  # made once: threads that each make it do not agree on what its classes are

    def of_tenant(tenant: str) -> None:
        group = log_group(tenant)
        if anew:
            with suppress(known.ResourceNotFoundException):
                client.delete_log_group(logGroupName=group)
        with suppress(known.ResourceAlreadyExistsException):
            client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName=STREAM)
        for _, batch in groupby(events.get(tenant, []), key=_day):  # a call may not span more than a day
            client.put_log_events(logGroupName=group, logStreamName=STREAM, logEvents=list(batch))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(of_tenant, TENANT_IDS))


def _day(event: dict[str, Any]) -> int:
    return event["timestamp"] // 86_400_000
