"""Counts reach Valkey seconds later, once each, and no call fails or waits for them."""

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import anyio
import pytest
from core.metering.conftest import OpenCounts, call
from fixtures.clock import Clock
from fixtures.stores import RunningPart
from fixtures.tcp_proxy import TcpProxy
from tenantscope_core.admission.limits import Limits
from tenantscope_core.admission.valkey import ValkeyLedger
from tenantscope_core.metering.counts import FLUSH_SECONDS, UseCounts, telling
from tenantscope_core.metering.use import MeteredUse, read_use
from tenantscope_core.stores.valkey import ValkeyLimits, ValkeyStore
from valkey.asyncio import Valkey

NOTHING = MeteredUse(0, 0, 0, 0, 0, 0, 0, 0, None)

pytestmark = pytest.mark.requirement("use-metered")


async def calls_of(store: ValkeyStore, clock: Clock, tenant: str = "acme") -> int:
    use = await read_use(store, tenant, clock())
    assert use is not None
    return use.calls_this_month


async def test_what_several_processes_count_is_read_as_one(
    valkey_store: ValkeyStore, clock: Clock, process: OpenCounts
):
    assert await read_use(valkey_store, "acme", clock()) == NOTHING
    one, two = process("p1"), process("p2")
    for counts in (one, two, two):
        counts.count(call())
        counts.count(call("acme_corp"))
    two.count(call(outcome="rate_limited", answer_bytes=0))
    two.count(call(outcome="unavailable", answer_bytes=0, milliseconds=70.6))
    two.count(call(audience="provider"))
    last = clock()
    assert await one.tell()
    assert await two.tell()
    clock.advance(60)
    assert await read_use(valkey_store, "acme", clock()) == MeteredUse(
        calls_this_month=6, refused_this_month=1, failed_this_month=1, milliseconds_this_month=121,
        answer_bytes_this_month=1_600, answer_tokens_this_month=400, calls_last_full_minute=4, running_now=0,
        last_call=last,
    )  # fmt: skip
    assert await calls_of(valkey_store, clock, "acme_corp") == 3


async def test_later_months_and_minutes_begin_at_nothing_and_a_last_call_never_goes_back(
    valkey_store: ValkeyStore, clock: Clock, process: OpenCounts
):
    late, early = process("late"), process("early")
    early.count(call())
    clock.advance(90)
    late.count(call())
    last = clock()
    assert await late.tell()
    assert await early.tell(), "told late, as after Valkey was away"
    clock.advance(60)
    use = await read_use(valkey_store, "acme", clock())
    assert use is not None
    assert (use.calls_this_month, use.calls_last_full_minute, use.last_call) == (2, 1, last)
    clock.now += timedelta(days=40)
    use = await read_use(valkey_store, "acme", clock())
    assert use is not None
    assert (use.calls_this_month, use.calls_last_full_minute, use.last_call) == (0, 0, last)


async def test_running_calls_are_the_leases_that_have_not_ended(
    valkey_store: ValkeyStore, valkey_url: str, clock: Clock
):
    async with Valkey.from_url(valkey_url) as client:  # pyright: ignore[reportUnknownMemberType]
        ledger, limits = ValkeyLedger(client), Limits(600, 100, 10)
        for lease in ("a", "b"):
            assert await ledger.enter("acme", limits, lease) is None
        clock.now = clock.now.fromtimestamp(time.time(), clock.now.tzinfo)
        use = await read_use(valkey_store, "acme", clock())
        assert use is not None
        assert use.running_now == 2
        await ledger.leave("acme", "a")
        clock.advance(600)
        use = await read_use(valkey_store, "acme", clock())
        assert use is not None
        assert use.running_now == 0, "what a dead process holds has ended"


async def test_every_key_is_its_tenants_and_ends_by_itself(
    valkey_store: ValkeyStore, valkey_admin: Any, process: OpenCounts
):
    counts = process()
    counts.count(call())
    counts.count(call("globex"))
    assert await counts.tell()
    names = [name.decode() for name in valkey_admin.keys("*")]
    assert len(names) == 8
    assert all(name.startswith(("ts:{acme}:metering:", "ts:{globex}:metering:")) for name in names)
    for name in names:
        assert 0 < valkey_admin.ttl(name) <= (600 if ":minute:" in name or ":told:" in name else 8_640_000)


async def test_what_was_told_and_not_acknowledged_counts_once_when_told_again(
    valkey_part: RunningPart, valkey_url: str, valkey_store: ValkeyStore, clock: Clock, process: OpenCounts
):
    """The answer is lost on the way back, so that the process cannot know whether Valkey has it."""
    async with TcpProxy(valkey_part.port) as proxy:
        url = valkey_url.replace(str(valkey_part.port), str(proxy.port))
        limits = ValkeyLimits(timeout_seconds=0.2, connect_seconds=0.5)
        async with ValkeyStore(url, limits=limits) as store:
            counts = process(store=store)
            counts.count(call())
            assert await counts.tell()
            counts.count(call())
            proxy.answers_lost = True
            assert not await counts.tell()
            proxy.answers_lost = False
            assert await calls_of(valkey_store, clock) == 2, "Valkey has it"
            counts.count(call())
            assert await counts.tell()
    assert await calls_of(valkey_store, clock) == 3


async def test_while_valkey_is_down_counts_are_kept_within_bounds_and_told_when_it_is_back(
    valkey_part: RunningPart,
    valkey_store: ValkeyStore,
    clock: Clock,
    process: OpenCounts,
    caplog: pytest.LogCaptureFixture,
):
    counts = process(max_tenants=3)
    valkey_part.kill()
    try:
        for tenant in ("acme", "globex", "acme"):
            counts.count(call(tenant))
        for _ in range(3):
            assert not await counts.tell()
        assert await read_use(valkey_store, "acme", clock()) is None
        for number in range(5):
            counts.count(call(f"later-{number}"))
        assert not await counts.tell()
    finally:
        valkey_part.start()
    with caplog.at_level(logging.INFO, "tenantscope_core.metering"):
        assert await counts.tell()
    assert [await calls_of(valkey_store, clock, tenant) for tenant in ("acme", "globex", "later-0")] == [2, 1, 1]
    assert await calls_of(valkey_store, clock, "later-4") == 0
    said = [record.getMessage() for record in caplog.records if record.name == "tenantscope_core.metering.counts"]
    assert "2 calls were not counted: too many tenants at once" in said
    assert sum("kept here" in line for line in said) == 1, "however often it was tried"


async def test_a_valkey_that_hangs_is_waited_for_no_longer_than_the_bound(
    valkey_part: RunningPart, valkey_url: str, process: OpenCounts
):
    async with TcpProxy(valkey_part.port) as proxy:
        store = ValkeyStore(valkey_url.replace(str(valkey_part.port), str(proxy.port)))
        async with store:
            counts = process(store=store)
            proxy.silent = True
            counts.count(call())
            with anyio.fail_after(FLUSH_SECONDS + 1):
                assert not await counts.tell()


async def test_what_no_waiting_mends_is_said_and_keeps_nobody_else_from_being_counted(
    valkey_store: ValkeyStore, valkey_admin: Any, clock: Clock, process: OpenCounts, caplog: pytest.LogCaptureFixture
):
    valkey_admin.set("ts:{globex}:metering:month:2026-10", "no hash")
    counts = process()
    counts.count(call("globex"))
    assert await counts.tell()
    assert "the use of 1 tenants is not counted: ResponseError" in caplog.text
    counts.count(call("acme"))
    assert await counts.tell()
    assert await calls_of(valkey_store, clock) == 1


async def test_it_is_told_by_itself_and_the_rest_at_the_end(
    valkey_store: ValkeyStore, clock: Clock, process: OpenCounts
):
    counts = process()
    async with telling(counts):
        counts.count(call())
    assert await calls_of(valkey_store, clock) == 1
    with anyio.move_on_after(10) as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: counts.keep_telling(every_seconds=0.001))
            counts.count(call())
            while await calls_of(valkey_store, clock) < 2:
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
    assert not scope.cancelled_caught


class LosesACancellation(UseCounts):
    """As a client's library does that takes it for the end of its own wait."""

    async def keep_telling(self, **_: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await anyio.sleep_forever()
        await super().keep_telling()


async def test_a_cancellation_that_gets_lost_keeps_no_server_from_ending(valkey_store: ValkeyStore, clock: Clock):
    counts = LosesACancellation(lambda: valkey_store, process="p1", clock=clock)

    async def a_servers_life() -> None:
        async with telling(counts):
            await anyio.sleep(0.01)  # the task has begun
            counts.count(call())

    ended, _ = await asyncio.wait([asyncio.create_task(a_servers_life())], timeout=10)
    assert ended
    assert await calls_of(valkey_store, clock) == 1


def test_nothing_of_valkeys_library_is_imported_before_something_is_told():
    code = "import sys, tenantscope_core.serving.assembly; print('valkey' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
