"""What the tools answer about a tenant's coming and going."""

from datetime import datetime

from pydantic import Field
from tenantscope_core.results.answers import Answer

from tenantscope_tenant_management.workflow import Workflow


class StepView(Answer):
    """One step of a workflow."""

    name: str
    state: str = Field(description="done, skipped, undone, or waiting.")
    told: str | None = Field(default=None, description="What it did, or why it was skipped.")


class Progress(Answer):
    """How far a workflow is."""

    id: str = Field(description="Its request key.")
    state: str = Field(description="running, done, undoing or undone.")
    steps: list[StepView]
    stopped_at: str | None = Field(default=None, description="Where and why it stopped last.")
    started: datetime


class Onboarded(Answer):
    """A tenant that was taken in, or is being."""

    tenant_id: str
    name: str
    tier: str
    status: str
    version: int
    workflow: Progress
    next: str | None = Field(default=None, description="What to call next.")


def progress(flow: Workflow) -> Progress:
    """A workflow as it is shown."""
    return Progress(
        id=flow.id,
        state=flow.state,
        steps=[StepView(name=step.name, state=step.state, told=step.told) for step in flow.steps],
        stopped_at=flow.fault,
        started=datetime.fromisoformat(flow.started),
    )
