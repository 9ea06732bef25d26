"""Access tokens of Amazon Cognito name no audience: the client they were issued to stands for it."""

from collections.abc import AsyncGenerator

import pytest
from catalogue import StandingServer
from contract.calls import some_call
from fixtures.serving import Served, answer_of, call_of, environment_of, request_of, serve
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("cognito-by-client")


def environment(server: StandingServer, sandbox: Sandbox, *clients: str) -> dict[str, str]:
    return environment_of(
        server, sandbox, TENANTSCOPE_ISSUER=sandbox.cognito_issuer, TENANTSCOPE_JWKS_URL=sandbox.cognito_jwks_url,
        TENANTSCOPE_AUDIENCE="" if clients else "https://tenantscope.sandbox/mcp",
        TENANTSCOPE_CLIENT_IDS=",".join(clients),
    )  # fmt: skip


@pytest.fixture(scope="module")
def tokens(small_company: Sandbox) -> dict[str, str]:
    return small_company.cognito_tokens("ana@acme.example", tenant="acme", tier="growth")


@pytest.fixture
async def known_client(server: StandingServer, small_company: Sandbox) -> AsyncGenerator[Served]:
    client = small_company.outputs["AppClientId"]
    async with serve(server.spec, environment(server, small_company, client), small_company) as running:
        yield running


async def reason(served: Served, token: str) -> str:
    response = await served.post(request_of("tools/list"), token)
    assert response.status_code == 401
    return response.json()["reason"]


async def test_an_access_token_of_a_known_client_is_served_as_its_tenant(known_client: Served, tokens: dict[str, str]):
    response = await known_client.post(request_of("tools/list"), tokens["access"])
    assert "result" in answer_of(response)
    open_tools = [tool.name for tool in known_client.spec.tools if not tool.scopes]
    for name in open_tools:
        answer = answer_of(await known_client.post(call_of(name), tokens["access"]))["result"]["structuredContent"]
        assert answer["tenant_id"] == "acme"


async def test_an_id_token_of_it_is_refused(known_client: Served, tokens: dict[str, str]):
    assert await reason(known_client, tokens["id"]) == "wrong_token_use"


async def test_an_access_token_of_another_client_is_refused(
    server: StandingServer, small_company: Sandbox, tokens: dict[str, str]
):
    async with serve(server.spec, environment(server, small_company, "another-client"), small_company) as served:
        assert await reason(served, tokens["access"]) == "wrong_audience"


async def test_without_client_ids_a_token_without_an_audience_is_refused(
    server: StandingServer, small_company: Sandbox, tokens: dict[str, str]
):
    async with serve(server.spec, environment(server, small_company), small_company) as served:
        assert await reason(served, tokens["access"]) == "wrong_audience"


async def test_a_token_of_the_other_issuer_is_refused(known_client: Served):
    message = call_of(some_call(known_client.spec))
    assert (await known_client.post(message, known_client.token())).status_code == 401
