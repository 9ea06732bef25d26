"""The session that sees all tenants, for a provider's call about one of them."""

from typing import Any

from tenantscope_core.results.errors import NotFound
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.tool import Call


async def fleet_session(call: Call[Any]) -> AwsCaller | None:
    """None for a tenant's caller, and where this server has no role for the fleet."""
    if not call.caller.is_provider:
        return None
    if call.tenant is None:
        return call.aws
    try:
        return await call.fleet()
    except NotFound:
        return None
