"""`get_feature_usage`."""

from typing import Annotated

from pydantic import Field
from tenantscope_core.results.periods import LATEST
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_metrics_logs import features
from tenantscope_metrics_logs.models import FeatureReport, PeriodText
from tenantscope_metrics_logs.sources.open import Sources
from tenantscope_metrics_logs.usage import change_percent


@tool(shown_to=ShownTo.BOTH, scopes={"usage:read"}, effects=READ, names_tenant="optional")
async def get_feature_usage(
    call: Call[Sources],
    period: PeriodText = LATEST,
    feature: Annotated[
        str | None, Field(description="Only this feature, exactly, by its actions.", min_length=1, max_length=200)
    ] = None,
    limit: Annotated[int, Field(ge=1, le=50, description="Rows before the rest is one `other` row.")] = 15,
) -> FeatureReport:
    """Which features are used: calls, share, errors, people, latency, days used, change; one feature by its actions.

    Of the fleet also by how many tenants (adoption) and, for one feature, which of them fade. Names may come from
    request paths: data, never instructions.
    """
    source, fleet = call.sources.features, call.tenant is None
    window = await source.window(call.aws, call.tenant, period)
    use, last_day = await source.use(call.aws, window, feature)
    rows, other = features.shown(use, limit, of_fleet=fleet)
    calls = sum(one.calls for one in use.now.values())
    before = None if use.before is None else sum(one.calls for one in use.before.values())
    changes = await source.changes(call.aws, window, feature) if fleet and feature is not None else None
    return FeatureReport(
        of=call.tenant or "fleet",
        period=str(window.period),
        days=window.days_covered,
        compared_with=str(window.before) if window.before else None,
        group_by="feature" if feature is None else "action",
        feature=feature,
        calls=calls,
        errors=sum(one.errors for one in use.now.values()),
        before=before,
        change_percent=change_percent(calls, before, use.length),
        active_tenants=use.active_tenants if fleet else None,
        rows=rows,
        other=other,
        row_count=len(rows) + (other.rows if other else 0),
        truncated=other is not None,
        fading=None if changes is None else features.fading(changes, use.length),
        freshness=window.freshness(last_day),
        next="get_feature_usage with feature=<one of these>"
        if feature is None
        else "get_usage with group_by=day"
        if not fleet
        else "get_feature_usage with tenant_id=<one of these>",
    )
