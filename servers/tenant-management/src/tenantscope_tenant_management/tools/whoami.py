"""`whoami`."""

from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.isolation import layers
from tenantscope_tenant_management.models import CallerView
from tenantscope_tenant_management.sources.open import Sources


@tool(shown_to=ShownTo.BOTH, scopes=set(), effects=READ, title="Who am I")
async def whoami(call: Call[Sources]) -> CallerView:
    """Who the caller is as the servers see it: tenant, tier, scopes, when the token ends, and what isolates its data.

    Use it first when something is refused, or to learn which tools this token opens.
    """
    caller = call.caller
    return CallerView(
        audience="provider" if caller.is_provider else "tenant",
        tenant_id=caller.tenant,
        tier=caller.tier,
        subject=caller.subject,
        acting_agents=list(caller.actors),
        scopes=sorted(caller.scopes),
        token_expires=caller.expires,
        expires_in_seconds=max(0, int((caller.expires - call.now).total_seconds())),
        tools=[each.name for each in call.sources.tools if each.is_for(caller)],
        isolation=layers(call.sources.broker, tenant=caller.tenant),
    )
