"""`get_tenant`."""

from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.models import TenantProfile
from tenantscope_tenant_management.registry import profile, within
from tenantscope_tenant_management.sources.open import Sources

_ROOM_BYTES = 24_000


@tool(shown_to=ShownTo.BOTH, scopes={"tenants:read"}, effects=READ, names_tenant="required")
async def get_tenant(call: Call[Sources]) -> TenantProfile:
    """One tenant's profile: status, tier, plan, entitlements, quotas and their use, tags and config."""
    record = await call.sources.tenants.read(call, call.one_tenant)
    return within(profile(record, await call.sources.use.of(call, record)), _ROOM_BYTES)
