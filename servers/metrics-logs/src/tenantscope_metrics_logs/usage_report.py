"""Figures made presentable: the total, the newest rows and one for the rest, and what cannot be added up explained."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.models import FurtherMetric, Method, OtherUsage, UsageReport, UsageRow
from tenantscope_metrics_logs.usage import TOKENS, Measured, Span, change_percent, figures

_MOST_FURTHER = 10
_NOT_OF_DAYS = {"client_errors", "mean_ms", "p95_ms_worst", "tokens_cached", "model_requests", "users_mean_day"}
"""Figures that rows of days and hours go without: there are many of them."""
_USERS = (
    "Counted by day and by month, tenant by tenant. The same people come again, so they are never added up over days "
    "or months."
)
_USERS_RECENT = "CloudWatch does not tell people apart."
_LATENCY = (
    "Percentiles are of single {parts}. p50_ms and p95_ms: the {parts}' median, weighted by requests, so half of all "
    "requests were in {parts} no slower than that; p95_ms_worst: the slowest of them, where it is another."
)


def usage_report(
    span: Span,
    *,
    of: str | None,
    source: Literal["rollup", "cloudwatch"],
    group_by: str,
    limit: int,
    units: Mapping[str, str] | None = None,
    **rest: Any,
) -> UsageReport:
    """The answer about a span; `of` is the tenant, None the fleet; `rest` are fields that only the caller knows."""
    now, was = figures(span.total), figures(span.before) if span.before is not None else None
    rows, other = rows_of(span.rows, limit, without=set() if group_by == "month" else _NOT_OF_DAYS)
    further, further_count = _further(span.total, span.before, units or {})
    part = "hours" if source == "cloudwatch" else "days" if of is not None else "tenants' days"
    return UsageReport(
        of=of or "fleet",
        period=span.period,
        compared_with=span.compared_with,
        source=source,
        group_by=group_by,
        total=now,
        before=was,
        requests_change_percent=change_percent(now.requests, was.requests if was else None, span.length),
        rows=rows,
        other=other,
        row_count=len(span.rows),
        truncated=other is not None,
        further=further,
        further_count=further_count,
        how=Method(users=_USERS if source == "rollup" else _USERS_RECENT, latency=_LATENCY.format(parts=part)),
        **rest,
    )


def rows_of(
    found: Mapping[str, Measured], limit: int, *, without: set[str]
) -> tuple[list[UsageRow], OtherUsage | None]:
    """The newest rows in order of time, and one for all before them."""
    names = sorted(found)
    shown, hidden = names[-limit:], names[:-limit]
    rows = [UsageRow(name=name, **figures(found[name]).model_dump(exclude=without)) for name in shown]
    if not hidden:
        return rows, None
    return rows, OtherUsage(
        rows=len(hidden), **figures(_together([found[name] for name in hidden])).model_dump(exclude=without)
    )


def _together(parts: Sequence[Measured]) -> Measured:
    """What adds up of several stretches."""
    whole = Measured()
    for part in parts:
        for metric, quantity in part.summed.items():
            whole.add(metric, quantity)
    return whole


def _further(now: Measured, before: Measured | None, units: Mapping[str, str]) -> tuple[list[FurtherMetric], int]:
    names = sorted(set(now.summed) - set(metrics.METRICS) - set(TOKENS))
    made = [
        FurtherMetric(
            metric=name,
            unit=units.get(name, ""),
            quantity=round(float(now.summed[name]), 3),
            before=None if before is None else round(float(before.summed.get(name, Decimal(0))), 3),
        )
        for name in names[:_MOST_FURTHER]
    ]
    return made, len(names)
