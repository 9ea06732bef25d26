"""Sessions to administer one tenant with, and the stores as the server opens them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

import pytest
from fixtures.serving import Served
from isolation.layers import gatekeepers
from tenant_management.holdings.world import ALIKE, LEAVER, move_in, move_out
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.tool.path import Gatekeepers, vend
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.holdings.open import holdings

SessionOf = Callable[[str], Awaitable[TenantSession]]


@pytest.fixture
async def gate(registry_server: Served) -> AsyncGenerator[Gatekeepers]:
    async with gatekeepers(registry_server) as gate:
        yield gate


@pytest.fixture
def session_of(registry_server: Served, gate: Gatekeepers) -> SessionOf:
    """The session that the server vends to the provider for work on one tenant."""

    async def session(tenant: str) -> TenantSession:
        identity = await registry_server.assembly.verifier.identify(registry_server.token(None))
        return await vend(gate, registry_server.spec.name, identity, tenant)

    return session


@pytest.fixture
async def aws(session_of: SessionOf) -> TenantSession:
    return await session_of(LEAVER)


@pytest.fixture
def stores(registry_server: Served) -> dict[str, Holding]:
    """The stores of the server's own settings."""
    return {holding.name: holding for holding in holdings(registry_server.assembly.settings)}  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def neighbours(small_company: Sandbox) -> Iterator[None]:
    """Tenants of nearly the same name, there all the while."""
    for tenant in ALIKE:
        move_out(small_company, tenant)
        move_in(small_company, tenant)
    yield
    for tenant in ALIKE:
        move_out(small_company, tenant)


@pytest.fixture
def town(small_company: Sandbox, neighbours: None) -> Iterator[Sandbox]:
    """The leaver has moved in beside them; whatever it leaves is taken away."""
    move_out(small_company, LEAVER)
    move_in(small_company, LEAVER)
    yield small_company
    move_out(small_company, LEAVER)


@pytest.fixture
def vacant(small_company: Sandbox, neighbours: None) -> Iterator[Sandbox]:
    """Nothing is there of the one that is to come."""
    move_out(small_company, LEAVER)
    yield small_company
    move_out(small_company, LEAVER)
