"""What holds of both ledgers, that of one process and that of Valkey."""

from typing import Any

import anyio
import pytest
from fixtures.clock import Seconds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tenantscope_core.admission.ledger import Bound, LateLedger, Ledger, LocalLedger
from tenantscope_core.admission.limits import Limits
from tenantscope_core.admission.valkey import ValkeyLedger
from valkey.asyncio import Valkey

SLOW = Limits(per_minute=0.001, burst=3, concurrent=100)
NARROW = Limits(per_minute=60_000, burst=1_000, concurrent=2)


@pytest.fixture(params=["local", "valkey", "late"])
def ledger(request: pytest.FixtureRequest, monotonic: Seconds, valkey: Valkey) -> Ledger:
    match request.param:
        case "local":
            return LocalLedger(monotonic=monotonic)
        case "valkey":
            return ValkeyLedger(valkey)
        case _:
            return LateLedger(lambda: ValkeyLedger(valkey))


async def admitted(ledger: Ledger, caller_key: str, limits: Limits, calls: int) -> int:
    return [await ledger.enter(caller_key, limits, f"lease-{n}") for n in range(calls)].count(None)


async def test_a_burst_is_let_through_and_then_the_rate_holds(ledger: Ledger):
    assert await admitted(ledger, "acme", SLOW, 10) == 3
    refusal = await ledger.enter("acme", SLOW, "one-more")
    assert refusal is not None
    assert refusal.bound is Bound.RATE
    assert refusal.retry_after_seconds == pytest.approx(60_000, rel=0.01)


async def test_one_tenants_storm_takes_nothing_from_another(ledger: Ledger):
    assert await admitted(ledger, "noisy", SLOW, 200) == 3
    assert await admitted(ledger, "quiet", SLOW, 3) == 3


async def test_only_so_many_calls_run_side_by_side_and_an_ended_one_makes_room(ledger: Ledger):
    assert await admitted(ledger, "acme", NARROW, 5) == 2
    refusal = await ledger.enter("acme", NARROW, "late")
    assert refusal is not None
    assert refusal.bound is Bound.CONCURRENCY
    assert 0 < refusal.retry_after_seconds <= 1
    await ledger.leave("acme", "lease-0")
    assert await ledger.enter("acme", NARROW, "late") is None


async def test_a_refused_call_costs_no_token(ledger: Ledger):
    one_at_a_time = Limits(per_minute=0.001, burst=2, concurrent=1)
    assert await admitted(ledger, "acme", one_at_a_time, 20) == 1
    await ledger.leave("acme", "lease-0")
    assert await ledger.enter("acme", one_at_a_time, "second") is None


async def test_leaving_twice_or_without_a_lease_frees_nothing(ledger: Ledger):
    assert await admitted(ledger, "acme", NARROW, 2) == 2
    for _ in range(2):
        await ledger.leave("acme", "lease-0")
    await ledger.leave("acme", "nobody")
    await ledger.leave("unknown", "nobody")
    assert await admitted(ledger, "acme", NARROW, 5) == 1


async def test_a_lower_limit_holds_at_once(ledger: Ledger):
    assert await ledger.enter("acme", Limits(per_minute=1, burst=100, concurrent=10), "first") is None
    assert await admitted(ledger, "acme", SLOW, 50) == 3


async def test_a_higher_limit_is_felt_at_once_without_a_full_bucket_being_given_away(monotonic: Seconds):
    ledger = LocalLedger(monotonic=monotonic)
    assert await admitted(ledger, "acme", Limits(per_minute=60, burst=2, concurrent=100), 10) == 2
    raised = Limits(per_minute=600, burst=50, concurrent=100)
    assert await admitted(ledger, "acme", raised, 10) == 0
    monotonic.advance(1)
    assert await admitted(ledger, "acme", raised, 20) == 10


async def test_a_higher_limit_is_felt_at_once_in_valkey_too(valkey: Valkey):
    ledger = ValkeyLedger(valkey)
    assert await admitted(ledger, "acme", SLOW, 10) == 3
    raised = Limits(per_minute=600_000, burst=100, concurrent=1_000)
    with anyio.fail_after(5):
        while await ledger.enter("acme", raised, "waiting") is not None:
            await anyio.sleep(0.005)
    assert await admitted(ledger, "acme", SLOW, 10) <= 3, "what is above the lower burst is cut again"


async def test_more_may_run_side_by_side_at_once_where_that_is_raised_and_fewer_where_it_is_lowered(ledger: Ledger):
    assert await admitted(ledger, "acme", NARROW, 5) == 2
    wide = Limits(per_minute=60_000, burst=1_000, concurrent=3)
    assert await ledger.enter("acme", wide, "third") is None
    await ledger.leave("acme", "third")
    refusal = await ledger.enter("acme", NARROW, "third")
    assert refusal is not None
    assert refusal.bound is Bound.CONCURRENCY


async def test_concurrent_entries_never_exceed_the_limit(ledger: Ledger):
    refusals: list[Any] = []

    async def enter(number: int) -> None:
        refusals.append(await ledger.enter("acme", NARROW, f"lease-{number}"))

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(enter, number)
    assert refusals.count(None) == 2


@given(st.lists(st.floats(0, 30), max_size=60), st.floats(1, 600), st.integers(1, 20))
async def test_never_more_than_burst_and_rate_together(pauses: list[float], per_minute: float, burst: int):
    """In any stretch, calls let in are at most the burst plus what the rate gives in that time."""
    monotonic = Seconds()
    ledger, limits = LocalLedger(monotonic=monotonic), Limits(per_minute, burst, 1_000)
    let_in = 0
    for number, pause in enumerate(pauses):
        monotonic.advance(pause)
        let_in += await ledger.enter("acme", limits, str(number)) is None
    assert let_in <= burst + sum(pauses) * limits.per_second + 0.001


@given(st.floats(1, 6_000), st.integers(1, 20))
async def test_who_waits_as_long_as_told_is_let_in_and_no_sooner(per_minute: float, burst: int):
    monotonic = Seconds()
    ledger, limits = LocalLedger(monotonic=monotonic), Limits(per_minute, burst, 1_000)
    assert await admitted(ledger, "acme", limits, burst) == burst
    refusal = await ledger.enter("acme", limits, "early")
    assert refusal is not None
    monotonic.advance(refusal.retry_after_seconds * 0.9)
    assert await ledger.enter("acme", limits, "early") is not None
    monotonic.advance(refusal.retry_after_seconds * 0.1)
    assert await ledger.enter("acme", limits, "on-time") is None


async def test_the_local_ledger_is_bounded_and_forgets_nobody_who_is_at_work(monotonic: Seconds):
    ledger = LocalLedger(monotonic=monotonic, max_accounts=10)
    assert await admitted(ledger, "busy", NARROW, 2) == 2
    for number in range(100):
        await ledger.enter(f"tenant-{number}", NARROW, "lease")
        await ledger.leave(f"tenant-{number}", "lease")
    assert len(ledger) <= 11
    assert await ledger.enter("busy", NARROW, "third") is not None


async def test_a_dead_replicas_slots_come_back_when_its_leases_end(valkey: Valkey):
    dead, alive = ValkeyLedger(valkey, lease_seconds=0.05), ValkeyLedger(valkey)
    assert await admitted(dead, "acme", NARROW, 5) == 2
    refusal = await alive.enter("acme", NARROW, "waiting")
    assert refusal is not None
    assert refusal.retry_after_seconds <= 0.05, "the first lease to end is when to come back"
    with anyio.fail_after(5):
        while await alive.enter("acme", NARROW, "waiting") is not None:
            await anyio.sleep(0.005)


async def test_replicas_count_together(valkey: Valkey):
    replicas = [ValkeyLedger(valkey) for _ in range(3)]
    counts = [await admitted(replica, "acme", SLOW, 3) for replica in replicas]
    assert sum(counts) == 3


async def test_keys_carry_the_tenant_in_braces_and_end_by_themselves(valkey: Valkey):
    await ValkeyLedger(valkey).enter("acme", NARROW, "lease")
    keys: list[bytes] = await valkey.keys("*")  # pyright: ignore[reportUnknownMemberType]
    assert sorted(keys) == [b"ts:{acme}:admission:bucket", b"ts:{acme}:admission:leases"]
    for key in keys:
        assert 0 < await valkey.pttl(key) <= 121_000


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["enter", "leave"]), st.integers(0, 5)), max_size=30))
async def test_both_ledgers_answer_alike(valkey: Valkey, steps: list[tuple[str, int]]):
    """Any history of entering and leaving, at a rate so slow that the clock does not matter."""
    await valkey.flushall()  # pyright: ignore[reportUnknownMemberType]
    limits = Limits(per_minute=0.001, burst=8, concurrent=3)
    local, shared = LocalLedger(monotonic=Seconds()), ValkeyLedger(valkey)
    for step, number in steps:
        if step == "leave":
            await local.leave("acme", str(number))
            await shared.leave("acme", str(number))
            continue
        here, there = await local.enter("acme", limits, str(number)), await shared.enter("acme", limits, str(number))
        assert (here and here.bound) == (there and there.bound)


async def test_a_late_ledger_is_opened_once_and_by_the_first_call(monotonic: Seconds):
    opened: list[LocalLedger] = []

    def open_ledger() -> LocalLedger:
        opened.append(LocalLedger(monotonic=monotonic))
        return opened[-1]

    ledger = LateLedger(open_ledger)
    assert not opened
    assert await admitted(ledger, "acme", SLOW, 10) == 3
    assert len(opened) == 1
