"""TypeScript clients, as most hosts have them: stricter than Python's about schemas, and about errors."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from catalogue import StandingServer
from conformance.node import Done, Node
from contract.calls import MADE, audiences, some_call, working_arguments
from fixtures.serving import Served, console_script, environment_of, serve_on_port
from tenantscope_core.identity.caller import Audience
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("typescript-clients")

INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
EVERY_TOOL = Path(__file__).with_name("every_tool.mjs")
WORKED, REFUSED, TOOL_FAILED = 0, 3, 5
"""How the inspector says in its exit code what happened; 6 would be a schema that is not portable."""
SIDE_BY_SIDE = 2


@pytest.fixture
def environment(server: StandingServer, small_company: Sandbox) -> dict[str, str]:
    token = small_company.issuer.token("acme", "growth", server.spec.scopes)
    return environment_of(server, small_company, TENANTSCOPE_TOKEN=token)


@pytest.fixture
async def url(server: StandingServer, environment: dict[str, str]) -> AsyncGenerator[str]:
    async with serve_on_port(server.spec, environment) as url:
        yield url


async def all_of(node: Node, runs: dict[str, tuple[int, list[str]]]) -> None:
    """Run the inspector in each way and hold its exit codes against what is expected."""
    slots = anyio.CapacityLimiter(SIDE_BY_SIDE)
    ended: dict[str, tuple[int, Done]] = {}

    async def inspect(name: str, expected: int, words: list[str]) -> None:
        async with slots:
            ended[name] = expected, await node.run(INSPECTOR, "--cli", *words)

    async with anyio.create_task_group() as group:
        for name, (expected, words) in runs.items():
            group.start_soon(inspect, name, expected, words)
    assert {name: (done.code, done.errors[-2_000:]) for name, (code, done) in ended.items() if done.code != code} == {}


async def test_the_inspector_lists_and_calls_over_http(
    server: StandingServer, environment: dict[str, str], url: str, node: Node
):
    token = environment["TENANTSCOPE_TOKEN"]
    to = ["--server-url", url, "--transport", "http", "--header", f"Authorization: Bearer {token}"]
    call = ["--method", "tools/call", "--tool-name", some_call(server.spec)]
    await all_of(
        node,
        {
            "list": (WORKED, [*to, "--method", "tools/list", "--strict"]),
            "call": (WORKED, [*to, *call]),
            "call of the newest protocol": (WORKED, [*to, "--protocol-era", "modern", *call]),
            "call with a tenant": (TOOL_FAILED, [*to, *call, "--tool-arg", "tenant_id=globex"]),
            "no token": (REFUSED, ["--server-url", url, "--transport", "http", "--stored-auth-only", *call]),
        },
    )


async def test_the_inspector_lists_and_calls_on_stdio(server: StandingServer, environment: dict[str, str], node: Node):
    settings = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    start = ["--", str(console_script(server))]
    call = ["--method", "tools/call", "--tool-name", some_call(server.spec)]
    await all_of(
        node,
        {
            "list": (WORKED, [*settings, "--method", "tools/list", "--strict", *start]),
            "call": (WORKED, [*settings, *call, *start]),
        },
    )


@pytest.mark.parametrize("audience", Audience)
async def test_every_answer_and_every_error_of_every_tool_passes_the_typescript_client(
    server: StandingServer, served: Served, url: str, node: Node, audience: Audience
):
    token = served.token("acme" if audience is Audience.TENANT else None)
    tools = audiences(server.spec, audience)
    calls: list[dict[str, Any]] = []
    for tool in [tool for tool in tools if tool.name in MADE]:  # once done, a change keeps the version that others name
        await served.asking(token)(
            tool.name, await working_arguments(server.spec, tool, audience, served.asking(token))
        )
    for tool in tools:
        given = await working_arguments(server.spec, tool, audience, served.asking(token))
        calls += [{"name": tool.name, "arguments": each} for each in (given, {**given, "colour": "red"})]
    (node.home / "calls.json").write_text(json.dumps(calls))
    done = await node.run(EVERY_TOOL, url, token, "calls.json", node.packages)
    assert done.code == 0, done.errors
    said = [json.loads(line) for line in done.out.splitlines()]
    wrong = {"error": True, "code": "invalid_argument"}
    right = {"error": False, "code": None}
    assert said == [{"tool": tool.name, **outcome} for tool in tools for outcome in (right, wrong)]
