"""What the tools answer about a tenant's coming and going."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.statuses import FELT_WITHIN_SECONDS

from tenantscope_tenant_management.holdings import Held
from tenantscope_tenant_management.workflow import Workflow


class StepView(Answer):
    """One step of a workflow."""

    name: str
    state: str = Field(description="done, skipped, undone, failed or waiting.")
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


class StoreHeld(Answer):
    """What one store holds of the tenant."""

    store: str
    held: dict[str, int] = Field(description="How many things, by kind.")
    bytes: int | None = Field(default=None, description="Where the store tells.")
    left: int | None = Field(default=None, description="How many were left when it was read back.")


class Leaving(Answer):
    """What leaving means for the tenant, before it is done."""

    stores: list[StoreHeld]
    things: int = Field(description="In all stores.")
    legal_hold: bool = Field(description="True: it cannot leave now.")


class ExportView(Answer):
    """Where the tenant's copy is, for 30 days."""

    folder: str = Field(description="In the datasets bucket.")
    files: int
    manifest: str = Field(description="Digest of the manifest there, which has that of every file.")


class ReceiptView(Answer):
    """What each store held, that it is gone, what stays and why."""

    stores: list[StoreHeld]
    things: int = Field(description="In all stores.")
    started: datetime
    finished: datetime
    export: ExportView | None = Field(default=None, description="Left out where none was asked for.")
    kept: list[str] = Field(description="What stays, and why.")
    digest: str = Field(description="Of the whole receipt; the audit trail has it too.")


class StatusChange(Answer):
    """What became of a tenant's status, or would."""

    tenant_id: str
    before: str
    after: str
    version: int
    changed: bool = Field(description="False where it was only tried, or was so already.")
    followed_within_seconds: int = Field(
        default=FELT_WITHIN_SECONDS, description="When every server follows, at the latest."
    )
    leaving: Leaving | None = None
    confirmation: str | None = Field(
        default=None, description="Pass it to do it; good for 15 minutes and this version."
    )
    workflow: Progress | None = None
    receipt: ReceiptView | None = None
    next: str | None = Field(default=None, description="What to call next.")


def leaving(stores: Sequence[Held], *, legal_hold: bool) -> Leaving:
    """What leaving means, as it is shown."""
    shown = [StoreHeld(store=one.store, held=dict(one.parts), bytes=one.bytes) for one in stores]
    return Leaving(stores=shown, things=sum(one.count for one in stores), legal_hold=legal_hold)


def receipt_view(flow: Workflow) -> ReceiptView | None:
    """The receipt of an offboarding that is done."""
    receipt = flow.outcome("receipt").get("receipt")
    if receipt is None:
        return None
    shown = [
        StoreHeld(store=line["store"], held=line["held"], bytes=line["bytes"], left=line["left"])
        for line in receipt["stores"]
    ]
    return ReceiptView(
        stores=shown,
        things=sum(sum(line.held.values()) for line in shown),
        started=receipt["started"],
        finished=receipt["finished"],
        export=None if receipt["export"] is None else ExportView(**receipt["export"]),
        kept=receipt["kept"],
        digest=receipt["digest"],
    )


def progress(flow: Workflow) -> Progress:
    """A workflow as it is shown."""
    return Progress(
        id=flow.id,
        state=flow.state,
        steps=[StepView(name=step.name, state=step.state, told=step.told) for step in flow.steps],
        stopped_at=flow.fault,
        started=datetime.fromisoformat(flow.started),
    )
