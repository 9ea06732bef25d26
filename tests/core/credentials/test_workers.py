"""Worker threads: bounded, also by those whose callers have gone."""

import threading

import anyio
import pytest
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.credentials.workers import CallLimits, Workers


async def until(condition: "threading.Event | None" = None, *, idle: Workers | None = None) -> None:
    with anyio.fail_after(10):
        while (condition is not None and not condition.is_set()) or (idle is not None and idle.busy):
            await anyio.sleep(0)


async def test_an_abandoned_thread_counts_until_it_ends():
    workers = Workers(CallLimits(concurrent=1, deadline_seconds=0.05, attempts=1), random=lambda: 0.5)
    started, release = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        release.wait(10)

    with pytest.raises(AwsError, match="Timeout"):
        await workers.run("hang", hang)
    assert started.is_set()
    assert workers.busy == 1
    with pytest.raises(AwsError, match="Timeout"):
        await workers.run("next", lambda: None)
    release.set()
    await until(idle=workers)
    assert await workers.run("next", lambda: "served") == "served"


async def test_a_call_cancelled_while_it_waits_for_a_thread_leaves_no_trace():
    workers = Workers(CallLimits(concurrent=1, attempts=1), random=lambda: 0.5)
    started, release = threading.Event(), threading.Event()
    ran = threading.Event()

    def hold() -> None:
        started.set()
        release.wait(10)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(workers.run, "hold", hold)
        await until(started)
        with anyio.move_on_after(0.01):
            await workers.run("second", ran.set)
        release.set()
    await until(idle=workers)
    assert not ran.is_set()


async def test_what_a_thread_raises_gives_its_slot_back():
    workers = Workers(CallLimits(concurrent=1, attempts=1), random=lambda: 0.5)

    def fail() -> None:
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            await workers.run("fail", fail)
    assert workers.busy == 0
