"""`get_tenant`."""

from tenantscope_core.results.errors import NotFound
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.models import TenantProfile
from tenantscope_tenant_management.registry import DamagedRecord, profile
from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.sources.registry_table import damaged


@tool(shown_to=ShownTo.BOTH, scopes={"tenants:read"}, effects=READ, names_tenant="required")
async def get_tenant(call: Call[Sources]) -> TenantProfile:
    """One tenant's profile: status, tier, plan, entitlements, quotas and their use, tags and config."""
    item = await call.sources.registry.get(call.aws, call.one_tenant)
    if item is None:
        raise NotFound("The registry has no such tenant; list_tenants shows those it has.", parameter="tenant_id")
    try:
        return profile(item)
    except DamagedRecord as error:
        raise damaged(error) from error
