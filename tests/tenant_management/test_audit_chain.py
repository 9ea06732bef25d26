"""The chain of audit entries: whatever is done to it afterwards is found, and what is secret never got in."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tenantscope_tenant_management.audit import (
    HIDDEN,
    Actor,
    Entry,
    Head,
    Note,
    broken_at,
    changes,
    head_of,
    next_entry,
    without_secrets,
)

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
words = st.text('abcdefg .:/é\n"', max_size=12)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=3,
)
notes = st.builds(
    Note,
    action=words,
    target=st.none() | words,
    before=st.dictionaries(words, json_values, max_size=2),
    after=st.dictionaries(words, json_values, max_size=2),
    note=st.none() | words,
)
actors = st.builds(
    Actor,
    subject=words,
    audience=st.sampled_from(["tenant", "provider"]),
    agents=st.lists(words, max_size=2).map(tuple),
)
clocks = st.integers(-(10**12), 10**12).map(lambda micros: START + timedelta(microseconds=micros))


@st.composite
def chains(draw: st.DrawFn, least: int = 1) -> list[Entry]:
    """Entries of one tenant, by writers whose clocks do as they like."""
    found: list[Entry] = []
    head = Head.none()
    for number in range(draw(st.integers(least, 4))):
        version = draw(st.none() | st.integers(0, 9))
        given_salt = f"{number}-{draw(words)}"
        entry = next_entry("acme", head, draw(notes), draw(actors), now=draw(clocks), salt=given_salt, version=version)
        found.append(entry)
        head = head_of(entry)
    return found


@settings(max_examples=60)
@given(chains())
def test_what_was_written_is_whole_from_any_entry_on_and_its_times_never_run_backwards(chain: list[Entry]):
    assert [entry.seq for entry in chain] == list(range(1, len(chain) + 1))
    assert [entry.at for entry in chain] == sorted(entry.at for entry in chain)
    for start in range(len(chain)):
        assert broken_at(chain[start:], head=head_of(chain[-1])) is None
    assert broken_at([], head=Head.none()) is None


@settings(max_examples=60)
@given(chains(), st.data())
def test_any_one_field_that_is_changed_is_found_where_it_is(chain: list[Entry], data: st.DataObject):
    place = data.draw(st.integers(0, len(chain) - 1))
    entry = chain[place]
    name = data.draw(st.sampled_from([one.name for one in fields(Entry)]))
    changed = replace(entry, **{name: data.draw(others_of(name, getattr(entry, name)))})
    found = broken_at([*chain[:place], changed, *chain[place + 1 :]])
    assert found == (place + 1 if place else changed.seq), "of the first that is given, nothing before tells its number"


def others_of(name: str, value: Any) -> st.SearchStrategy[Any]:
    """Anything else that a field could hold; details may not just be gone, for that is what erasing does."""
    choices: dict[str, st.SearchStrategy[Any]] = {
        "seq": st.integers(1, 20), "version": st.none() | st.integers(0, 9), "at": clocks, "actor": actors,
        "target": st.none() | words, "details": words | st.just(f"{value} "),
        "salt": st.none() | words,
    }  # fmt: skip
    return choices.get(name, words).filter(lambda other: other != value)


@settings(max_examples=60)
@given(chains(least=2), st.data())
def test_an_entry_that_was_taken_out_of_the_middle_is_missed_by_its_number(chain: list[Entry], data: st.DataObject):
    place = data.draw(st.integers(1, len(chain) - 1))
    assume(place < len(chain) - 1)
    assert broken_at([*chain[:place], *chain[place + 1 :]]) == place + 1


@settings(max_examples=60)
@given(chains(), st.data())
def test_entries_taken_off_the_end_are_missed_by_whoever_knows_the_head(chain: list[Entry], data: st.DataObject):
    left = data.draw(st.integers(0, len(chain) - 1))
    assert broken_at(chain[:left]) is None
    assert broken_at(chain[:left], head=head_of(chain[-1])) == len(chain)


@settings(max_examples=60)
@given(chains(), st.data())
def test_entries_taken_off_the_beginning_are_missed_by_whoever_reads_that_far(chain: list[Entry], data: st.DataObject):
    assert broken_at(chain, begins=True) is None
    gone = data.draw(st.integers(1, len(chain)))
    assert broken_at(chain[gone:]) is None
    assert broken_at(chain[gone:], head=head_of(chain[-1]), begins=True) == (1 if gone < len(chain) else len(chain))


@settings(max_examples=60)
@given(chains(least=2), st.data())
def test_two_entries_in_each_others_place_are_found_at_the_first(chain: list[Entry], data: st.DataObject):
    first = data.draw(st.integers(0, len(chain) - 2))
    second = data.draw(st.integers(first + 1, len(chain) - 1))
    swapped = list(chain)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    found = broken_at(swapped)
    # Whoever begins to read in the middle takes the first that is shown for what it says, and misses what follows.
    assert found == (first + 1 if first else chain[second].seq + 1)


@settings(max_examples=60)
@given(chains(), notes, actors, st.data())
def test_an_entry_that_was_slipped_in_is_found_where_it_stands(
    chain: list[Entry], note: Note, actor: Actor, data: st.DataObject
):
    place = data.draw(st.integers(0, len(chain) - 1))
    head = head_of(chain[place])
    forged = next_entry("acme", head, note, actor, now=START, salt="forged", version=None)
    slipped = [*chain[: place + 1], forged, *chain[place + 1 :]]
    # Well made, it follows what it was slipped in after; what was written there does not follow it.
    found = broken_at(slipped, head=head_of(chain[-1]))
    assert found == (place + 3 if place < len(chain) - 1 else len(chain))


@settings(max_examples=60)
@given(chains(), st.sets(st.integers(1, 5)))
def test_details_that_were_erased_break_nothing(chain: list[Entry], erased: set[int]):
    left = [replace(one, details=None, salt=None) if one.seq in erased else one for one in chain]
    assert broken_at(left, head=head_of(chain[-1])) is None
    assert all(one.shown == {} for one in left if one.seq in erased)


@settings(max_examples=60)
@given(chains(), chains())
def test_one_tenants_entry_does_not_serve_in_anothers_chain(chain: list[Entry], others: list[Entry]):
    moved = [replace(entry, tenant="globex") for entry in chain]
    assert broken_at(moved) == 1
    assume(others[0].hash != chain[0].hash)
    assert len(others) == 1 or broken_at([chain[0], *others[1:]]) == 2


def test_an_entry_is_the_same_instant_whatever_zone_its_writer_is_in():
    written = [
        next_entry("acme", Head.none(), Note("a"), Actor("s", "tenant"), now=now, salt="s", version=None)
        for now in (START, START.astimezone(timezone(timedelta(hours=5, minutes=30))))
    ]
    assert written[0] == written[1]


def test_the_same_details_under_another_salt_have_another_digest():
    written = [
        next_entry("acme", Head.none(), Note("a"), Actor("s", "tenant"), now=START, salt=salt, version=None)
        for salt in ("one", "two")
    ]
    assert written[0].digest != written[1].digest


# What is not written down

SECRET_NAMES = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "clientSecret", "client_secret", "token",
    "access_token", "apiKey", "api_key", "api-key", "x-api-key", "accessKeyId", "access_key", "signingKey",
    "encryption_key", "privateKey", "credentials", "Authorization", "bearer", "cookie", "OAuth",
)  # fmt: skip
PLAIN_NAMES = ("locale", "theme", "seats", "owner", "keyboard", "monkey", "primary_key", "passengers", "compass")
SECRET = "hunter2"


def nested(value: Any, way: Sequence[str]) -> Any:
    """A value within objects and lists, as a way tells."""
    for step in way:
        value = [value, 1] if step == "list" else {"within": value}
    return value


@given(st.sampled_from(SECRET_NAMES), json_values, st.lists(st.sampled_from(["list", "object"]), max_size=20))
def test_what_is_named_like_a_secret_is_hidden_at_any_depth_and_in_lists(name: str, value: Any, way: list[str]):
    told = without_secrets({"settings": nested({name: [SECRET, {"a": SECRET}, value]}, way)})
    assert SECRET not in repr(told)
    assert HIDDEN in repr(told)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_what_is_named_otherwise_is_told(name: str):
    assert without_secrets({name: {"a": [1, "b", None, True]}}) == {name: {"a": [1, "b", None, True]}}


@given(st.dictionaries(words, json_values, max_size=3))
def test_an_entry_holds_a_digest_of_what_it_shows_and_nothing_of_a_secret(before: dict[str, Any]):
    note = Note("a", before={**before, "secret": SECRET}, after={"list": [{"token": SECRET}]})
    entry = next_entry("acme", Head.none(), note, Actor("s", "tenant"), now=START, salt="s", version=None)
    assert SECRET not in repr(entry)
    assert entry.shown["before"]["secret"] == HIDDEN


# What changed

states = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


@given(states, states)
def test_changes_are_the_fields_by_which_one_state_becomes_the_other(before: dict[str, Any], after: dict[str, Any]):
    was, now = changes(before, after)
    kept = {name: value for name, value in before.items() if name not in was}
    assert kept | now == after
    assert was.keys() <= before.keys()
    assert now.keys() <= after.keys()
    assert all(repr(before[name]) != repr(after[name]) for name in was.keys() & now.keys())
    assert changes(after, before) == (now, was)
    assert changes(before, before) == ({}, {})


@pytest.mark.parametrize(("before", "after"), [(1, True), (False, 0), ([1], [True]), ({"a": 0}, {"a": False})])
def test_a_number_that_becomes_a_truth_value_is_a_change(before: Any, after: Any):
    assert changes({"a": before}, {"a": after}) == ({"a": before}, {"a": after})


def test_a_field_that_is_null_is_told_from_one_that_is_not_there():
    assert changes({"a": None}, {}) == ({"a": None}, {})
    assert changes({}, {"a": None}) == ({}, {"a": None})
