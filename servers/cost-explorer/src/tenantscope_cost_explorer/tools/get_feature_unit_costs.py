"""`get_feature_unit_costs`."""

from typing import Annotated

from pydantic import Field
from tenantscope_core.results.errors import NotFound
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.currencies import choose_currency
from tenantscope_cost_explorer.features.answers import FeatureCosts
from tenantscope_cost_explorer.features.costs import Order, list_features
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.margins import require_months
from tenantscope_cost_explorer.sources.open import Sources

METHOD = (
    "attributed: charges whose feature the bill names, and shared charges that a rule divides among features. "
    "with_shared: besides, each tenant's cost that names no feature, month by month in proportion to that tenant's "
    "calls of each feature."
)


@tool(shown_to=ShownTo.PROVIDER, scopes={"costs:read"}, effects=READ)
async def get_feature_unit_costs(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="Whole months: '2026-09', '2026-07..2026-09' or 'latest'.", max_length=40)
    ] = "latest",
    order_by: Annotated[
        Order, Field(description="Highest cost, cost per call, or increase since the period before, first.")
    ] = "cost",
    currency: Annotated[str | None, Field(description="The one with most cost if left out.", max_length=16)] = None,
    limit: Annotated[int, Field(ge=1, le=25, description="Features before the rest is one row.")] = 8,
) -> FeatureCosts:
    """What each feature costs: in all, per call, per active tenant and per user, by the services that host it.

    Once by what the bill names, once with shared cost divided by use; both tie to the bill.
    """
    window = require_months(await call.sources.costs.window(call.aws, None, period), "A unit cost")
    if order_by == "change" and window.before is None:
        raise NotFound(
            f"Nothing is committed for {window.period.before()}, so no change is known.", parameter="order_by"
        )
    bills, uses, last_day, missing = await call.sources.features.bills(call.aws, window)
    chosen = choose_currency({name: abs(bill.total) for name, bill in bills.items()}, currency, noun="cost")
    listed = list_features(bills[chosen], uses, order=order_by, limit=limit)
    return FeatureCosts(
        period=str(window.period),
        compared_with=str(window.before) if window.before else None,
        currency=chosen,
        other_currencies=sorted(name for name in bills if name != chosen),
        bill=listed.bill,
        order_by=order_by,
        rows=listed.rows,
        other=listed.other,
        no_feature=listed.no_feature,
        residual=listed.residual,
        feature_count=listed.count,
        truncated=listed.other is not None,
        method=METHOD,
        notes=[f"No feature_usage is committed for {month}: nothing of it is divided by use." for month in missing],
        next="get_costs with feature=<one of these>; get_margins with group_by=feature for what they bring in",
        freshness=freshness(window, call.now, last_day),
    )
