"""Nothing acknowledged is lost or doubled: many writers, killed processes, a killed PostgreSQL, a killed Valkey."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
import anyio.to_thread
import pytest
from fixtures.stores import RunningPart
from fixtures.tcp_proxy import TcpProxy
from memory.asking import Agent, Places, process
from memory.writing import SESSION, NoModel, events_of
from tenantscope_core.results.errors import Unavailable
from tenantscope_sandbox.state import REPOSITORY

pytestmark = pytest.mark.requirement("nothing-acknowledged-lost")


@pytest.fixture
def modelless(places: Places) -> Places:
    return replace(places, embedder=NoModel())


@pytest.fixture
async def two(modelless: Places) -> AsyncIterator[tuple[Agent, Agent]]:
    """An agent in each of two processes."""
    async with process(modelless) as one, process(modelless) as other:
        yield Agent(one), Agent(other, subject="agent-1")


async def expect_whole(agent: Agent, acknowledged: set[tuple[str, int]]) -> None:
    """Every acknowledged call's events stand there, together and once; every number is given once."""
    found: list[dict[str, object]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await agent.ask("get_conversation", session=SESSION, part="whole", max_tokens=5_500, **cursor)
        found += page["events"]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [event["seq"] for event in found] == list(range(1, page["event_count"] + 1))
    texts = [str(event["text"]) for event in found]
    assert max(Counter(texts).values(), default=1) == 1
    calls = list(zip(texts[::2], texts[1::2], strict=True))
    assert all(first.removesuffix("asks") == second.removesuffix("answers") for first, second in calls)
    assert {f"{writer} {number} asks" for writer, number in acknowledged} <= set(texts)
    for writer in {writer for writer, _ in acknowledged}:
        numbers = [int(text.split()[1]) for text in texts[::2] if text.split()[0] == writer]
        assert numbers == sorted(numbers), "each writer's own order is kept"


async def test_two_hundred_calls_at_once_from_two_processes_lose_and_double_nothing(two: tuple[Agent, Agent]):
    answers: dict[int, list[int]] = {}

    async def add(number: int) -> None:
        answer = await two[number % 2].ask("add_events", session=SESSION, events=events_of(f"w{number}", 0))
        answers[number] = answer["seqs"]

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(add, number)
    assert sorted(seq for seqs in answers.values() for seq in seqs) == list(range(1, 401))
    await expect_whole(two[0], {(f"w{number}", 0) for number in answers})


async def test_the_same_call_many_times_at_once_counts_once(two: tuple[Agent, Agent]):
    async def add(number: int) -> None:
        answer = await two[number % 2].ask("add_events", session=SESSION, events=events_of("w", 0))
        assert answer["seqs"] == [1, 2]

    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(add, number)
    await expect_whole(two[1], {("w", 0)})


async def test_a_killed_process_loses_nothing_that_it_acknowledged(modelless: Places, two: tuple[Agent, Agent]):
    command = [sys.executable, "-m", "memory.writing", modelless.dsn, modelless.valkey_url]
    running = [
        await asyncio.create_subprocess_exec(
            *command, writer, "100000", stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY / "tests"
        )
        for writer in ("one", "two")
    ]
    acknowledged: set[tuple[str, int]] = set()

    async def listen(writer: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            acknowledged.add((writer, int(line)))
            if int(line) == 40:
                process.kill()  # what it printed before it died is still read

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for writer, process in zip(("one", "two"), running, strict=True):
                group.start_soon(listen, writer, process)
        for process in running:
            await process.wait()
    assert {writer for writer, _ in acknowledged} == {"one", "two"}
    await expect_whole(two[0], acknowledged)


class Storm:
    """Writers that append one call after the other while something breaks, each sent again until it is answered."""

    def __init__(self, agents: tuple[Agent, Agent]) -> None:
        self._agents = agents
        self.acknowledged: set[tuple[str, int]] = set()
        self.refused = 0
        self.enough = anyio.Event()

    async def write(self, writer: str, agent: Agent) -> None:
        number = 0
        while not self.enough.is_set():
            try:
                await agent.ask("add_events", session=SESSION, events=events_of(writer, number))
            except Unavailable as failure:
                self.refused += 1
                assert failure.remedy.retry_after_seconds
                await anyio.sleep(0.02)
                continue
            self.acknowledged.add((writer, number))
            number += 1

    async def until(self, more: int) -> None:
        """Wait until so many further calls are acknowledged."""
        aim = len(self.acknowledged) + more
        with anyio.fail_after(30):
            while len(self.acknowledged) < aim:
                await anyio.sleep(0.01)


@pytest.mark.parametrize("part", ["postgres_part", "valkey_part"])
async def test_a_store_killed_under_load_costs_no_acknowledged_event(
    part: str, two: tuple[Agent, Agent], request: pytest.FixtureRequest
):
    store: RunningPart = request.getfixturevalue(part)
    storm = Storm(two)
    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(storm.write, f"w{number}", two[number % 2])
        await storm.until(30)
        for _ in range(2):
            await anyio.to_thread.run_sync(store.kill)
            if part == "valkey_part":
                await storm.until(30)  # events go on to PostgreSQL
            await anyio.to_thread.run_sync(store.start)
            await storm.until(30)
        storm.enough.set()
    assert bool(storm.refused) == (part == "postgres_part")
    for agent in two:
        await expect_whole(agent, storm.acknowledged)
        last = await agent.ask("get_conversation", session=SESSION)
        assert last["event_count"] == last["events"][-1]["seq"] >= 2 * len(storm.acknowledged)


async def test_while_postgresql_is_down_nothing_is_served_from_the_copy(modelless: Places, postgres_part: RunningPart):
    async with process(modelless, patience_seconds=0.3) as sources:
        agent = Agent(sources)
        await agent.ask("add_events", session=SESSION, events=events_of("w", 0))
        await anyio.to_thread.run_sync(postgres_part.kill)
        try:
            for tool, given in {
                "add_events": {"session": SESSION, "events": events_of("w", 1)},
                "get_conversation": {"session": SESSION},
                "remember": {"text": "It is down."},
                "recall": {"query": "asks"},
            }.items():
                with pytest.raises(Unavailable) as down:
                    await agent.ask(tool, **given)
                assert down.value.remedy.retry_after_seconds, tool
        finally:
            await anyio.to_thread.run_sync(postgres_part.start)


async def test_a_process_cut_off_from_valkey_leaves_no_outdated_tail_behind(
    modelless: Places, valkey_part: RunningPart
):
    """It appends to PostgreSQL alone; the other, which still reads the old tail in Valkey, sees what was appended."""
    async with TcpProxy(valkey_part.port) as proxy:
        cut_off = replace(modelless, valkey_url=modelless.valkey_url.replace(f":{valkey_part.port}", f":{proxy.port}"))
        async with process(modelless) as near, process(cut_off) as far:
            reader, writer = Agent(near), Agent(far)
            await writer.ask("add_events", session=SESSION, events=events_of("w", 0))
            proxy.retarget(1)  # where nothing answers
            proxy.cut()
            for number in range(1, 6):
                await writer.ask("add_events", session=SESSION, events=events_of("w", number))
                seen = await reader.ask("get_conversation", session=SESSION)
                assert seen["events"][-1]["text"] == f"w {number} answers"
                assert seen["event_count"] == 2 * number + 2
