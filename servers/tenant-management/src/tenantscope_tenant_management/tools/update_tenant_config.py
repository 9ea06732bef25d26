"""`update_tenant_config`."""

from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_tenant_management.audit import is_same
from tenantscope_tenant_management.changes import with_config
from tenantscope_tenant_management.config_patch import patched, require_fit
from tenantscope_tenant_management.events import updated
from tenantscope_tenant_management.registry import DamagedRecord, config_of
from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.sources.registry_table import damaged


class ConfigUpdate(Answer):
    """The settings after the change."""

    tenant_id: str
    version: int = Field(description="The version now; the next change names it.")
    changed: bool = Field(description="False where the patch asks for what is there already; nothing is written then.")
    config: dict[str, object] = Field(description="All of the tenant's settings.")


@tool(
    shown_to=ShownTo.BOTH,
    scopes={"tenants:write"},
    effects=Effects(read_only=False, destructive=True, idempotent=True, open_world=False),
    names_tenant="required",
)
async def update_tenant_config(
    call: Call[Sources],
    patch: Annotated[
        dict[str, Any], Field(description="JSON merge patch: null removes a setting, an object is merged.")
    ],
    version: Annotated[int, Field(ge=0, description="The version that get_tenant showed.")],
) -> ConfigUpdate:
    """Change a tenant's own settings by a merge patch, checked against the company's schema for them.

    Refused with what changed if somebody else changed the tenant since `version`.
    """
    tenant = call.one_tenant
    before = await call.sources.tenants.read_at(call, tenant, version)
    try:
        settings = config_of(before.get("tenantConfig"))
    except DamagedRecord as error:
        raise damaged(error) from error
    config = patched(settings, patch)
    require_fit(config, call.sources.config_schema)
    if is_same(config, settings):
        return ConfigUpdate(tenant_id=tenant, version=version, changed=False, config=settings)
    after = with_config(before, config, call.now)
    await call.sources.tenants.save(call, before, after, "config.updated", events=[updated(after, ["config"])])
    return ConfigUpdate(tenant_id=tenant, version=after["version"], changed=True, config=config)
