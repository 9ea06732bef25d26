"""A server's process that dies in the middle of a call, at the moment that a fault chooses."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread
import httpx2
from fixtures.serving import ACCEPT, SERVERS, call_of, console_script, listening, started
from tenantscope_sandbox import Sandbox

SERVER = next(each for each in SERVERS if each.spec.name == "tenant-management")


async def killed_when_struck(
    sandbox: Sandbox,
    environment: Mapping[str, str],
    token: str,
    tool: str,
    arguments: Mapping[str, Any],
    fault: dict[str, Any],
) -> None:
    """Call a process of its own, and kill it as soon as the fault has struck; its caller never gets an answer."""
    answers: list[str] = []
    headers = {**ACCEPT, "authorization": f"Bearer {token}"}
    with started([console_script(SERVER), "http", "--port", "0"], environment) as process:
        url = await anyio.to_thread.run_sync(listening, process)

        async def call() -> None:
            async with httpx2.AsyncClient(timeout=60, headers=headers) as http:
                with suppress(httpx2.TransportError):
                    answers.append((await http.post(f"{url}/mcp", content=json.dumps(call_of(tool, arguments)))).text)

        with sandbox.emulator.faults(fault):
            async with anyio.create_task_group() as group:
                group.start_soon(call)
                await anyio.to_thread.run_sync(sandbox.emulator.wait_struck)
                process.kill()
    assert answers == []
