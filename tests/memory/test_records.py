"""Records written often, late and again: what is sent again counts once, and a long past costs a write nothing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import anyio
import pytest
from memory.asking import BY_NAME, NOW, Agent, Places, process
from memory.writing import NoModel
from tenantscope_core.results.errors import Conflict
from tenantscope_core.stores.postgres import Answer, Statement, TenantTransaction
from tenantscope_core.tool.arguments import flat_schema
from tenantscope_memory.models import TIME_FORM

SEAT = {"kind": "preference", "subject": "seat"}


async def test_a_call_with_a_key_sent_again_late_changes_nothing_whatever_came_in_between(agent: Agent):
    first = await agent.ask("remember", text="Window.", key="call-1", **SEAT)
    agent.clock.advance(minutes=1)
    second = await agent.ask("remember", text="Aisle.", key="call-2", **SEAT)
    agent.clock.advance(minutes=1)
    again = await agent.ask("remember", text="Window.", key="call-1", **SEAT)
    assert (again["record_id"], again["new"], again["supersedes"]) == (first["record_id"], False, [])
    assert again["valid_from"] == first["valid_from"]
    assert [one["record_id"] for one in second["supersedes"]] == [first["record_id"]]
    assert await agent.found("Which seat?") == ["Aisle."]
    back = await agent.ask("remember", text="Window.", key="call-3", **SEAT)
    assert back["new"], "what is said anew has a key of its own"


async def test_the_key_of_a_call_that_found_its_record_there_is_known_too(agent: Agent):
    first = await agent.ask("remember", text="Window.", **SEAT)
    assert (await agent.ask("remember", text="Window.", key="call-1", **SEAT))["record_id"] == first["record_id"]
    agent.clock.advance(minutes=1)
    await agent.ask("remember", text="Aisle.", **SEAT)
    assert not (await agent.ask("remember", text="Window.", key="call-1", **SEAT))["new"]
    assert await agent.found("Which seat?") == ["Aisle."]


async def test_a_key_is_its_actors_and_names_one_content(agent: Agent):
    await agent.ask("remember", text="Window.", key="call-1", **SEAT)
    for other in ({"text": "Aisle.", **SEAT}, {"text": "Window.", "subject": "desk"}):
        with pytest.raises(Conflict) as refused:
            await agent.ask("remember", key="call-1", **other)
        assert refused.value.parameter == "key"
    assert (await agent.ask("remember", text="Aisle.", key="call-1", actor="alice", **SEAT))["new"]
    assert (await agent.as_(tenant="globex").ask("remember", text="Aisle.", key="call-1", **SEAT))["new"]


async def test_one_key_from_two_processes_at_once_counts_once(places: Places):
    modelless = Places(places.dsn, places.valkey_url, NoModel())
    answers: list[str] = []

    async def write(agent: Agent, subject: str) -> None:
        try:
            answers.append(str((await agent.ask("remember", text="Window.", subject=subject, key="call-1"))["new"]))
        except Conflict:
            answers.append("refused")

    async with process(modelless) as one, process(modelless) as two, anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(write, Agent((one, two)[number % 2]), f"seat {number % 3}")
    assert (answers.count("True"), answers.count("False"), answers.count("refused")) == (1, 3, 8)


def test_only_a_tool_that_is_never_again_of_effect_says_so():
    assert not BY_NAME["remember"].effects.idempotent, "without a key, what was superseded since takes over again"
    assert BY_NAME["add_events"].effects.idempotent


async def test_a_write_reads_at_most_two_records_of_a_subject_however_long_its_past_and_future(
    places: Places, monkeypatch: pytest.MonkeyPatch
):
    most = 0
    run = TenantTransaction.run

    async def counted(self: TenantTransaction, statements: list[Statement], *, commit: bool = False) -> list[Answer]:
        nonlocal most
        answers = await run(self, statements, commit=commit)
        most = max(most, *(len(answer.rows) for answer in answers))
        return answers

    async with process(Places(places.dsn, places.valkey_url, NoModel())) as sources:
        agent = Agent(sources)
        for days in (*range(-9, 10), *range(0, 3)):
            at = str(NOW + timedelta(days=days))
            await agent.ask("remember", text=f"Seat {days}.", subject="seat", valid_from=at)
        monkeypatch.setattr(TenantTransaction, "run", counted)
        at = NOW + timedelta(days=1, hours=1)
        new = await agent.ask("remember", text="Seat anew.", subject="seat", valid_from=str(at))
    assert [one["text"] for one in new["supersedes"]] == ["Seat 1."]
    assert new["superseded_by"]["text"] == "Seat 2."
    assert 0 < most <= 2


@pytest.mark.parametrize(("tool", "count"), [("add_events", 1), ("remember", 2), ("recall", 3)])
def test_every_time_that_a_tool_takes_has_its_form_in_its_description(tool: str, count: int):
    times = [node for node in _nodes(flat_schema(BY_NAME[tool].arguments)) if node.get("format") == "date-time"]
    assert [TIME_FORM in str(node.get("description")) for node in times] == [True] * count


def _nodes(schema: object) -> Iterator[dict[str, object]]:
    """Every object within a schema."""
    if isinstance(schema, dict):
        node = cast(dict[str, object], schema)
        yield node
        for value in node.values():
            yield from _nodes(value)
