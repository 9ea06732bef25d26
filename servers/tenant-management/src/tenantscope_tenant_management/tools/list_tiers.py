"""`list_tiers`."""

from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.tier_answers import TierList, TierView


@tool(shown_to=ShownTo.BOTH, scopes={"tenants:read"}, effects=READ)
async def list_tiers(call: Call[Sources]) -> TierList:
    """The tiers a tenant can be on, the least first: features, quotas and limits of each."""
    known = await call.sources.tiers.all(call.aws)
    own = None if call.tenant is None else (await call.sources.tenants.read(call, call.tenant)).get("tier")
    shown = [
        TierView(
            name=tier.name,
            title=tier.title,
            description=tier.description or None,
            features=list(tier.features),
            quotas=dict(tier.quotas),
            yours=tier.name == own,
        )
        for tier in known
    ]
    hint = None if shown else "nothing is published yet: the server's operator runs publish-tiers with a file of tiers"
    return TierList(tiers=shown, count=len(shown), next=hint)
