"""The doors of every server."""

from collections.abc import AsyncGenerator

import pytest
from catalogue import StandingServer
from fixtures.serving import Served, environment_of, on_stdio
from isolation.doors import Door, HttpDoor, StdioDoor
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
