"""Records and turns found again: by paraphrase, by words, as of then, by those alone whom they belong to."""

from datetime import timedelta

import pytest
from memory.asking import NOW, Agent, Places, process
from tenantscope_core.results.errors import InvalidArgument, NotFound, NotPermitted

AVOID = "The family avoids Blue Falcon Air."
"""Of an airline that does not exist."""


async def test_what_one_process_remembers_another_recalls_from_a_paraphrased_question(places: Places):
    async with process(places) as first, process(places) as second:
        await Agent(first).ask("remember", actor="family-7", text=AVOID, kind="preference", subject="airline to avoid")
        await Agent(first).ask("remember", actor="family-7", text="Seats on the aisle.", kind="preference")
        found = await Agent(second, subject="other-agent").ask(
            "recall", actor="family-7", query="Which carrier would they never fly with?"
        )
        best = found["memories"][0]
        assert (best["text"], best["kind"], best["subject"]) == (AVOID, "preference", "airline to avoid")
        assert found["searched"]["by"] == ["words", "meaning"]
        assert found["searched"]["not_searched"] == []


async def test_a_superseded_preference_keeps_its_past(agent: Agent):
    old = await agent.ask("remember", text="Prefers window seats.", kind="preference", subject="Seat")
    agent.clock.advance(days=10)
    new = await agent.ask("remember", text="Prefers aisle seats.", kind="preference", subject="seat")
    assert [one["record_id"] for one in new["supersedes"]] == [old["record_id"]]
    assert await agent.found("Which seat?") == ["Prefers aisle seats."]
    agent.clock.advance(days=1)
    then = str(NOW + timedelta(days=3))
    assert await agent.found("Which seat?", as_of=then) == ["Prefers window seats."]
    assert await agent.found("Which seat?", known_at=then) == ["Prefers window seats."]
    assert await agent.found("Which seat?", as_of=str(NOW - timedelta(days=1))) == []


async def test_what_is_learnt_late_of_an_earlier_time_ends_where_the_later_begins(agent: Agent):
    def at(days: int) -> str:
        return str(NOW + timedelta(days=days))

    await agent.ask("remember", text="Lives in Berlin.", subject="home", valid_from=at(-100))
    late = await agent.ask("remember", text="Lives in Paris.", subject="home", valid_from=at(-300))
    assert late["supersedes"] == []
    assert late["superseded_by"]["text"] == "Lives in Berlin."
    assert await agent.found("Where do they live?") == ["Lives in Berlin."]
    assert await agent.found("Where do they live?", as_of=at(-200)) == ["Lives in Paris."]
    assert await agent.found("Where do they live?", as_of=at(-400)) == []


async def test_remembering_again_changes_nothing(agent: Agent):
    given = {"text": AVOID, "kind": "preference", "subject": "airline to avoid"}
    first = await agent.ask("remember", **given)
    agent.clock.advance(hours=1)
    again = await agent.ask("remember", **{**given, "text": AVOID.upper()})
    assert (again["record_id"], again["new"], again["supersedes"]) == (first["record_id"], False, [])
    assert await agent.found("airline") == [AVOID]


async def test_near_duplicates_are_listed_and_both_stay(agent: Agent):
    first = await agent.ask("remember", text="The customer is allergic to peanuts.")
    second = await agent.ask("remember", text="The customer is allergic to the peanuts.")
    assert second["new"]
    assert [one["record_id"] for one in second["may_repeat"]] == [first["record_id"]]
    assert len(await agent.found("allergies")) == 2


async def test_long_records_that_may_say_the_same_are_shortened_and_their_length_is_told(agent: Agent):
    long = "\U00020010" * 1_990
    for number in range(4):
        await agent.ask("remember", text=f"{long} {number}")
    await agent.ask("remember", text=f"{long} later", subject="it", valid_from=str(NOW + timedelta(days=9)))
    await agent.ask("remember", text=f"{long} before", subject="it")
    written = await agent.ask("remember", text=f"{long} now", subject="it")
    others = [*written["supersedes"], written["superseded_by"], *written["may_repeat"]]
    assert len(others) == 5
    assert all(len(other["text"]) < other["characters"] and other["characters"] > 1_990 for other in others)


async def test_turns_and_records_are_found_together_and_narrowed_by_kind_namespace_and_time(agent: Agent):
    await agent.say("trip", "We would like a hotel near the beach", "Noted: a hotel near the beach")
    await agent.ask("remember", text="Books hotels near the beach.", kind="preference", namespace="travel")
    everything = await agent.ask("recall", query="hotel near the beach")
    assert {memory["kind"] for memory in everything["memories"]} == {"turn", "preference"}
    assert await agent.found("hotel", kinds=["preference"]) == ["Books hotels near the beach."]
    in_namespace = await agent.ask("recall", query="hotel", namespace="travel")
    assert [memory["kind"] for memory in in_namespace["memories"]] == ["preference"]
    assert any("namespace" in gap for gap in in_namespace["searched"]["not_searched"])
    assert await agent.found("hotel", namespace="billing") == []
    assert await agent.found("hotel", since=str(NOW + timedelta(days=1))) == []


async def test_without_a_query_the_most_important_and_the_newest_come_first(agent: Agent):
    await agent.ask("remember", text="Dull.", importance=0.1)
    await agent.ask("remember", text="Vital.", importance=1.0)
    assert (await agent.found(None))[0] == "Vital."


async def test_no_actor_and_no_tenant_sees_anothers(agent: Agent):
    await agent.say("trip", "the secret is swordfish", actor="alice")
    await agent.ask("remember", text="The secret is swordfish.", actor="alice")
    await agent.ask("remember", text="Swordfish is on the menu.", shared=True, actor="alice")
    assert len(await agent.found("swordfish", actor="alice")) == 3
    assert await agent.found("swordfish", actor="bob") == ["Swordfish is on the menu."]
    assert await agent.found("swordfish") == ["Swordfish is on the menu."]
    stranger = agent.as_(tenant="globex")
    for actor in ("alice", "bob", "agent-1"):
        assert await stranger.found("swordfish", actor=actor) == []
        assert await stranger.texts("trip", actor=actor) == []
    assert await agent.texts("trip", actor="bob") == []


async def test_where_actors_are_pinned_a_caller_reaches_its_own_memory_alone(places: Places):
    async with process(places) as free, process(places, pinned=True) as pinned:
        await Agent(free).say("trip", "mine", actor="alice")
        alice, bob = Agent(pinned, subject="alice"), Agent(pinned, subject="bob")
        assert await alice.texts("trip") == await alice.texts("trip", actor="alice") == ["mine"]
        for tool, given in {
            "add_events": {"session": "trip", "events": [{"role": "user", "text": "x", "key": "k"}]},
            "get_conversation": {"session": "trip"},
            "remember": {"text": "x"},
            "recall": {"query": "mine"},
        }.items():
            with pytest.raises(NotPermitted):
                await bob.ask(tool, actor="alice", **given)
        with pytest.raises(NotPermitted):
            await bob.ask("remember", text="Everybody: obey.", shared=True)
        assert await bob.found("mine") == []


async def test_sources_are_events_of_the_same_actor(agent: Agent):
    await agent.say("trip", "no Blue Falcon, please")
    made = await agent.ask("remember", text=AVOID, sources=["trip#1"])
    assert made["new"]
    for wrong in (["trip#2"], ["other#1"], ["trip#1", "trip#7"]):
        with pytest.raises(NotFound) as missing:
            await agent.ask("remember", text="Else.", sources=wrong)
        assert missing.value.parameter == "sources"
    with pytest.raises(NotFound):
        await agent.ask("remember", text="Else.", actor="somebody", sources=["trip#1"])
    with pytest.raises(InvalidArgument):
        await agent.ask("remember", text="Else.", sources=["trip"])
    assert await agent.found("Else.", kinds=["fact"]) == [AVOID]
