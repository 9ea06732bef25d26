"""Workflows as values, through any history: what is next, what is undone, who may go on, and nothing lost on paper."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tenantscope_tenant_management.workflow import Workflow, as_document, begin, digest_of, from_document

START = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)
OWNERS = ("one", "two")
outcomes = st.dictionaries(st.sampled_from("ab"), st.none() | st.integers() | st.text(max_size=3), max_size=2)


def fresh(count: int) -> Workflow:
    steps = [f"s{number}" for number in range(count)]
    return begin("onboarding", "key", "digest", {"tier": "growth"}, steps, by="pat", now=START)


class Histories(RuleBasedStateMachine):
    """Two owners that take the lease, work, fail, fall silent; beside them the plainest account of what was done."""

    @initialize(count=st.integers(1, 5))
    def begun(self, count: int) -> None:
        self.flow, self.now = fresh(count), START
        self.names = [step.name for step in self.flow.steps]
        self.state, self.fault = "running", None
        self.over: dict[str, str] = {}  # what became of each step that is over, in order
        self.taken_back: list[str] = []
        self.holder: tuple[str, datetime] | None = None

    def moved(self, flow: Workflow) -> None:
        """The next revision, as the store would read it back."""
        assert flow.revision == self.flow.revision + 1
        self.flow = from_document(as_document(flow))
        assert self.flow == flow

    def next_of_account(self) -> str | None:
        if self.state == "undoing":
            return next((name for name in reversed(self.names) if self.over.get(name) in ("done", "failed")), None)
        return next((name for name in self.names if name not in self.over), None) if self.state == "running" else None

    @rule(owner=st.sampled_from(OWNERS))
    def claimed(self, owner: str) -> None:
        held = self.holder is not None and self.holder[0] != owner and self.holder[1] > self.now
        left = self.flow.lease_of_another(owner, self.now)
        assert (left is not None) == held
        if left is None:
            self.moved(self.flow.claimed(owner, self.now, LEASE))
            self.holder = (owner, self.now + LEASE)
        else:
            assert 0 < left <= LEASE.total_seconds()

    @rule(seconds=st.integers(1, 40))
    def time_passed(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(fault=st.none() | st.just("It stopped."))
    def released(self, fault: str | None) -> None:
        self.moved(self.flow.released(fault))
        self.holder, self.fault = None, fault

    @precondition(lambda self: self.state == "running")
    @rule(skipped=st.booleans(), told=st.none() | st.text(max_size=4), outcome=outcomes)
    def done(self, skipped: bool, told: str | None, outcome: dict[str, Any]) -> None:
        name = self.flow.next_step
        assert name is not None
        self.moved(self.flow.with_step(name, "skipped" if skipped else "done", self.now, told, outcome))
        self.over[name] = "skipped" if skipped else "done"
        self.fault = None
        assert self.flow.outcome(name) == outcome
        if len(self.over) == len(self.names):
            self.state = "done"

    @precondition(lambda self: self.state == "running")
    @rule()
    def failed(self) -> None:
        name = self.flow.next_step
        assert name is not None
        self.moved(self.flow.failed(name, "A step failed."))
        self.over[name] = "failed"  # it may have done a part
        self.state, self.fault = "undoing", "A step failed."

    @precondition(lambda self: self.state == "undoing")
    @rule()
    def undone(self) -> None:
        name = self.flow.next_step
        assert name is not None
        self.moved(self.flow.with_step(name, "undone", self.now, None, {}))
        self.over[name] = "undone"
        self.taken_back.append(name)
        if not {"done", "failed"} & set(self.over.values()):
            self.state = "undone"

    @invariant()
    def it_stands_as_the_account_says(self) -> None:
        flow = self.flow
        assert (flow.state, flow.fault) == (self.state, self.fault)
        assert flow.finished == (self.state in ("done", "undone"))
        assert flow.next_step == self.next_of_account()
        assert {step.name: step.state for step in flow.steps if step.state != "waiting"} == self.over
        assert [step.name for step in flow.steps] == self.names
        assert flow.ended == len(self.over)

    @invariant()
    def what_is_taken_back_is_what_was_done_the_last_first(self) -> None:
        assert self.taken_back == sorted(self.taken_back, key=self.names.index, reverse=True)
        if self.state == "undone":
            assert {name for name, state in self.over.items() if state == "undone"} == set(self.taken_back)


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestAnyHistory = Histories.TestCase


@given(st.lists(st.sampled_from(["done", "skipped"]), max_size=4))
def test_a_failure_undoes_what_was_done_and_the_step_that_failed_in_reverse(states: list[Any]):
    flow = fresh(5)
    for step, state in zip(flow.steps, states, strict=False):
        flow = flow.with_step(step.name, state, START, None, {})
    failed = flow.next_step
    assert failed is not None
    flow = flow.failed(failed, "It failed.")
    taken_back: list[str] = []
    while not flow.finished:
        assert flow.next_step is not None
        taken_back.append(flow.next_step)
        flow = flow.with_step(flow.next_step, "undone", START, None, {})
        assert flow.fault == "It failed."
    assert (flow.state, flow.next_step) == ("undone", None)
    assert taken_back == [failed, *(f"s{n}" for n in reversed(range(len(states))) if states[n] == "done")]


def test_a_lease_is_over_at_its_end_and_never_ones_own_hindrance():
    flow = fresh(1).claimed("one", START, LEASE)
    assert flow.lease_of_another("one", START) is None
    assert flow.lease_of_another("two", START) == 30.0
    assert flow.lease_of_another("two", START + LEASE - timedelta(milliseconds=1)) == 0.001
    assert flow.lease_of_another("two", START + LEASE) is None
    assert flow.released().lease_of_another("two", START) is None


def test_a_document_of_a_field_that_is_not_known_is_not_read_as_one_that_is():
    document = json.loads(as_document(fresh(1)))
    assert from_document(json.dumps(document)) == fresh(1)
    try:
        from_document(json.dumps({**document, "more": 1}))
    except TypeError:
        return
    raise AssertionError("it was read")


arguments = st.dictionaries(
    st.sampled_from(["name", "tier", "tags"]),
    st.none() | st.text(max_size=3) | st.dictionaries(st.sampled_from("ab"), st.text(max_size=2)),
)


@given(arguments, arguments)
def test_requests_have_the_same_digest_when_they_ask_for_the_same_in_any_order(
    one: dict[str, Any], other: dict[str, Any]
):
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    assert (digest_of(one) == digest_of(other)) == (one == other)


def test_every_move_is_one_revision_on():
    flow = fresh(2)
    ways = [
        flow.claimed("one", START, LEASE),
        flow.released(),
        flow.failed("s0", "x"),
        flow.with_step("s0", "done", START, None, {}),
    ]
    assert {way.revision for way in ways} == {1}
