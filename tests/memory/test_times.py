"""Times as callers write them: one moment is one value, and whatever is kept can be read back."""

import pytest
from memory.asking import Agent
from tenantscope_core.results.errors import InvalidArgument


async def test_one_moment_is_one_event_whatever_zone_it_was_written_in(agent: Agent):
    written = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000+00:00", "2026-01-01T05:30:00+05:30")
    added = [
        (await agent.ask("add_events", session="trip", events=[{"role": "user", "text": "hello", "at": at}]))["added"]
        for at in written
    ]
    assert added == [1, 0, 0]
    hot = await agent.ask("get_conversation", session="trip")
    stored = await agent.ask("get_conversation", session="trip", part="whole")
    assert [event["at"] for event in hot["events"] + stored["events"]] == ["2026-01-01T00:00:00Z"] * 2


async def test_one_record_written_in_two_zones_is_one(agent: Agent):
    first = await agent.ask("remember", text="Lives in Graz.", subject="home", valid_from="2026-01-01T00:00:00Z")
    again = await agent.ask("remember", text="Lives in Graz.", subject="home", valid_from="2026-01-01T02:00:00+02:00")
    assert first["new"]
    assert (again["new"], again["record_id"]) == (False, first["record_id"])


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
async def test_a_time_that_could_not_be_read_back_is_refused(agent: Agent, at: str):
    with pytest.raises(InvalidArgument) as event:
        await agent.ask("add_events", session="trip", events=[{"role": "user", "text": "hello", "at": at}])
    with pytest.raises(InvalidArgument) as record:
        await agent.ask("remember", text="Always so.", valid_from=at)
    assert (event.value.parameter, record.value.parameter) == ("events", "valid_from")


@pytest.mark.parametrize("at", ["0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z"])
async def test_the_first_and_the_last_time_come_back(agent: Agent, at: str):
    await agent.ask("add_events", session="trip", events=[{"role": "user", "text": "hello", "at": at}])
    await agent.ask("remember", text="Hello is a greeting.", valid_from=at)
    answer = await agent.ask("get_conversation", session="trip", part="whole")
    assert [event["at"] for event in answer["events"]] == [at]
    found = await agent.ask("recall", query="hello", as_of=at)
    assert {memory["at"] for memory in found["memories"]} == {at}
    assert len(found["memories"]) == 2
