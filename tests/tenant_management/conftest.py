"""The server, before a small company, and calls of it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from fixtures.serving import SERVERS, Served, environment_of, serve
from fixtures.small_company import own_company
from fixtures.stores import SignedCaller, caller_of
from mcp.types import CallToolResult
from tenantscope_sandbox import Sandbox

Ask = Callable[..., Awaitable[CallToolResult]]


small_company = own_company("session")


@pytest.fixture(scope="module")
async def registry_server(small_company: Sandbox) -> AsyncGenerator[Served]:
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    environment = environment_of(server, small_company, TENANTSCOPE_QUIET_SECONDS="0.2")
    async with serve(server.spec, environment, small_company) as running:
        yield running


@pytest.fixture
def ask(registry_server: Served) -> Ask:
    """Call a tool, as the provider's staff unless a tenant or a token is given."""

    async def call(tool: str, tenant: str | None = None, token: str | None = None, **arguments: Any) -> CallToolResult:
        async with registry_server.client(token or registry_server.token(tenant), mode="legacy") as client:
            return await client.call_tool(tool, arguments)

    return call


@pytest.fixture
async def root(small_company: Sandbox) -> AsyncGenerator[SignedCaller]:
    """The fleet's caller, at whom IAM looks not at all: what holds is this server's own."""
    async with caller_of(small_company, None) as aws:
        yield aws
