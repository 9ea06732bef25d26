"""`get_margins`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from tenantscope_core.results.answers import percent
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.names import exact, hint
from tenantscope_core.stores.windows import Window
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.currencies import choose_currency
from tenantscope_cost_explorer.margins.answers import MarginLine, MarginReport
from tenantscope_cost_explorer.margins.caveats import FleetMargins, caveats, elsewhere, through
from tenantscope_cost_explorer.margins.lines import (
    Ledger,
    Line,
    Only,
    Order,
    Page,
    Total,
    feature_lines,
    group_line,
    grouped,
    in_cents,
    losers,
    page,
    rest_of,
    tenant_line,
)
from tenantscope_cost_explorer.margins.losing import RULE, losing_run
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.margins import made_on
from tenantscope_cost_explorer.sources.open import Sources

METHOD = (
    "Each tenant's revenue, and its cost that names no feature, divided month by month in proportion to its measured "
    "calls of each feature; (none): of tenants that used no feature."
)
TENANTS_NEXT = (
    "explain_cost_change or suggest_savings with tenant_id=<a losing one>; get_margins with group_by=feature, "
    "get_feature_unit_costs for what the features cost"
)


@tool(shown_to=ShownTo.PROVIDER, scopes={"costs:read"}, effects=READ)
async def get_margins(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="Whole months: '2026-09', '2026-07..2026-09' or 'latest'.", max_length=40)
    ] = "latest",
    group_by: Annotated[
        Literal["tenant", "tier", "persona", "feature"], Field(description="What a row is of.")
    ] = "tenant",
    only: Annotated[Only, Field(description="losing: what costs more than it pays.")] = "all",
    tier: Annotated[str | None, Field(description="Only tenants of this tier.", min_length=1, max_length=100)] = None,
    order_by: Annotated[Order, Field(description="Worst margin first, or highest revenue or cost.")] = "margin",
    currency: Annotated[
        str | None, Field(description="The one with the most money if left out.", max_length=16)
    ] = None,
    limit: Annotated[int, Field(ge=1, le=40, description="Rows per page.")] = 10,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> MarginReport:
    """Revenue, cost and margin per tenant, tier, persona or feature: who loses money, since when, what would end it.

    Rows, `other` and the residual tie to revenue and to the bill.
    """
    if tier is not None and group_by == "feature":
        raise InvalidArgument("Features are of all tenants; leave tier out, or group_by feature.", parameter="tier")
    margins = call.sources.margins
    window = await margins.window(call.aws, period)
    question: dict[str, Any] = {
        "period": str(window.period), "by": group_by, "only": only, "tier": tier, "order": order_by,
        "currency": currency,
    }  # fmt: skip
    start = call.cursors.start(cursor, question=question, version=window.runs)
    found = await margins.by_tenant(call.aws, window)
    chosen = choose_currency({name: one.money for name, one in found.items()}, currency, noun="revenue or cost")
    ledger = in_cents(found[chosen].tenants, found[chosen].residual)
    matching = _of_tier(ledger.lines, tier)
    active = await call.sources.costs.active_tenants(call.aws, window.period)
    also_in, made = elsewhere(found, chosen), made_on(window)
    notes = caveats(made, chosen, len(also_in))
    match group_by:
        case "tenant":
            listed, everything = matching, ledger.lines
        case "feature":
            listed, more = await _features(call, window, chosen, found[chosen], ledger)
            everything, notes = listed, [*notes, *more]
        case group:
            listed = grouped(matching, group)
            everything = [*listed, *rest_of(ledger.lines, matching)]
    shown = page(listed, everything, order=order_by, only=only, start=start, limit=limit)
    if group_by == "tenant":
        rows = await _tenants(call, window, chosen, shown, active, also_in)
    else:
        rows = [group_line(line) for line in shown.lines]
    asked = {"only": only if only != "all" else None, "tier": tier}
    return MarginReport(
        period=str(window.period),
        currency=chosen,
        other_currencies=sorted(name for name in found if name != chosen),
        group_by=group_by,
        order_by=order_by,
        filters={name: value for name, value in asked.items() if value is not None},
        revenue=ledger.revenue,
        cost=ledger.cost,
        residual=ledger.residual,
        bill=ledger.cost + ledger.residual,
        margin=ledger.margin,
        margin_percent=percent(ledger.margin, ledger.revenue),
        losing=losers(matching, active),
        active_tenants=None if active is None else sum(line.name in active for line in ledger.lines),
        inactive_tenants=None if active is None else sum(line.name not in active for line in ledger.lines),
        rows=rows,
        other=shown.other,
        row_count=shown.count,
        truncated=shown.more,
        next_cursor=call.cursors.following(start + limit, question=question, version=window.runs)
        if shown.more
        else None,
        since_rule=RULE if any(row.loss for row in rows) else None,
        method=METHOD if group_by == "feature" else None,
        notes=notes,
        next=_next(group_by),
        freshness=freshness(window, call.now, through(made)),
    )


async def _tenants(
    call: Call[Sources],
    window: Window,
    currency: str,
    shown: Page,
    active: frozenset[str] | None,
    also_in: Mapping[str, list[str]],
) -> list[MarginLine]:
    last = window.period.months[-1]
    losing = [line.name for line in shown.lines if line.is_losing]
    pasts, known = await call.sources.margins.pasts(call.aws, losing, currency, last)
    runs = {name: losing_run(past, known=known, last=last) for name, past in pasts.items()}
    return [
        tenant_line(line, runs.get(line.name), last=str(last), active=active, also_in=also_in.get(line.name, ()))
        for line in shown.lines
    ]


def _of_tier(lines: list[Line], tier: str | None) -> list[Line]:
    if tier is None or not lines:
        return lines
    wanted = exact(tier, parameter="tier")
    of_tier = [line for line in lines if line.tenants[0].tier == wanted]
    if not of_tier:
        known = sorted({line.tenants[0].tier or "" for line in lines} - {""})
        raise NotFound(f"No tenant with revenue or cost is on that tier; {hint(wanted, known)}.", parameter="tier")
    return of_tier


async def _features(
    call: Call[Sources], window: Window, currency: str, fleet: FleetMargins, ledger: Ledger
) -> tuple[list[Line], list[str]]:
    parts = await call.sources.margins.by_feature(call.aws, window, currency)
    lines = feature_lines(
        revenue=parts.revenue,
        revenue_total=Total(fleet.revenue, ledger.revenue),
        named=parts.named,
        shared=parts.shared,
        cost_total=Total(fleet.cost, ledger.cost),
        calls=parts.calls,
    )
    notes = [f"No feature_usage is committed for {month}: it is all (none)." for month in parts.unused]
    if parts.cost != fleet.cost:
        notes.append("Costs have changed since these margins were made; (none) bears it until the next rollup.")
    return lines, notes


def _next(group_by: str) -> str:
    match group_by:
        case "tier":
            return "get_margins with tier=<one of these>"
        case "persona":
            return "get_margins with group_by=tenant and only=losing"
        case "feature":
            return "get_feature_unit_costs"
        case _:
            return TENANTS_NEXT
