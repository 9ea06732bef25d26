"""`get_usage`."""

from typing import Annotated, Literal

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import LATEST
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_metrics_logs import recent
from tenantscope_metrics_logs.models import PeriodText, UsageReport
from tenantscope_metrics_logs.recent import HOUR
from tenantscope_metrics_logs.sources.cloudwatch import MAX_HOURS
from tenantscope_metrics_logs.sources.open import Sources
from tenantscope_metrics_logs.usage_report import usage_report

DEFAULT_HOURS = 24


@tool(shown_to=ShownTo.BOTH, scopes={"usage:read"}, effects=READ, names_tenant="optional")
async def get_usage(
    call: Call[Sources],
    period: PeriodText = LATEST,
    group_by: Annotated[
        Literal["total", "hour", "day", "month"], Field(description="The total alone, or rows over time as well.")
    ] = "total",
    source: Annotated[
        Literal["rollup", "cloudwatch"],
        Field(description="rollup: days up to last night; cloudwatch: the last hours, by hour or day."),
    ] = "rollup",
    hours: Annotated[int | None, Field(ge=1, le=MAX_HOURS, description="cloudwatch: how many; 24.")] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Newest rows; older ones are one `other` row.")] = 31,
) -> UsageReport:
    """How much was used and how it went: requests, users, errors, latency, bytes and model tokens, also over time.

    Compared with the period before. For today and the last hours take source=cloudwatch.
    """
    if source == "cloudwatch":
        return await _recent(call, period, group_by, hours or DEFAULT_HOURS, limit)
    if group_by == "hour" or hours is not None:
        wrong = "group_by" if hours is None else "hours"
        raise InvalidArgument("The rollup knows days and no hours; hours need source=cloudwatch.", parameter=wrong)
    window = await call.sources.usage.window(call.aws, call.tenant, period)
    found = await call.sources.usage.span(call.aws, window, group_by)
    return usage_report(
        found.span,
        of=call.tenant,
        source="rollup",
        group_by=group_by,
        limit=limit,
        units=found.units,
        tokens_missing_months=found.tokens_missing,
        freshness=window.freshness(found.last_day),
        next="get_usage with group_by=day; get_feature_usage for what was used"
        if group_by == "total"
        else "get_feature_usage with one of these as period",
    )


async def _recent(call: Call[Sources], period: str, group_by: str, hours: int, limit: int) -> UsageReport:
    if period != LATEST:
        raise InvalidArgument("CloudWatch is asked by hours; leave period out.", parameter="period")
    if group_by == "month":
        raise InvalidArgument("The last hours are grouped by hour or day.", parameter="group_by")
    since, until = recent.last(hours, call.now)
    source = call.sources.cloudwatch
    ask = source.of_fleet if call.tenant is None else source.of_tenant
    points = await ask(call.aws, since - hours * HOUR, until)
    return usage_report(
        recent.span(points, since, until, group_by),
        of=call.tenant,
        source="cloudwatch",
        group_by=group_by,
        limit=limit,
        next="get_usage with source=rollup for whole days, users and model tokens",
    )
