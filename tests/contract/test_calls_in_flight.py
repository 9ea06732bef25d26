"""Progress, cancellation, timeouts and failures of calls, through a server built from the same parts as every other."""

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import anyio
import httpx2
import pytest
from contract.probe_server import ARN, SQL, Waits, fail, probe_server
from fixtures.serving import (
    ACCEPT,
    MODERN,
    NO_LIMIT,
    Served,
    call_of,
    content_of,
    error_fields,
    serve,
    serve_on_port,
    text_of,
)
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tenantscope_core.serving.assembly import assemble
from tenantscope_core.serving.settings import load_settings
from tenantscope_sandbox import Sandbox

SECONDS = 10
eras = pytest.mark.parametrize("mode", ["legacy", "auto"])


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def environment(small_company: Sandbox) -> dict[str, str]:
    token = small_company.issuer.token("acme", "growth")
    return {**small_company.server_env("tenant-management"), "TENANTSCOPE_LIMITS": NO_LIMIT, "TENANTSCOPE_TOKEN": token}


@pytest.fixture
async def probe(waits: Waits, environment: Mapping[str, str], small_company: Sandbox) -> AsyncGenerator[Served]:
    async with serve(probe_server(waits), environment, small_company) as running:
        yield running


@pytest.mark.requirement("progress")
@eras
async def test_progress_arrives_over_http_while_the_call_runs(waits: Waits, environment: Mapping[str, str], mode: str):
    """The call is let go only when every step has arrived, so none of them can have waited for its end."""
    seen: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))
        if progress == total:
            waits.released.set()

    with anyio.fail_after(SECONDS):
        async with (
            serve_on_port(probe_server(waits), environment) as url,
            httpx2.AsyncClient(headers={"authorization": f"Bearer {environment['TENANTSCOPE_TOKEN']}"}) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            result = await client.call_tool("wait_for_release", {"steps": 3}, progress_callback=on_progress)
    assert content_of(result) == {"text": "released"}
    assert seen == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]


@pytest.mark.requirement("cancellation")
@pytest.mark.parametrize("version", [None, "2025-11-25", MODERN])
async def test_a_client_that_leaves_over_http_cancels_its_call(
    waits: Waits, environment: Mapping[str, str], version: str | None
):
    message: dict[str, Any] = call_of("wait_for_release")
    headers = {**ACCEPT, "authorization": f"Bearer {environment['TENANTSCOPE_TOKEN']}"}
    if version is not None:
        headers["mcp-protocol-version"] = version
    if version == MODERN:
        meta: dict[str, Any] = {"clientCapabilities": {}, "protocolVersion": MODERN}
        message["params"]["_meta"] = {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}
        headers |= {"mcp-method": "tools/call", "mcp-name": "wait_for_release"}
    with anyio.fail_after(SECONDS):
        async with serve_on_port(probe_server(waits), environment) as url, httpx2.AsyncClient() as http:
            async with anyio.create_task_group() as group:

                async def call() -> None:
                    async with http.stream("POST", url, json=message, headers=headers) as response:
                        await response.aread()

                group.start_soon(call)
                await waits.started.wait()
                group.cancel_scope.cancel()
            await waits.cancelled.wait()


@pytest.mark.requirement("cancellation")
@eras
async def test_a_client_that_cancels_in_process_cancels_its_call(
    waits: Waits, environment: Mapping[str, str], probe: Served, mode: str
):
    """The server without a transport, as on stdio: the token is the process's own."""
    with anyio.fail_after(SECONDS):
        assembly = assemble(probe_server(waits), load_settings(probe.spec.settings, environment))
        async with Client(assembly.server, mode=mode) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "wait_for_release")
                await waits.started.wait()
                group.cancel_scope.cancel()
            await waits.cancelled.wait()
            waits.released.set()
            assert content_of(await client.call_tool("wait_for_release", {}))


@pytest.mark.requirement("call-timeout")
async def test_a_call_that_takes_too_long_is_ended_and_says_when_to_retry(
    waits: Waits, environment: Mapping[str, str], small_company: Sandbox
):
    brief = {**environment, "TENANTSCOPE_CALL_TIMEOUT_SECONDS": "1"}
    async with serve(probe_server(waits), brief, small_company) as served, served.client(served.token()) as client:
        fields = error_fields(await client.call_tool("wait_for_release", {}))
    assert (fields["code"], fields["action"]) == ("unavailable", "retry_after")
    assert fields["retry_after_seconds"] > 0
    assert waits.cancelled.is_set()


FAILURES = {
    "bug": ("internal_error", "ask"),
    "group": ("internal_error", "ask"),
    "aws": ("internal_error", "ask"),
    "damage": ("data_fault", "ask"),
    "wordy": ("invalid_argument", "change"),
}


@pytest.mark.requirement("one-error-shape")
@eras
@pytest.mark.parametrize("how", FAILURES)
async def test_whatever_fails_is_one_shape_and_says_nothing_of_the_inside(
    probe: Served, caplog: pytest.LogCaptureFixture, how: str, mode: str
):
    async with probe.client(probe.token(), mode=mode) as client:
        result = await client.call_tool(fail.name, {"how": how})
    fields = error_fields(result)
    assert (fields["code"], fields["action"]) == FAILURES[how]
    for secret in (ARN, SQL, "Traceback", "KeyError", "RuntimeError", "ValidationException", "111122223333"):
        assert secret not in result.model_dump_json()
    if fields["code"] == "internal_error":
        reference = re.search(r"reference (\w+)", text_of(result))
        assert reference is not None
        assert reference[1] in caplog.text
