"""Conversations rebuilt: in order, on any branch, within a budget, each event once."""

from dataclasses import replace

import pytest
from fixtures.stores import RunningPart
from fixtures.tcp_proxy import TcpProxy
from memory.asking import Agent, Places, process
from tenantscope_core.results.errors import Conflict, InvalidArgument, InvalidCursor, NotFound


async def test_what_is_said_comes_back_in_order_and_nothing_twice(agent: Agent):
    first = await agent.say("trip", "hello", "hi, where to?")
    again = await agent.say("trip", "hello", "hi, where to?", "to Lisbon")
    assert (first["seqs"], first["added"], first["already_there"]) == ([1, 2], 2, 0)
    assert (again["seqs"], again["added"], again["already_there"]) == ([1, 2, 3], 1, 2)
    assert await agent.texts("trip") == ["hello", "hi, where to?", "to Lisbon"]
    answer = await agent.ask("get_conversation", session="trip")
    assert [event["seq"] for event in answer["events"]] == [1, 2, 3]
    assert answer["left_out"] == {"earlier": 0, "later": 0}
    assert not answer["truncated"]


async def test_the_last_turns_fit_the_budget_and_the_rest_is_counted(agent: Agent):
    await agent.say("trip", *(f"{number:03d} " + "word " * 30 for number in range(60)))
    answer = await agent.ask("get_conversation", session="trip", max_tokens=500)
    assert answer["events"][-1]["text"].startswith("059")
    assert 0 < answer["tokens"] <= 500
    assert answer["left_out"] == {"earlier": 60 - len(answer["events"]), "later": 0}
    assert answer["truncated"]
    assert "part=whole" in answer["next"]


async def test_a_branch_has_its_ancestors_up_to_the_fork_and_its_own_after_it(agent: Agent):
    await agent.say("trip", "a", "b", "c", "d")
    await agent.say("trip", "x", "y", branch="other", fork_from=2)
    await agent.say("trip", "e")
    await agent.say("trip", "z", branch="third", fork_from=5)
    assert await agent.texts("trip") == ["a", "b", "c", "d", "e"]
    assert await agent.texts("trip", branch="other") == ["a", "b", "x", "y"]
    assert await agent.texts("trip", branch="third") == ["a", "b", "x", "z"]
    answer = await agent.ask("get_conversation", session="trip", branch="third")
    assert [event.get("branch") for event in answer["events"]] == ["main", "main", "other", None]
    assert (answer["other_branches"], answer["other_branch_count"]) == (["main", "other"], 2)


async def test_a_branch_needs_an_event_to_fork_from_and_keeps_it(agent: Agent):
    await agent.say("trip", "a", "b")
    with pytest.raises(NotFound) as missing:
        await agent.say("trip", "x", branch="other")
    assert missing.value.parameter == "branch"
    with pytest.raises(NotFound) as nowhere:
        await agent.say("trip", "x", branch="other", fork_from=9)
    assert nowhere.value.parameter == "fork_from"
    await agent.say("trip", "x", branch="other", fork_from=1)
    await agent.say("trip", "y", branch="other", fork_from=1)
    with pytest.raises(Conflict) as elsewhere:
        await agent.say("trip", "z", branch="other", fork_from=2)
    assert elsewhere.value.parameter == "fork_from"
    assert await agent.texts("trip", branch="other") == ["a", "x", "y"]


async def test_a_key_that_comes_with_other_words_is_a_conflict_and_changes_nothing(agent: Agent):
    await agent.ask("add_events", session="s", events=[{"role": "user", "text": "yes", "key": "1"}])
    events = [{"role": "user", "text": "new", "key": "2"}, {"role": "user", "text": "no", "key": "1"}]
    with pytest.raises(Conflict) as conflict:
        await agent.ask("add_events", session="s", events=events)
    assert conflict.value.parameter == "events"
    assert await agent.texts("s") == ["yes"]


async def test_without_a_key_the_same_words_at_the_same_time_are_one_and_at_another_time_two(agent: Agent):
    yes = {"role": "user", "text": "yes", "at": "2026-10-05T11:00:00Z"}
    later = {**yes, "at": "2026-10-05T11:00:05Z"}
    assert (await agent.ask("add_events", session="s", events=[yes, yes, later]))["seqs"] == [1, 1, 2]
    assert (await agent.ask("add_events", session="s", events=[later]))["already_there"] == 1
    with pytest.raises(InvalidArgument, match="key or an at"):
        await agent.ask("add_events", session="s", events=[{"role": "user", "text": "yes"}])


async def test_a_blob_comes_back_only_where_it_is_asked_for(agent: Agent):
    event = {"role": "tool", "name": "scan", "text": "the boarding pass", "key": "b", "data": "aGVsbG8=",
             "media_type": "image/png"}  # fmt: skip
    await agent.ask("add_events", session="s", events=[event])
    (bare,) = (await agent.ask("get_conversation", session="s"))["events"]
    assert bare["blob"] == {"media_type": "image/png", "bytes": 5}
    (full,) = (await agent.ask("get_conversation", session="s", include_blobs=True))["events"]
    assert full["blob"]["base64"] == "aGVsbG8="


async def test_control_characters_are_replaced_and_counted(agent: Agent):
    text = "a\x00b\x1b[31mc\td\ne"
    added = await agent.ask("add_events", session="s", events=[{"role": "tool", "text": text, "key": "1"}])
    assert added["replaced_characters"] == 2
    assert await agent.texts("s") == ["a\ufffdb\ufffd[31mc\td\ne"]


async def test_what_is_too_large_is_refused_with_what_would_fit(agent: Agent):
    with pytest.raises(InvalidArgument, match="16,000") as one:
        await agent.ask("add_events", session="s", events=[{"role": "user", "text": "ü" * 9_000, "key": "1"}])
    assert one.value.parameter == "events"
    many = [{"role": "user", "text": "x" * 15_000, "key": str(number)} for number in range(10)]
    with pytest.raises(InvalidArgument, match="131,072"):
        await agent.ask("add_events", session="s", events=many)
    with pytest.raises(InvalidArgument, match="at most 100"):
        await agent.ask("add_events", session="s", events=[{"role": "user", "text": "x", "key": "k"}] * 101)
    empty = await agent.ask("get_conversation", session="s")
    assert (empty["events"], empty["event_count"], empty["truncated"]) == ([], 0, False)


async def test_answers_stay_within_bounds_whatever_the_events(agent: Agent):
    events = [{"role": "user", "text": '"' * 7_990, "key": str(number)} for number in range(8)]
    await agent.ask("add_events", session="quotes", events=events)
    await agent.say("short", *(f"{number}" for number in range(100)))
    for session in ("quotes", "short"):
        for part in ("last_turns", "whole"):  # an answer over 25 KB raises
            assert (await agent.ask("get_conversation", session=session, part=part, max_tokens=5_500))["events"]
    assert await agent.texts("quotes") == ['"' * 7_990] * 8
    assert len(await agent.texts("short", max_tokens=50)) == 100


async def test_long_names_and_many_blobs_stay_within_bounds_too(agent: Agent):
    long = "b" * 128
    await agent.say("s", "root", branch="main")
    for start in (0, 100, 200):
        events = [
            {"role": "tool", "text": "", "key": str(start + number), "data": "aA==", "media_type": "x/" + "y" * 80,
             "name": "n"}
            for number in range(100)
        ]  # fmt: skip
        await agent.ask("add_events", session="s", events=events, branch=long, fork_from=1)
    await agent.say("s", "leaf", branch="leaf", fork_from=301)
    for part in ("last_turns", "whole"):
        for blobs in (False, True):
            answer = await agent.ask(
                "get_conversation", session="s", branch="leaf", part=part, max_tokens=5_500, include_blobs=blobs
            )
            assert len(answer["events"]) > 50
    assert len(await agent.texts("s", branch="leaf")) == 302


async def test_a_current_tail_spares_reading_events_and_each_store_is_asked_once(
    places: Places, valkey_part: RunningPart, postgres_part: RunningPart
):
    async with TcpProxy(postgres_part.port) as postgres, TcpProxy(valkey_part.port) as valkey:
        proxied = replace(
            places,
            dsn=places.dsn.replace(f":{postgres_part.port}/", f":{postgres.port}/"),
            valkey_url=places.valkey_url.replace(f":{valkey_part.port}", f":{valkey.port}"),
        )
        async with process(proxied) as sources, process(proxied, with_valkey=False) as blind:
            agent = Agent(sources)

            async def asked() -> tuple[int, int]:
                before = postgres.round_trips, valkey.round_trips
                answer = await agent.ask("get_conversation", session="s")
                assert len(answer["events"]) == answer["event_count"]
                return postgres.round_trips - before[0], valkey.round_trips - before[1]

            await agent.say("s", "a", "b")
            await asked()
            assert await asked() == (1, 1)
            await agent.say("s", "c")
            assert await asked() == (1, 1), "a writer lets its events follow"
            await Agent(blind).say("s", "d")
            assert (await asked())[0] == 2, "the tail is outdated, so the events are read"
            assert await asked() == (1, 1), "and has been filled anew"


async def test_a_cursor_serves_its_own_conversation_alone(agent: Agent):
    for session in ("one", "two"):
        await agent.say(session, *(f"{number} " + "word " * 100 for number in range(10)))
    page = await agent.ask("get_conversation", session="one", part="whole", max_tokens=300)
    more = {"part": "whole", "cursor": page["next_cursor"], "max_tokens": 300}
    assert (await agent.ask("get_conversation", session="one", **more))["events"]
    for other in (agent.as_(tenant="globex"), agent.as_(subject="agent-2")):
        with pytest.raises(InvalidCursor):
            await other.ask("get_conversation", session="one", **more)
    for wrong in ({"session": "two"}, {"session": "one", "actor": "somebody"}, {"session": "one", "branch": "b"}):
        with pytest.raises(InvalidCursor):
            await agent.ask("get_conversation", **wrong, **more)
    with pytest.raises(InvalidCursor):
        await agent.ask("get_conversation", session="one", cursor=page["next_cursor"])
