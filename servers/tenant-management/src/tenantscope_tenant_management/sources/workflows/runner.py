"""Runs a workflow from wherever it stands: one step after another, each kept before the next begins."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

import anyio
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import Action, NotSetUp, ToolFailure, Unavailable

from tenantscope_tenant_management.conflicts import TenantChanged
from tenantscope_tenant_management.sources.recording import Asked
from tenantscope_tenant_management.sources.workflows.store import Overtaken, WorkflowStore
from tenantscope_tenant_management.workflow import Workflow

log = logging.getLogger(__name__)

MOST_ROUNDS = 1_000
STEP_SECONDS = 25.0
_SHARE_OF_A_LEASE = 0.8
"""A step ends well before the lease does: whoever takes the lease over finds nobody at work."""
CallT = TypeVar("CallT", bound=Asked)
Report = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Done:
    """How a step went: what it did in a sentence of ours, what later steps need of it.

    `skipped` where it has nothing to do in this set-up; `again` where it has to be called once more, not before
    `wait_seconds` have passed.
    """

    told: str | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict[str, Any])
    skipped: bool = False
    again: bool = False
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Work(Generic[CallT]):
    """What a step is given; `now` is when it begins."""

    call: CallT
    tenant: str
    flow: Workflow
    now: datetime


class Step(Protocol[CallT]):
    """One step: does its part, or finds it done; undoes it, or finds nothing to undo."""

    @property
    def name(self) -> str:
        """As it is kept."""
        ...

    @property
    def title(self) -> str:
        """As a person is told that it begins."""
        ...

    async def do(self, work: Work[CallT]) -> Done:
        """Do it. A ToolFailure that is no matter of waiting ends the workflow where that can be undone."""
        ...

    async def undo(self, work: Work[CallT]) -> None:
        """Undo it."""
        ...


def step_seconds(lease_seconds: float) -> float:
    """The longest that one step may take under a lease."""
    return min(STEP_SECONDS, _SHARE_OF_A_LEASE * lease_seconds)


class OneWay:
    """A step of a workflow that only goes forward."""

    async def undo(self, work: Work[Any]) -> None:
        """Never asked for."""


class Runner(Generic[CallT]):
    """Runs workflows. One owner at a time holds the lease; one that fell silent loses it, and cannot write any more."""

    def __init__(
        self, store: WorkflowStore, *, lease_seconds: float, budget_seconds: float, new_owner: Callable[[], str],
        clock: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._store = store
        self._lease = timedelta(seconds=lease_seconds)
        self._step_seconds = step_seconds(lease_seconds)
        self._budget_seconds = budget_seconds
        self._new_owner = new_owner
        self._clock = clock
        self._monotonic = monotonic

    async def run(
        self, call: CallT, tenant: str, flow: Workflow, steps: Sequence[Step[CallT]], *, report: Report, undoes: bool
    ) -> Workflow:
        """The workflow as it stands when it is over, or when this call's time is.

        With `undoes`, a step's failure that waiting does not mend undoes what was done before it.

        Raises:
            Unavailable: Another call holds it, or something that a step needs is down; it can be called again.
            ToolFailure: A step failed for good, and nothing of the workflow is to be undone, or all of it is.
        """
        owner, ends = self._new_owner(), self._monotonic() + self._budget_seconds
        named = {step.name: step for step in steps}
        flow = await self._claim(call, tenant, flow, owner)
        for _ in range(MOST_ROUNDS):
            name = flow.next_step
            if name is None or self._monotonic() >= ends:
                break
            step = named.get(name)
            if step is None:  # begun by a replica that was set up otherwise
                if not undoes:
                    await self._move(call, tenant, flow, flow.released(f"{name}: this server is not set up for it"))
                    raise NotSetUp(
                        f"The step {name} of this workflow needs a store that this server is not set up for; a server "
                        "set up as the one that began it goes on."
                    )
                over = flow.with_step(name, "skipped", self._clock(), "this server is not set up for it", {})
                flow = await self._move(call, tenant, flow, self._renewed(over))
                continue
            await report(flow.ended, len(flow.steps), step.title)
            try:
                if flow.state == "undoing":
                    with anyio.fail_after(self._step_seconds):
                        await step.undo(Work(call, tenant, flow, self._clock()))
                    flow = await self._move(call, tenant, flow, flow.with_step(name, "undone", self._clock(), None, {}))
                else:
                    flow = await self._forward(call, tenant, flow, step, ends)
            except (ToolFailure, AwsError, TimeoutError) as error:
                flow = await self._stopped(call, tenant, flow, step, error, undoes=undoes)
            except Exception:  # a fault of ours: whoever mends it should not wait for the lease as well
                await self._move(call, tenant, flow, flow.released(f"{step.name}: the server failed"))
                raise
        if not flow.finished:
            flow = await self._move(call, tenant, flow, flow.released(flow.fault))
        await report(flow.ended, len(flow.steps), None)
        return flow

    async def _claim(self, call: CallT, tenant: str, flow: Workflow, owner: str) -> Workflow:
        if flow.finished:
            return flow
        left = flow.lease_of_another(owner, self._clock())
        if left is not None:
            raise Unavailable("Another call works on this tenant at the moment.", retry_after_seconds=max(0.1, left))
        return await self._move(call, tenant, flow, flow.claimed(owner, self._clock(), self._lease))

    async def _forward(self, call: CallT, tenant: str, flow: Workflow, step: Step[CallT], ends: float) -> Workflow:
        with anyio.fail_after(self._step_seconds):
            done = await step.do(Work(call, tenant, flow, self._clock()))
        if not done.again:
            state = "skipped" if done.skipped else "done"
            moved = flow.with_step(step.name, state, self._clock(), done.told, done.outcome)
            return await self._move(call, tenant, flow, self._renewed(moved))
        await anyio.sleep(max(0.0, min(done.wait_seconds, ends - self._monotonic(), self._lease.total_seconds() / 3)))
        return await self._move(call, tenant, flow, self._renewed(flow))

    def _renewed(self, flow: Workflow) -> Workflow:
        if flow.finished or flow.lease_owner is None:
            return flow.released(flow.fault)
        return flow.claimed(flow.lease_owner, self._clock(), self._lease)

    async def _stopped(
        self, call: CallT, tenant: str, flow: Workflow, step: Step[CallT], error: Exception, *, undoes: bool
    ) -> Workflow:
        """The workflow on its way back, where that is how it goes on.

        Raises:
            ToolFailure: It is not; what a caller may read of the error.
        """
        failure = error.as_failure() if isinstance(error, AwsError) else error
        if isinstance(failure, TenantChanged):  # between a step's look and its write: it looks again
            failure = Unavailable("Somebody else changed the tenant at this moment.", retry_after_seconds=1.0)
        passing = not isinstance(failure, ToolFailure) or failure.remedy.action is Action.RETRY_AFTER
        log.warning("workflow %s stopped at %s: %s", flow.kind, step.name, type(error).__name__)
        if undoes and not passing and flow.state == "running":
            assert isinstance(failure, ToolFailure)
            return await self._move(call, tenant, flow, flow.failed(step.name, failure.sentence))
        reason = failure.sentence if isinstance(failure, ToolFailure) else "It took too long."
        await self._move(call, tenant, flow, flow.released(f"{step.name}: {reason}"))
        if not passing:
            raise failure
        wait = failure.remedy.retry_after_seconds if isinstance(failure, ToolFailure) else None
        raise Unavailable(
            f"It stopped at the step {step.name}, {flow.ended} of {len(flow.steps)} being done: {reason} "
            "The same call goes on from there.",
            retry_after_seconds=wait or 5.0,
        ) from error

    async def _move(self, call: CallT, tenant: str, before: Workflow, after: Workflow) -> Workflow:
        try:
            await self._store.write(call.aws, tenant, after, before)
        except Overtaken:
            raise Unavailable(
                "Another call has taken this over; call again to see how it went.", retry_after_seconds=1.0
            ) from None
        return after
