"""`rank_tenants_by_cost`."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import Period
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.breakdown import ZERO
from tenantscope_cost_explorer.currencies import choose_currency
from tenantscope_cost_explorer.models import ApiSource, Freshness, MetricName, TenantRanking
from tenantscope_cost_explorer.ranking import (
    Inactive,
    Order,
    Status,
    TenantSum,
    inactive_cost,
    rank,
    shared_among_active,
)
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.open import Sources


@tool(shown_to=ShownTo.PROVIDER, scopes={"costs:read"}, effects=READ)
async def rank_tenants_by_cost(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="'2026-09', '2026-07..2026-09', '2026-09-01..2026-09-15' or 'latest'.", max_length=40)
    ] = "latest",
    order_by: Annotated[Order, Field(description="Highest cost, or largest increase, first.")] = "cost",
    status: Annotated[
        Status, Field(description="active used something in the period, inactive cost money and used nothing.")
    ] = "all",
    inactive: Annotated[
        Inactive, Field(description="Keep inactive tenants' cost apart, or divide it among active ones by their cost.")
    ] = "apart",
    currency: Annotated[
        str | None, Field(description="Billing currency; the one with the highest cost if left out.", max_length=16)
    ] = None,
    limit: Annotated[int, Field(ge=1, le=60, description="Tenants per page.")] = 15,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> TenantRanking:
    """Which tenants cost most: direct, shared and total cost, share of the bill, change since the period before.

    Tenants on the page, `other` and `residual` sum to the bill.
    """
    found, known = await _found(call, period)
    if order_by == "change" and known.before is None:
        raise NotFound(f"Nothing is known of {known.period.before()}, so no change is known.", parameter="order_by")
    if inactive == "shared_among_active" and status == "inactive":
        raise InvalidArgument("Shared among active tenants, inactive ones have no cost to list.", parameter="status")
    question: dict[str, Any] = {
        "period": str(known.period), "order": order_by, "status": status, "inactive": inactive, "currency": currency
    }  # fmt: skip
    start = call.cursors.start(cursor, question=question, version=known.version)
    costs = call.sources.costs
    active = await costs.active_tenants(call.aws, known.period)
    if active is None and (status != "all" or inactive != "apart"):
        raise NotFound(
            f"The usage of {known.period} is not committed, so activity is unknown.",
            parameter="status" if status != "all" else "inactive",
        )
    money = {name: sum((abs(one.total) for one in tenants), ZERO) for name, tenants in found.items()}
    chosen = choose_currency(money, currency, noun="cost")
    sums, compare = found[chosen], known.before is not None
    idle_cost = None if active is None else inactive_cost(sums, active)
    if inactive == "shared_among_active" and active is not None:
        if not any(one.tenant in active and one.total > 0 for one in sums):
            raise NotFound("No active tenant has a cost, so there is nobody to divide among.", parameter="inactive")
        active_before = await costs.active_tenants(call.aws, known.before) if known.before else None
        compare = active_before is not None
        if order_by == "change" and not compare:
            raise NotFound("The usage of the period before is not committed.", parameter="order_by")
        sums, status = shared_among_active(sums, active=active, active_before=active_before or frozenset()), "active"
    page = rank(sums, active=active, order=order_by, status=status, start=start, limit=limit, compare=compare)
    return TenantRanking(
        period=str(known.period),
        compared_with=str(known.before) if compare else None,
        metric=known.metric,
        source=known.source,
        currency=chosen,
        other_currencies=sorted(name for name in found if name != chosen),
        bill=page.bill,
        residual=page.residual,
        residual_percent=page.residual_percent,
        order_by=order_by,
        rows=page.rows,
        other=page.other,
        tenant_count=page.tenants,
        active_tenants=page.active,
        inactive_tenants=page.inactive,
        inactive_cost=idle_cost,
        inactive=inactive,
        truncated=page.more,
        next_cursor=call.cursors.following(start + limit, question=question, version=known.version)
        if page.more
        else None,
        next="get_costs with tenant_id=<one of these>"
        + ("; get_allocation_report for the residual" if known.source is None else ""),
        freshness=known.freshness,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    period: Period
    before: Period | None
    version: list[str]
    freshness: Freshness
    metric: MetricName
    source: ApiSource | None


async def _found(call: Call[Sources], period: str) -> tuple[dict[str, list[TenantSum]], _Known]:
    if (tagged := call.sources.tagged) is not None:
        found, told = await tagged.by_tenant(call.aws, period)
        version = [told.asked.isoformat()]
        return found, _Known(told.period, told.before, version, told.freshness, told.metric, told.source)
    costs = call.sources.costs
    window = await costs.window(call.aws, None, period)
    found, last_day = await costs.by_tenant(call.aws, window)
    fresh = freshness(window, call.now, last_day)
    return found, _Known(window.period, window.before, window.runs, fresh, "EffectiveCost", None)
