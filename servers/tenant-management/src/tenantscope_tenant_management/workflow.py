"""Workflows as values: steps done one after another by whoever holds the lease, until all are done or undone."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

Kind = Literal["onboarding", "offboarding"]
State = Literal["running", "done", "undoing", "undone"]
StepState = Literal["waiting", "done", "skipped", "failed", "undone"]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What is known of one step. `told` is our own sentence on what it did; `outcome` JSON values for later steps."""

    name: str
    state: StepState = "waiting"
    at: str | None = None
    told: str | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow of one tenant, as it is kept between calls. `revision` grows with each change of it."""

    kind: Kind
    id: str
    digest: str
    inputs: Mapping[str, Any]
    started: str
    by: str
    steps: tuple[StepRecord, ...]
    state: State = "running"
    fault: str | None = None
    revision: int = 0
    lease_owner: str | None = None
    lease_until: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in ("done", "undone")

    @property
    def next_step(self) -> str | None:
        """The step to do, or to undo; None where none is left."""
        if self.finished:
            return None
        if self.state == "undoing":
            return next((step.name for step in reversed(self.steps) if step.state in ("done", "failed")), None)
        return next((step.name for step in self.steps if step.state == "waiting"), None)

    @property
    def ended(self) -> int:
        """How many steps are over."""
        return sum(step.state != "waiting" for step in self.steps)

    def outcome(self, step: str) -> Mapping[str, Any]:
        """What a step that is over left for those after it."""
        for each in self.steps:
            if each.name == step:
                return each.outcome
        return {}

    def lease_of_another(self, owner: str, now: datetime) -> float | None:
        """For how many seconds somebody else holds the lease; None where nobody does."""
        if self.lease_owner in (None, owner) or self.lease_until is None:
            return None
        left = (datetime.fromisoformat(self.lease_until) - now).total_seconds()
        return left if left > 0 else None

    def claimed(self, owner: str, now: datetime, lease: timedelta) -> "Workflow":
        """Held by `owner` for the length of a lease from now on."""
        return self._next(lease_owner=owner, lease_until=(now + lease).isoformat())

    def released(self, fault: str | None = None) -> "Workflow":
        """Held by nobody; `fault` says at what it stopped, if it stopped."""
        return self._next(lease_owner=None, lease_until=None, fault=fault)

    def with_step(
        self, name: str, state: StepState, now: datetime, told: str | None, outcome: Mapping[str, Any]
    ) -> "Workflow":
        """With a step over, and done or undone where it was the last."""
        at = now.isoformat(timespec="milliseconds")
        steps = tuple(
            StepRecord(name, state, at, told, dict(outcome)) if step.name == name else step for step in self.steps
        )
        changed = self._next(steps=steps, fault=self.fault if self.state == "undoing" else None)
        if changed.next_step is None:
            return replace(changed, state="undone" if self.state == "undoing" else "done")
        return changed

    def broken_off(self, fault: str) -> "Workflow":
        """Over as it stands: what was done of it is another workflow's to take away."""
        return replace(self.released(fault), state="undone")

    def failed(self, name: str, fault: str) -> "Workflow":
        """On its way back from a step that may have done a part: what was done is undone, the last first."""
        steps = tuple(replace(step, state="failed") if step.name == name else step for step in self.steps)
        return self._next(steps=steps, state="undoing", fault=fault)

    def _next(self, **fields: Any) -> "Workflow":
        return replace(self, revision=self.revision + 1, **fields)


def begin(
    kind: Kind, key: str, asked: str, inputs: Mapping[str, Any], steps: Sequence[str], *, by: str, now: datetime
) -> Workflow:
    """A workflow of which nothing is done yet; `asked` tells requests for the same from others."""
    return Workflow(
        kind=kind, id=key, digest=asked, inputs=dict(inputs), by=by,
        started=now.isoformat(timespec="milliseconds"), steps=tuple(StepRecord(name) for name in steps),
    )  # fmt: skip


def digest_of(arguments: Mapping[str, Any]) -> str:
    """What tells whether two requests ask for the same."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, default=str).encode()).hexdigest()[:32]


def as_document(flow: Workflow) -> str:
    """A workflow as JSON text."""
    return json.dumps(asdict(flow), sort_keys=True)


def from_document(text: str) -> Workflow:
    """The workflow in a JSON text."""
    given = json.loads(text)
    steps = tuple(StepRecord(**step) for step in given.pop("steps"))
    return Workflow(**given, steps=steps)
