"""Histories of appends and forks, and of records that supersede one another, held against models of a few lines."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory.asking import NOW, SCHEMA, Agent, Places, process
from memory.writing import NoModel
from tenantscope_memory.branches import Branch, Segment, fitting, lineage
from tenantscope_memory.records import Standing, succession

numbers = itertools.count()
FEW = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BRANCHES = ("main", "b1", "b2", "b3")


@dataclass(frozen=True)
class Add:
    """Append texts to a branch, which forks from the n-th event there is if it is new; from which process."""

    branch: str
    texts: list[str]
    fork: int
    process: int
    again: bool


@dataclass
class Model:
    """What a session should hold: of each branch all its texts, and the number of each event in the order of adding."""

    branches: dict[str, list[int]] = field(default_factory=lambda: dict[str, list[int]]())
    texts: dict[int, str] = field(default_factory=lambda: dict[int, str]())
    home: dict[int, str] = field(default_factory=lambda: dict[int, str]())

    def fork(self, branch: str, seq: int) -> None:
        parent = self.branches[self.home[seq]]
        self.branches[branch] = parent[: parent.index(seq) + 1]

    def add(self, branch: str, text: str) -> None:
        seq = len(self.texts) + 1
        self.texts[seq], self.home[seq] = text, branch
        self.branches.setdefault(branch, []).append(seq)


adds = st.builds(
    Add,
    branch=st.sampled_from(BRANCHES),
    texts=st.lists(st.text(min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=4),
    fork=st.integers(0, 30),
    process=st.integers(0, 1),
    again=st.booleans(),
)


@pytest.mark.requirement("any-history")
@FEW
@given(history=st.lists(adds, min_size=1, max_size=8), blind=st.booleans())
async def test_any_history_of_appends_and_forks_is_rebuilt_on_every_branch(
    places: Places, history: list[Add], blind: bool
):
    modelless = Places(places.dsn, places.valkey_url, NoModel())
    session, model = f"h{next(numbers)}", Model()
    async with process(modelless) as one, process(modelless, with_valkey=not blind) as two:
        agents = Agent(one), Agent(two)
        for number, step in enumerate(history):
            known = step.branch in model.branches
            if not known and step.branch != "main" and not model.texts:
                continue
            fork: dict[str, int] = {}
            if not known and step.branch != "main":
                fork = {"fork_from": step.fork % len(model.texts) + 1}
                model.fork(step.branch, fork["fork_from"])
            events = [
                {"role": "user", "text": text, "key": f"{number}.{place}"} for place, text in enumerate(step.texts)
            ]
            for _ in range(2 if step.again else 1):
                agent = agents[step.process]
                await agent.ask("add_events", session=session, branch=step.branch, events=events, **fork)
            for text in step.texts:
                model.add(step.branch, "".join("\ufffd" if _control(one) else one for one in text))
            for branch, seqs in model.branches.items():
                for agent in agents:
                    last = await agent.ask("get_conversation", session=session, branch=branch, max_tokens=5_000)
                    assert [event["seq"] for event in last["events"]] == seqs[-len(last["events"]) :]
                    assert last["left_out"]["earlier"] + len(last["events"]) == len(seqs)
        for branch, seqs in model.branches.items():
            assert await agents[0].texts(session, branch=branch) == [model.texts[seq] for seq in seqs]


def _control(character: str) -> bool:
    return (ord(character) < 32 and character not in "\t\n\r") or 127 <= ord(character) < 160


def day(number: int) -> datetime:
    return NOW + timedelta(days=number)


@dataclass(frozen=True)
class Told:
    """A statement about one subject, told on one day, of another."""

    text: str
    holds_from: int


@FEW
@given(st.lists(st.builds(Told, text=st.sampled_from("abcde"), holds_from=st.integers(-9, 9)), min_size=1, max_size=6))
async def test_what_held_when_as_known_when_is_what_was_told_by_then(
    places: Places, superuser: psycopg.Connection, told: list[Told]
):
    """Of all told by a day, what holds at a moment is what was told last of the latest beginning up to it."""
    modelless = Places(places.dsn, places.valkey_url, NoModel())
    actor = f"told-{next(numbers)}"
    told_on = [10 + number for number in range(len(told))]
    async with process(modelless) as sources:
        agent = Agent(sources)
        for on, one in zip(told_on, told, strict=True):
            agent.clock.now = day(on)
            await agent.ask(
                "remember", actor=actor, text=one.text, subject="s", valid_from=day(one.holds_from).isoformat()
            )
        for known in (told_on[0], told_on[-1] - 1, told_on[-1]):
            by_then = [(on, one) for on, one in zip(told_on, told, strict=True) if on <= known]
            for moment in (-10, -5, 0, 5, 9):
                begun = [(one.holds_from, on, one.text) for on, one in by_then if one.holds_from <= moment]
                expected = [max(begun)[2]] if begun else []
                found = await agent.found(
                    None, actor=actor, as_of=day(moment).isoformat(), known_at=day(known).isoformat()
                )
                assert found == expected
    rows = superuser.execute(f"SELECT count(*) FROM {SCHEMA}.record WHERE actor = %s", (actor,)).fetchone()
    assert rows is not None
    assert rows[0] <= len(told), "the past is kept as it was written"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_lineage_is_whole_and_without_overlap(tips: list[int]):
    branches = {"0": Branch("0", None, None, 0, tips[0], "")}
    for number, more in enumerate(tips[1:], start=1):
        parent = branches[str(number - 1)]
        fork = parent.fork_position + (parent.tip_position - parent.fork_position + 1) // 2  # an event of its own
        branches[str(number)] = Branch(str(number), parent.name, fork, fork, fork + more, "")
    name = str(len(tips) - 1)
    segments = lineage(branches, name)
    covered = [position for one in segments for position in range(one.after + 1, one.up_to + 1)]
    assert covered == list(range(1, branches[name].tip_position + 1))


@dataclass(frozen=True)
class Item:
    size: int


@given(st.lists(st.builds(Item, size=st.integers(1, 50))), st.integers(0, 300), st.integers(0, 2))
def test_what_fits_is_a_beginning_within_the_room(items: list[Item], room: int, at_least: int):
    taken = fitting(items, room, at_least=at_least)
    assert taken == items[: len(taken)]
    assert sum(one.size for one in taken[at_least:]) <= room
    if len(taken) < len(items):
        assert len(taken) >= at_least
        assert sum(one.size for one in items[: len(taken) + 1]) > room


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.none() | st.integers(1, 9)), max_size=5),
    st.integers(-5, 5),
    st.none() | st.integers(1, 9),
)
def test_a_succession_leaves_no_two_that_hold_at_once_where_none_did(
    spans: list[tuple[int, int | None]], start: int, length: int | None
):
    starts = sorted({begin for begin, _ in spans})
    standing = [
        Standing(str(begin), "t", "d", day(begin), day(following) if following is not None else None)
        for begin, following in zip(starts, [*starts[1:], None], strict=True)
    ] if starts else []  # fmt: skip
    end = day(start + length) if length is not None else None
    after = succession(standing, day(start), end)
    ends = {one.id: day(start) for one in after.supersedes}
    own_end = min(filter(None, [end, after.superseded_by.valid_from if after.superseded_by else None]), default=None)
    for moment in map(day, range(-6, 16)):
        holding = [
            one for one in standing
            if one.valid_from <= moment and all(moment < until for until in (one.valid_to, ends.get(one.id)) if until)
        ]  # fmt: skip
        new = day(start) <= moment and (own_end is None or moment < own_end)
        assert len(holding) + new <= 1


def test_segments_of_a_branch_without_forks_are_one():
    assert lineage({"main": Branch("main", None, None, 0, 3, "")}, "main") == [Segment("main", 0, 3)]
