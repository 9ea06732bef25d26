"""The sandbox that measurements share, and processes of servers."""

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import psutil
from catalogue import standing_servers
from fixtures.small_company import as_item, registered
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.processes import free_port

from benchmarks import ROOT
from benchmarks.figures import say

TENANTS = tuple(f"bench-{number:02d}" for number in range(40))
BINARIES = Path(sys.executable).parent
FLOOR = (sys.executable, str(ROOT / "benchmarks/floor.py"))
NO_LIMIT = '{"default": {"per_minute": 1e6, "burst": 100000, "concurrent": 1000}}'
_START_SECONDS = 20.0

cleanup = contextlib.ExitStack()
"""What has to end when the run ends."""


@functools.cache
def scratch() -> Path:
    """Where processes run: some peers leave logs in their working folder."""
    return Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bench-cwd-", ignore_cleanup_errors=True)))


@functools.cache
def servers() -> tuple[str, ...]:
    """The servers that stand: those of the repository that offer a tool."""
    return tuple(spec.name for spec in specs())


@functools.cache
def specs() -> tuple[ServerSpec[Any, Any], ...]:
    """What they declare."""
    return tuple(server.spec for server in standing_servers() if server.spec.tools)


@functools.cache
def sandbox() -> Sandbox:
    """A bare sandbox with some tenants, stopped when the run ends."""
    say("starting a sandbox")
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
    folder.chmod(0o755)  # PostgreSQL runs as another user, who has to pass
    running = cleanup.enter_context(Sandbox.running(folder / "state", company=False))
    for tenant in TENANTS:
        running.client("dynamodb").put_item(TableName=running.table, Item=as_item(registered(tenant)))
    return running


def environment(server: str, **changes: str) -> dict[str, str]:
    """A server's settings, and a token file of a tenant's user."""
    return {
        **os.environ,
        **sandbox().server_env(server, TENANTS[0], tier="growth"),
        "TENANTSCOPE_LIMITS": NO_LIMIT,
        "TENANTSCOPE_LOG_LEVEL": "ERROR",
        **changes,
    }


def console_script(server: str) -> tuple[str, ...]:
    """What a host starts."""
    return (str(BINARIES / f"tenantscope-{server}"),)


@contextlib.contextmanager
def http_server(command: Sequence[str], env: Mapping[str, str], port: int) -> Generator[psutil.Process]:
    """A server's process, for as long as the block lasts, once it listens."""
    process = subprocess.Popen(
        command, env=dict(env), cwd=scratch(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + _START_SECONDS
        with httpx2.Client() as client:
            while time.monotonic() < until:
                with contextlib.suppress(httpx2.TransportError):
                    client.get(f"http://127.0.0.1:{port}/health")
                    break
                if process.poll() is not None:
                    raise RuntimeError(f"{command[0]} ended with exit code {process.returncode}")
                time.sleep(0.05)
            else:
                raise RuntimeError(f"{command[0]} does not listen")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def our_http(server: str, **changes: str) -> Generator[tuple[psutil.Process, str]]:
    """One of our servers over HTTP, and its URL."""
    port = free_port()
    env = environment(server, TENANTSCOPE_PORT=str(port), **changes)
    env.pop("TENANTSCOPE_TOKEN_FILE")
    with http_server([*console_script(server), "http"], env, port) as process:
        yield process, f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def floor_http() -> Generator[tuple[psutil.Process, str]]:
    """The floor over HTTP, and its URL."""
    port = free_port()
    with http_server([*FLOOR, str(port)], os.environ, port) as process:
        yield process, f"http://127.0.0.1:{port}/mcp"
