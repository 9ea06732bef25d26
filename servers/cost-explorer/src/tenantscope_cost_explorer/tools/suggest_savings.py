"""`suggest_savings`."""

from decimal import Decimal
from functools import partial
from typing import Annotated

import anyio.to_thread
from pydantic import Field
from tenantscope_core.results.answers import percent
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.money import CENT, round_half_even
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.models import SavingsReport
from tenantscope_cost_explorer.saving_report import by_kind, margin, not_looked_at, savings
from tenantscope_cost_explorer.saving_total import find
from tenantscope_cost_explorer.savings import Kind
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.open import Sources


@tool(shown_to=ShownTo.PROVIDER, scopes={"costs:read"}, effects=READ, names_tenant="optional")
async def suggest_savings(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="Whole months: '2026-09', '2026-07..2026-09' or 'latest'.", max_length=40)
    ] = "latest",
    kind: Annotated[Kind | None, Field(description="Only findings of this kind.")] = None,
    min_saving: Annotated[float, Field(ge=0, le=1e12, description="Only findings that save so much a month.")] = 0,
    currency: Annotated[
        str | None, Field(description="Billing currency; the one with the highest cost if left out.", max_length=16)
    ] = None,
    limit: Annotated[int, Field(ge=1, le=25, description="Findings before the rest is one `other` row.")] = 10,
) -> SavingsReport:
    """What to save or earn: idle, over-provisioned or mis-tiered spend, commitments, storage classes, noisy tenants.

    Each with evidence from the bill, a range, effort and what it does to margins; the net counts no spend twice.
    """
    costs, kinds = call.sources.costs, list(Kind) if kind is None else [kind]
    aws = call.aws if call.tenant is None else await call.fleet()
    window = await costs.window(aws, None, period)
    if not window.period.is_whole_months:
        raise InvalidArgument("Savings are of whole months; ask for '2026-09'.", parameter="period")
    known = await call.sources.savings.known(aws, window, currency)
    facts = known.facts
    if call.tenant is not None and call.tenant not in facts.tenants:
        raise NotFound(f"{call.tenant} has no cost in {window.period}.", parameter="tenant_id")
    least = max(Decimal(str(min_saving)), CENT) * len(facts.months)
    found = await anyio.to_thread.run_sync(partial(find, facts, kinds, tenant=call.tenant, least=least))
    shown, other, gross, net = savings(found, facts, limit)
    return SavingsReport(
        of=call.tenant or "fleet",
        period=str(window.period),
        currency=facts.currency,
        other_currencies=known.other_currencies,
        bill=round_half_even(facts.bill / len(facts.months)),
        findings=shown,
        other=other,
        finding_count=len(found.findings),
        truncated=other is not None,
        gross=gross,
        overlap=gross - net,
        net=net,
        net_percent=percent(found.net, facts.bill),
        fleet_margin_percent=margin(facts.revenue, facts.bill),
        fleet_margin_then=margin(facts.revenue, facts.bill - found.net),
        kinds=by_kind(found, facts),
        not_looked_at=not_looked_at(kinds, known.lacking, facts),
        next="suggest_savings with a kind or a tenant_id; get_margins for who loses money",
        freshness=freshness(window, call.now, known.last_day),
    )
