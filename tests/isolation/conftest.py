"""The doors of every server, and the account behind them."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress

import pytest
from catalogue import StandingServer
from fixtures.serving import Served, environment_of, on_stdio
from isolation.doors import Door, HttpDoor, StdioDoor
from isolation.layers import EVERYTHING, NARROW, OTHERS, log_group_of, role
from isolation.layers import account as account
from tenantscope_sandbox import Sandbox


@pytest.fixture(scope="module")
async def stdio_door(
    server: StandingServer, small_company: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[StdioDoor]:
    folder = tmp_path_factory.mktemp("stdio")
    token_file, log = folder / "token", folder / "log"
    environment = environment_of(
        server, small_company, TENANTSCOPE_TOKEN_FILE=str(token_file), TENANTSCOPE_LOG_LEVEL="DEBUG"
    )
    async with on_stdio(server, environment, log) as client:
        yield StdioDoor(client, token_file, log)


@pytest.fixture(scope="module", params=["http", "stdio"])
def door(request: pytest.FixtureRequest, served: Served, stdio_door: StdioDoor) -> Door:
    """Each way into each server."""
    return HttpDoor(served) if request.param == "http" else stdio_door


@pytest.fixture(scope="module")
def probe_roles(small_company: Sandbox) -> Iterator[dict[str, str]]:
    """Two roles of no server: one narrowed by the tag in three stores, one as wide as the account."""
    logs = small_company.client("logs")
    for tenant in ("acme", *OTHERS):
        group = {"logGroupName": log_group_of(tenant)}
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(**group)
            logs.create_log_stream(**group, logStreamName="app")
            event = {"timestamp": int(time.time() * 1000), "message": f"hello from {tenant}"}
            logs.put_log_events(**group, logStreamName="app", logEvents=[event])
    with (
        role(small_company, "probe-narrow", NARROW) as narrow,
        role(small_company, "probe-wide", EVERYTHING) as wide,
    ):
        yield {"narrow": narrow, "wide": wide}
