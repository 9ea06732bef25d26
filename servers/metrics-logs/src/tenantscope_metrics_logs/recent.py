"""Hourly points of CloudWatch made into the figures that days have."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.usage import Latency, Measured, Span, weighted_median

HOUR = timedelta(hours=1)
MEAN_MS = "mean_ms"
Points: TypeAlias = Mapping[str, Mapping[datetime, float]]
"""By metric, as `metrics` names them (and `mean_ms`), then by the hour's beginning."""


def measured(points: Points, since: datetime, until: datetime) -> Measured:
    """What the hours that begin in [since, until) come to."""
    inside = {name: {at: value for at, value in of.items() if since <= at < until} for name, of in points.items()}
    found = Measured()
    for name in metrics.SUMMED:
        if inside.get(name):
            found.add(name, sum((Decimal(str(value)) for value in inside[name].values()), Decimal(0)))
    requests, means = inside.get(metrics.REQUESTS, {}), inside.get(MEAN_MS, {})
    if means:
        found.add(
            metrics.REQUEST_MS, sum((Decimal(str(ms * requests.get(at, 0))) for at, ms in means.items()), Decimal(0))
        )
    found.latency = Latency(
        _typical(inside.get(metrics.P50_MS, {}), requests),
        _typical(inside.get(metrics.P95_MS, {}), requests),
        _rounded(max(inside.get(metrics.P95_MS, {}).values(), default=None)),
    )
    return found


def by_time(points: Points, since: datetime, until: datetime, group_by: str) -> dict[str, Measured]:
    """The same hour by hour or day by day (UTC); an hour without a point is left out."""
    hours = sorted({at for of in points.values() for at in of if since <= at < until})
    groups: dict[str, list[datetime]] = {}
    for hour in hours:
        groups.setdefault(f"{hour:%Y-%m-%dT%H:00Z}" if group_by == "hour" else f"{hour:%Y-%m-%d}", []).append(hour)
    return {
        name: measured({metric: {at: of[at] for at in own if at in of} for metric, of in points.items()}, since, until)
        for name, own in groups.items()
    }


def span(points: Points, since: datetime, until: datetime, group_by: str) -> Span:
    """The hours in [since, until), and as many before them where there is any point."""
    earlier = since - -(-(until - since) // HOUR) * HOUR  # the running hour counts as one
    before = measured(points, earlier, since)
    return Span(
        period=_spelt(since, until),
        total=measured(points, since, until),
        compared_with=_spelt(earlier, since) if before.summed else None,
        before=before if before.summed else None,
        length=(until - since) / (since - earlier),
        rows={} if group_by == "total" else by_time(points, since, until, group_by),
    )


def last(hours: int, now: datetime) -> tuple[datetime, datetime]:
    """From when to when the last hours are: the running one, and whole ones before it."""
    until = now.astimezone(UTC)
    return until.replace(minute=0, second=0, microsecond=0) - (hours - 1) * HOUR, until


def _spelt(since: datetime, until: datetime) -> str:
    return f"{since:%Y-%m-%dT%H:%MZ}..{until:%Y-%m-%dT%H:%MZ}"


def _typical(percentiles: Mapping[datetime, float], requests: Mapping[datetime, float]) -> float | None:
    return _rounded(weighted_median((ms, requests.get(at, 1.0)) for at, ms in percentiles.items()))


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)
