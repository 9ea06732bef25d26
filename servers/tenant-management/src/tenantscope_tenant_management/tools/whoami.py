"""`whoami`."""

from collections.abc import Sequence

from tenantscope_core.admission.limits import caller_key
from tenantscope_core.results.statuses import ACTIVE_STATUSES
from tenantscope_core.tool import READ, Call, ShownTo, Tool, tool

from tenantscope_tenant_management.caller_answers import CallerView, Refusal, lacking, switched_off
from tenantscope_tenant_management.isolation import of_provider, of_tenant
from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.sources.own_session import Found, calls_allowed, status_and_tier


@tool(shown_to=ShownTo.BOTH, scopes=set(), effects=READ, title="Who am I")
async def whoami(call: Call[Sources]) -> CallerView:
    """Who the caller is as the servers see it: tenant, tier, limits, scopes, and what isolates its data, as tried.

    Use it first when something is refused, or to learn which tools this token opens.
    """
    caller, sources = call.caller, call.sources
    found = Found() if caller.tenant is None else await sources.own_session.look(call.aws, caller.tenant, call.now)
    status, tier = status_and_tier(found.record)
    known = caller.is_provider or found.record is not None
    mine = [each for each in sources.tools if each.shown_to in (ShownTo.BOTH, caller.audience.value)]
    set_aside = _needing_admin(sources, mine) if caller.is_provider else []
    opened = [each.name for each in mine if each.is_for(caller) and each not in set_aside]
    refused = lacking({each.name: each.scopes for each in mine if each not in set_aside}, caller.scopes)
    if set_aside:
        why = "this server has no role to change tenants with"
        refused.append(Refusal(tools=[each.name for each in set_aside], why=why))
    if status is not None and status not in ACTIVE_STATUSES:
        refused.append(switched_off(opened, status))
    return CallerView(
        audience="provider" if caller.is_provider else "tenant",
        tenant_id=caller.tenant,
        status=status,
        tier=caller.tier,
        tier_in_registry=tier if tier != caller.tier else None,
        limits=calls_allowed(sources.limits, caller_key(caller), tier or caller.tier, found.record) if known else None,
        subject=caller.subject,
        acting_agents=list(caller.actors),
        scopes=sorted(caller.scopes),
        token_expires=caller.expires,
        expires_in_seconds=max(0, int((caller.expires - call.now).total_seconds())),
        tools=opened,
        refused=refused,
        isolation=of_provider(sources.setup)
        if caller.is_provider
        else of_tenant(sources.setup, holds=found.refuses_others),
    )


def _needing_admin(sources: Sources, tools: Sequence[Tool]) -> list[Tool]:
    """The provider's tools that change tenants, where there is no role to change them with."""
    if sources.administers:
        return []
    return [each for each in tools if each.shown_to is ShownTo.PROVIDER and not each.effects.read_only]
