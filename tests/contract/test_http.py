"""The HTTP side of every server: health, metadata, hosts, both protocol eras, open discovery."""

import gzip
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from catalogue import StandingServer
from contract.calls import some_call
from fixtures.serving import (
    ACCEPT,
    HANDSHAKE,
    MODERN,
    NO_LIMIT,
    Served,
    answer_of,
    call_of,
    content_of,
    environment_of,
    error_fields,
    request_of,
    serve,
)
from mcp.shared.exceptions import MCPError
from tenantscope_core.serving.body import MAX_ANONYMOUS_BODY_BYTES, MAX_BODY_BYTES
from tenantscope_sandbox import Sandbox

PRM = "/.well-known/oauth-protected-resource"
PUBLIC_URL = "https://costs.example.com/mcp"
ELSEWHERE = "http://elsewhere.example"
CLIENT: dict[str, Any] = {
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/protocolVersion": MODERN,
}


@pytest.fixture(scope="module")
async def open_to_discovery(server: StandingServer, small_company: Sandbox) -> AsyncGenerator[Served]:
    environment = environment_of(
        server, small_company, TENANTSCOPE_OPEN_DISCOVERY="1", TENANTSCOPE_RESOURCE_URL=PUBLIC_URL,
        TENANTSCOPE_ALLOWED_HOSTS="costs.example.com",
    )  # fmt: skip
    async with serve(server.spec, environment, small_company) as running:
        yield running


async def get(served: Served, path: str, **headers: str) -> httpx2.Response:
    async with served.http(**headers) as http:
        return await http.get(path)


@pytest.mark.requirement("health-open")
@pytest.mark.parametrize("path", ["/health", "/ping"])
async def test_health_needs_no_token_and_tells_only_name_and_version(served: Served, path: str):
    response = await get(served, path)
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "server": served.spec.name, "version": served.spec.version}


@pytest.mark.requirement("resource-metadata")
@pytest.mark.parametrize("path", [PRM, f"{PRM}/mcp"])
async def test_metadata_names_the_issuer_as_tokens_spell_it_and_the_scopes_of_a_tenants_user(served: Served, path: str):
    document = (await get(served, path)).json()
    assert document["authorization_servers"] == [served.sandbox.issuer.url]
    assert document["scopes_supported"] == served.spec.scopes, "hosts ask for all of these; none is the provider's"
    assert document["bearer_methods_supported"] == ["header"]
    assert document["resource"] == "http://127.0.0.1:8000/mcp"


@pytest.mark.requirement("resource-metadata")
async def test_metadata_and_challenge_carry_the_public_url_where_one_is_set(open_to_discovery: Served):
    assert (await get(open_to_discovery, PRM)).json()["resource"] == PUBLIC_URL
    refused = await open_to_discovery.post(call_of(some_call(open_to_discovery.spec)))
    expected = 'resource_metadata="https://costs.example.com/.well-known/oauth-protected-resource/mcp"'
    assert expected in refused.headers["www-authenticate"]


@pytest.mark.requirement("one-endpoint")
async def test_other_paths_are_not_there(served: Served):
    for path in ("/", "/mcp/x", "/sse", "/metrics"):
        assert (await get(served, path)).status_code == 404


@pytest.mark.requirement("stateless")
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
async def test_there_is_no_stream_to_listen_to_and_no_session_to_end(served: Served, method: str):
    async with served.http(served.token()) as http:
        response = await http.request(method, "/mcp", headers=ACCEPT)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.requirement("resource-metadata")
async def test_scopes_carry_the_prefix_that_the_issuer_writes_before_them(
    server: StandingServer, small_company: Sandbox
):
    environment = environment_of(server, small_company, TENANTSCOPE_SCOPE_PREFIX="tenantscope/")
    async with serve(server.spec, environment, small_company) as prefixed:
        scopes = [f"tenantscope/{scope}" for scope in prefixed.spec.scopes]
        assert (await get(prefixed, PRM)).json()["scopes_supported"] == scopes
        refused = await prefixed.post(request_of("tools/list"))
        assert f'scope="{" ".join(scopes)}"' in refused.headers["www-authenticate"]
        listed = answer_of(await prefixed.post(request_of("tools/list"), prefixed.token(scopes=scopes)))["result"]
        assert len(listed["tools"]) == len([t for t in prefixed.spec.tools if t.shown_to.value != "provider"])
        elsewhere = [f"another/{scope}" for scope in prefixed.spec.scopes]
        listed = answer_of(await prefixed.post(request_of("tools/list"), prefixed.token(scopes=elsewhere)))["result"]
        assert not [
            tool for tool in listed["tools"] if tool["name"] in {t.name for t in prefixed.spec.tools if t.scopes}
        ]


@pytest.mark.requirement("both-eras")
@pytest.mark.parametrize("version", HANDSHAKE)
async def test_a_client_of_an_older_protocol_shakes_hands_lists_and_calls(served: Served, version: str):
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    token = served.token()
    greeted = answer_of(await served.post(request_of("initialize", hello), token))["result"]
    assert greeted["protocolVersion"] == version
    assert greeted["serverInfo"]["name"] == served.spec.name
    assert greeted["instructions"] == served.spec.instructions
    spoken = {"mcp_protocol_version": version}
    notified = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await served.post(notified, token, **spoken)).status_code == 202
    listed = answer_of(await served.post(request_of("tools/list"), token, **spoken))["result"]["tools"]
    assert listed
    called = answer_of(await served.post(call_of(some_call(served.spec)), token, **spoken))["result"]
    assert not called.get("isError")
    assert called["structuredContent"]


@pytest.mark.requirement("both-eras")
async def test_a_client_of_the_newest_protocol_calls_without_a_handshake(served: Served):
    token, name = served.token(), some_call(served.spec)

    async def ask(method: str, params: dict[str, Any], **headers: str) -> dict[str, Any]:
        spoken = {"mcp_protocol_version": MODERN, "mcp_method": method, **headers}
        message = request_of(method, {**params, "_meta": CLIENT})
        return answer_of(await served.post(message, token, **spoken))["result"]

    discovered = await ask("server/discover", {})
    assert MODERN in discovered["supportedVersions"]
    assert discovered["instructions"] == served.spec.instructions
    listed = await ask("tools/list", {})
    assert [tool["name"] for tool in listed["tools"]]
    assert listed["cacheScope"] == "private"
    called = await ask("tools/call", {"name": name, "arguments": {}}, mcp_name=name)
    assert called["structuredContent"]


@pytest.mark.requirement("both-eras")
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_protocols_own_client_works_in_both_eras(served: Served, mode: str):
    async with served.client(served.token(), mode=mode) as client:
        assert (client.protocol_version == MODERN) == (mode == "auto")
        assert content_of(await client.call_tool(some_call(served.spec), {}))


@pytest.mark.requirement("stateless")
async def test_a_session_header_that_a_platform_injects_is_tolerated(served: Served):
    response = await served.post(call_of(some_call(served.spec)), served.token(), mcp_session_id="injected-by-platform")
    assert answer_of(response)["result"]["structuredContent"]
    assert "mcp-session-id" not in response.headers


@pytest.mark.requirement("stateless")
async def test_a_request_needs_no_handshake_before_it(served: Served):
    response = await served.post(request_of("tools/list"), served.token())
    assert answer_of(response)["result"]["tools"]


@pytest.mark.requirement("one-endpoint")
async def test_a_trailing_slash_is_tolerated_and_not_redirected(served: Served):
    response = await served.post(call_of(some_call(served.spec)), served.token(), path="/mcp/")
    assert response.status_code == 200
    assert answer_of(response)["result"]["structuredContent"]


@pytest.mark.requirement("hosts-allowed")
async def test_another_host_or_origin_is_refused(served: Served):
    message, token = call_of(some_call(served.spec)), served.token()
    assert (await served.post(message, token, origin=ELSEWHERE)).status_code == 421
    async with served.http(token) as http:
        response = await http.post("/mcp", json=message, headers={**ACCEPT, "origin": ELSEWHERE})
    assert response.status_code == 403


@pytest.mark.requirement("hosts-allowed")
async def test_a_configured_host_is_answered(open_to_discovery: Served):
    message = call_of(some_call(open_to_discovery.spec))
    response = await open_to_discovery.post(message, open_to_discovery.token(), origin="https://costs.example.com")
    assert response.status_code == 200


@pytest.mark.requirement("hosts-allowed")
async def test_behind_a_proxy_that_checks_hosts_any_is_answered(server: StandingServer, small_company: Sandbox):
    environment = environment_of(server, small_company, TENANTSCOPE_ALLOWED_HOSTS="*")
    async with serve(server.spec, environment, small_company) as proxied:
        response = await proxied.post(call_of(some_call(proxied.spec)), proxied.token(), origin=ELSEWHERE)
    assert response.status_code == 200


@pytest.mark.requirement("open-discovery")
async def test_open_discovery_lists_the_whole_catalogue_without_a_token_and_calls_nothing(open_to_discovery: Served):
    spec = open_to_discovery.spec
    anonymous = answer_of(await open_to_discovery.post(request_of("tools/list")))["result"]["tools"]
    assert [tool["name"] for tool in anonymous] == [tool.name for tool in spec.tools]
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "gateway", "version": "1"}}
    for method, params in (("initialize", hello), ("ping", {})):
        assert "result" in answer_of(await open_to_discovery.post(request_of(method, params)))
    spoken = {"mcp_protocol_version": MODERN, "mcp_method": "server/discover"}
    found = await open_to_discovery.post(request_of("server/discover", {"_meta": CLIENT}), **spoken)
    assert "result" in answer_of(found)
    for tool in spec.tools:
        refused = await open_to_discovery.post(call_of(tool.name))
        assert refused.status_code == 401
        assert refused.json()["reason"] == "token_missing"


@pytest.mark.requirement("open-discovery")
async def test_open_discovery_lists_the_same_to_everybody(open_to_discovery: Served):
    lists = [
        answer_of(await open_to_discovery.post(request_of("tools/list"), token))["result"]["tools"]
        for token in (None, open_to_discovery.token(), open_to_discovery.token(None), "garbage")
    ]
    assert all(listed == lists[0] for listed in lists)


@pytest.mark.requirement("open-discovery")
@pytest.mark.parametrize("method", ["initialize", "server/discover", "tools/list", "ping", "tools/call", "nonsense"])
async def test_nothing_is_open_unless_it_was_opened(served: Served, method: str):
    assert (await served.post(request_of(method))).status_code == 401


@pytest.mark.requirement("open-discovery")
async def test_a_list_of_messages_is_no_way_around_the_gate(open_to_discovery: Served):
    messages: Any = [request_of("tools/list"), call_of(some_call(open_to_discovery.spec))]
    assert (await open_to_discovery.post(messages)).status_code == 400
    refused = await open_to_discovery.post(messages, open_to_discovery.token())
    assert refused.status_code == 400
    assert "pydantic" not in refused.text


@pytest.mark.requirement("open-discovery")
async def test_a_body_that_reads_as_two_requests_is_not_called_without_a_token(open_to_discovery: Served):
    """The last of two equal names counts for the gate and for the protocol alike."""
    name = some_call(open_to_discovery.spec)
    call = f'"method":"tools/call","params":{{"name":"{name}","arguments":{{}}}}'
    for body in (
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/list",{call}}}',
        f'{{"jsonrpc":"2.0","id":1,{call},"method":"tools/list"}}',
    ):
        async with open_to_discovery.http() as http:
            response = await http.post("/mcp", content=body, headers=ACCEPT)
        assert "structuredContent" not in response.text
    async with open_to_discovery.http() as http:
        packed = gzip.compress(body.encode())
        response = await http.post("/mcp", content=packed, headers={**ACCEPT, "content-encoding": "gzip"})
    assert response.status_code == 400


@pytest.mark.requirement("shown-by-scope")
async def test_a_list_shows_what_the_callers_scopes_allow(served: Served):
    async def names(token: str) -> list[str]:
        listed = answer_of(await served.post(request_of("tools/list"), token))["result"]["tools"]
        return [tool["name"] for tool in listed]

    declared = served.spec.tools
    assert await names(served.token()) == [t.name for t in declared if t.shown_to.value != "provider"]
    assert await names(served.token(None)) == [t.name for t in declared if t.shown_to.value != "tenant"]
    assert await names(served.token(scopes=["other:read"])) == [
        t.name for t in declared if t.shown_to.value != "provider" and not t.scopes
    ]


@pytest.mark.requirement("bounded-body")
async def test_a_body_larger_than_any_call_is_refused(served: Served):
    huge = call_of(some_call(served.spec), {"text": "x" * MAX_BODY_BYTES})
    assert (await served.post(huge, served.token())).status_code == 413


@pytest.mark.requirement("bounded-body")
async def test_without_a_token_a_body_is_not_even_read(served: Served):
    taken: list[int] = []

    async def endless() -> AsyncGenerator[bytes]:
        for number in range(1_000):
            taken.append(number)
            yield b"[" * 4_096

    async with served.http() as http:
        assert (await http.post("/mcp", content=endless(), headers=ACCEPT)).status_code == 401
    assert len(taken) < 100


@pytest.mark.requirement("bounded-body")
async def test_where_lists_are_open_an_anonymous_body_may_be_small_only(open_to_discovery: Served):
    large = request_of("tools/list", {"text": "x" * MAX_ANONYMOUS_BODY_BYTES})
    assert (await open_to_discovery.post(large)).status_code == 413


@pytest.mark.requirement("rate-limited")
async def test_calls_with_wrong_arguments_and_lists_count_against_the_rate(
    server: StandingServer, small_company: Sandbox
):
    limits = json.dumps({"default": {"per_minute": 1, "burst": 3, "concurrent": 3}})
    environment = environment_of(server, small_company, TENANTSCOPE_LIMITS=limits, TENANTSCOPE_VALKEY_URL="")
    async with serve(server.spec, environment, small_company) as served, served.client(served.token()) as client:
        codes: list[str] = []
        for _ in range(4):
            result = await client.call_tool(some_call(server.spec), {"nonsense": 1})
            codes.append(error_fields(result)["code"])
        assert codes[0] == "invalid_argument"
        assert codes[-1] == "rate_limited"
        with pytest.raises(MCPError) as refused:
            await client.list_tools()
        assert "rate_limited" in str(refused.value)


@pytest.mark.requirement("rate-limited")
async def test_a_caller_over_its_rate_is_told_when_to_come_back(server: StandingServer, small_company: Sandbox):
    limits = NO_LIMIT.replace('"burst": 100000', '"burst": 1').replace("1000000.0", "1")
    environment = environment_of(server, small_company, TENANTSCOPE_LIMITS=limits)
    del environment["TENANTSCOPE_VALKEY_URL"]
    async with serve(server.spec, environment, small_company) as served:
        first, second = [
            answer_of(await served.post(call_of(some_call(served.spec)), served.token()))["result"] for _ in range(2)
        ]
    assert not first.get("isError")
    assert second["isError"]
    fields = second["_meta"]["io.tenantscope/error"]
    assert fields["code"] == "rate_limited"
    assert 0 < fields["retry_after_seconds"] <= 60
