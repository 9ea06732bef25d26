"""What a tool function is given: who calls, about whose data, with which credentials and sources."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.identity.caller import Caller
from tenantscope_core.results.cursors import Cursors

SourcesT = TypeVar("SourcesT")


async def _no_fleet() -> TenantSession:
    raise LookupError("no session for the fleet goes with this call")


@dataclass(frozen=True, slots=True)
class Call(Generic[SourcesT]):
    """One admitted call.

    `tenant` is whose data the call is about: the caller's own tenant, or for the provider the tenant it named; None
    means the whole fleet, which only the provider can ask about. `aws` signs with credentials vended for exactly that.
    `fleet` gives the provider's session for the fleet, for a call about one tenant that has to look at another.
    """

    caller: Caller
    tenant: str | None
    aws: TenantSession
    sources: SourcesT
    now: datetime
    cursors: Cursors
    report_progress: Callable[[float, float | None, str | None], Awaitable[None]]
    fleet: Callable[[], Awaitable[TenantSession]] = _no_fleet

    @property
    def one_tenant(self) -> str:
        """The tenant of a call that is always about one; a fleet call here is a fault of the tool's declaration."""
        if self.tenant is None:
            raise LookupError("a fleet call has no tenant")
        return self.tenant
