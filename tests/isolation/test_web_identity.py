"""Where the identity provider asserts the tenant to STS itself, no server can assert another."""

from collections.abc import AsyncGenerator

import pytest
from catalogue import StandingServer
from contract.calls import arguments_for, audiences, working_arguments
from fixtures.serving import Served, environment_of, error_fields, serve
from fixtures.small_company import CROWD
from tenantscope_core.identity.caller import Audience
from tenantscope_core.tool import Tool
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("asserted-by-the-issuer")

TAGS = "https://aws.amazon.com/tags"


@pytest.fixture(scope="module")
async def by_web_identity(server: StandingServer, small_company: Sandbox) -> AsyncGenerator[Served]:
    environment = environment_of(server, small_company, TENANTSCOPE_BROKER="web-identity")
    async with serve(server.spec, environment, small_company) as running:
        yield running


def data_tools(served: Served) -> list[Tool]:
    """The tools of a tenant that read its data, for which they need a scope."""
    return [tool for tool in audiences(served.spec, Audience.TENANT) if tool.scopes]


async def test_a_tenant_is_served_on_a_session_that_its_own_token_opened(by_web_identity: Served):
    emulator = by_web_identity.sandbox.emulator
    mark = emulator.mark()
    ask = by_web_identity.asking(by_web_identity.token("globex"))
    for tool in data_tools(by_web_identity):
        given = await working_arguments(by_web_identity.spec, tool, Audience.TENANT, ask)
        assert await ask(tool.name, given)
    asked = emulator.requests(mark, service="sts")
    assert [record["action"] for record in asked] == ["AssumeRoleWithWebIdentity"]
    assert asked[0]["access_key_id"] == ""


async def test_the_provider_is_served_too(by_web_identity: Served):
    ask = by_web_identity.asking(by_web_identity.token(None))
    for tool in audiences(by_web_identity.spec, Audience.PROVIDER):
        given = await working_arguments(by_web_identity.spec, tool, Audience.PROVIDER, ask)
        assert await ask(tool.name, given)


@pytest.mark.parametrize(
    ("tenant", "tags"),
    [(CROWD[100], {"TenantId": ["globex"]}), (CROWD[101], {"TenantTier": ["growth"]}), (CROWD[102], None)],
    ids=["another tenant's tag", "no tenant's tag", "no tags"],
)
async def test_a_token_whose_tag_and_claim_disagree_opens_nobodys_data(
    by_web_identity: Served, tenant: str, tags: dict[str, list[str]] | None
):
    """The claim names one tenant, the tag another or none: neither tenant's data is read."""
    claims: dict[str, object] = {TAGS: None if tags is None else {"principal_tags": tags, "transitive_tag_keys": []}}
    token = by_web_identity.token(tenant, claims=claims)
    emulator = by_web_identity.sandbox.emulator
    mark = emulator.mark()
    async with by_web_identity.client(token, mode="legacy") as client:
        for tool in data_tools(by_web_identity):
            fields = error_fields(await client.call_tool(tool.name, arguments_for(tool, Audience.TENANT)))
            assert fields["code"] in ("not_permitted", "not_authenticated", "unavailable")
    for record in emulator.requests(mark):
        assert record["service"] == "sts" or record["status"] in (400, 403)
