"""`get_costs`."""

from typing import Annotated, Literal

from pydantic import Field
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.breakdown import by_currency
from tenantscope_cost_explorer.models import CostReport
from tenantscope_cost_explorer.sources.costs import TIME_GROUPS, freshness
from tenantscope_cost_explorer.sources.open import Sources

DEFAULT_ROWS, DEFAULT_POINTS = 10, 31

Value = Annotated[str | None, Field(min_length=1, max_length=200)]


@tool(shown_to=ShownTo.BOTH, scopes={"costs:read"}, effects=READ, names_tenant="optional")
async def get_costs(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="'2026-09', '2026-07..2026-09', '2026-09-01..2026-09-15' or 'latest'.", max_length=40)
    ] = "latest",
    group_by: Annotated[
        Literal["service", "feature", "environment", "charge_category", "day", "month"],
        Field(description="What to break the cost down by."),
    ] = "service",
    service: Annotated[Value, Field(description="Only this service, exactly.")] = None,
    feature: Annotated[Value, Field(description="Only this feature; '(none)' for cost of no feature.")] = None,
    environment: Annotated[Value, Field(description="Only this environment.")] = None,
    charge_category: Annotated[Value, Field(description="Only this FOCUS ChargeCategory, e.g. Usage or Tax.")] = None,
    limit: Annotated[
        int | None,
        Field(ge=1, le=100, description="Rows before the rest is one `other` row; 10, or 31 for day and month."),
    ] = None,
) -> CostReport:
    """Cost of a period by service, feature, environment or charge category, or over time by day or month.

    Compared with the period before, and with how much of it is directly known, shared by use, or estimated.
    """
    asked = {"service": service, "feature": feature, "environment": environment, "charge_category": charge_category}
    filters = {name: value for name, value in asked.items() if value is not None}
    over_time = group_by in TIME_GROUPS
    rows = limit or (DEFAULT_POINTS if over_time else DEFAULT_ROWS)
    if (tagged := call.sources.tagged) is not None:
        sums, known = await tagged.sums(call.aws, period, group_by, filters)
        compare = known.before is not None
        return CostReport(
            of=call.tenant or "fleet",
            period=str(known.period),
            compared_with=str(known.before) if known.before else None,
            metric=known.metric,
            source=known.source,
            group_by=group_by,
            filters=filters,
            costs=by_currency(sums, limit=rows, in_order_of_time=over_time, compare=compare),
            next=_next(group_by, filters),
            freshness=known.freshness,
        )
    costs = call.sources.costs
    window = await costs.window(call.aws, call.tenant, period)
    sums, last_day = await costs.sums(call.aws, window, group_by, filters)
    return CostReport(
        of=call.tenant or "fleet",
        period=str(window.period),
        compared_with=str(window.before) if window.before else None,
        group_by=group_by,
        filters=filters,
        costs=by_currency(
            sums,
            limit=rows,
            in_order_of_time=over_time,
            compare=window.before is not None,
        ),
        next=_next(group_by, filters),
        freshness=freshness(window, call.now, last_day),
    )


def _next(group_by: str, filters: dict[str, str]) -> str:
    if group_by in TIME_GROUPS:
        return "get_costs with group_by=service and one of these as period"
    finer = next(
        name for name in ("feature", "service", "environment", "day") if name != group_by and name not in filters
    )
    return f"get_costs with {group_by}=<one of the names> and group_by={finer}"
