"""`set_tenant_status`."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.errors import Conflict, InvalidArgument, InvalidCursor, NotSetUp
from tenantscope_core.serving.settings import PREFIX
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_tenant_management.changes import changed, version_of
from tenantscope_tenant_management.events import activated, deactivated
from tenantscope_tenant_management.lifecycle_answers import StatusChange, leaving, progress, receipt_view
from tenantscope_tenant_management.registry import summary
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.statuses import TARGET, Action, Reason, may, switched_on

CONFIRMED_FOR = timedelta(minutes=15)


@tool(
    shown_to=ShownTo.PROVIDER,
    scopes={"tenants:write"},
    effects=Effects(read_only=False, destructive=True, idempotent=True, open_world=True),
    names_tenant="required",
)
async def set_tenant_status(
    call: Call[Sources],
    action: Annotated[
        Action, Field(description="offboard exports and then erases all of the tenant, and cannot be undone.")
    ],
    reason: Annotated[Reason | None, Field(description="suspend: what its users are told.")] = None,
    note: Annotated[
        str | None, Field(description="Why, for the provider's own audit trail.", min_length=1, max_length=500)
    ] = None,
    dry_run: Annotated[bool, Field(description="Say what it would do; offboard: gives the confirmation.")] = False,
    confirmation: Annotated[str | None, Field(description="offboard: from its dry run.", max_length=2_048)] = None,
    export: Annotated[bool, Field(description="offboard: keep a copy for the tenant, for 30 days.")] = True,
) -> StatusChange:
    """Activate, suspend, resume or offboard a tenant. A suspended tenant's calls are refused with the reason.

    Offboarding needs the confirmation of a dry run; then it goes on step by step, with the same call where it stopped,
    and ends with a receipt of what each store held and that it is gone.
    """
    call.sources.require_admin()
    record = await call.sources.tenants.read(call, call.one_tenant)
    if action == "offboard":
        return await _offboard(call, record, note, dry_run=dry_run, confirmation=confirmation, export=export)
    if confirmation is not None:
        raise InvalidArgument("confirmation goes with offboard alone.", parameter="confirmation")
    if (reason is None) == (action == "suspend"):
        raise InvalidArgument("reason goes with suspend, and with it alone.", parameter="reason")
    return await _switch(call, record, action, reason, note, dry_run=dry_run)


async def _switch(
    call: Call[Sources], record: Item, action: Action, reason: Reason | None, note: str | None, *, dry_run: bool
) -> StatusChange:
    before, target = summary(record).status, TARGET[action]
    if before == target.lower() and record.get("statusReason") == reason:
        return _shown(record, before, before, changed=False)
    may(action, before)
    flow = await call.sources.taking_in.store.read(call.aws, call.one_tenant, "onboarding")
    if flow is not None and not flow.finished:
        raise Conflict("The tenant is being taken in; create_tenant goes on with it.", parameter="action")
    if flow is not None and flow.state == "undone" and before in ("failed", "pending"):
        raise Conflict("The tenant could not be taken in; create_tenant takes it in anew.", parameter="action")
    leaves = await call.sources.letting_go.known(call, call.one_tenant)
    if leaves is not None:  # whatever other planes made of its status
        raise Conflict("The tenant leaves; what can be done is offboard, which goes on with it.", parameter="action")
    after = changed(record, call.now, tenantStatus=target, statusReason=reason, **switched_on(record))
    if dry_run:
        return _shown(record, before, target.lower(), changed=False, next="the same without dry_run does it")
    told = deactivated(after) if action == "suspend" else activated(after)
    done = {"activate": "activated", "suspend": "suspended", "resume": "resumed"}[action]
    await call.sources.tenants.save(call, record, after, f"tenant.{done}", note=note, events=[told])
    return _shown(after, before, target.lower(), changed=True)


async def _offboard(
    call: Call[Sources], record: Item, note: str | None, *, dry_run: bool, confirmation: str | None, export: bool
) -> StatusChange:
    sources, tenant, before = call.sources, call.one_tenant, summary(record).status
    flow = await sources.letting_go.known(call, tenant)
    if flow is None:
        may("offboard", before)
        if export and not sources.keeps_exports:  # before anything is switched off, not in the middle
            raise NotSetUp(
                f"There is no place for an export; the operator sets {PREFIX}DATASETS_BUCKET, or export is false."
            )
        if dry_run:
            return await _tried(call, record, before)
        _require_confirmed(call, record, confirmation)
    if not dry_run and not (flow is not None and flow.finished):
        flow = await sources.letting_go.let_go(call, record, export=export, note=note)
    assert flow is not None
    now = await sources.tenants.read(call, tenant)
    return StatusChange(
        tenant_id=tenant,
        before=before,
        after=summary(now).status,
        version=version_of(now),
        changed=not dry_run and now != record,
        workflow=progress(flow),
        receipt=receipt_view(flow),
        next=None if flow.finished else "set_tenant_status with action offboard goes on with it",
    )


async def _tried(call: Call[Sources], record: Item, before: str) -> StatusChange:
    there = await call.sources.letting_go.plan(call, call.one_tenant)
    held = record.get("legalHold") is True
    until = call.now + CONFIRMED_FOR
    position = {"until": until.isoformat()}
    return StatusChange(
        tenant_id=call.one_tenant,
        before=before,
        after="offboarded",
        version=version_of(record),
        changed=False,
        leaving=leaving(there, legal_hold=held),
        confirmation=None if held else call.cursors.write(position, question=_question(call, record)),
        next="update_tenant with legal_hold false" if held else "the same without dry_run, with this confirmation",
    )


def _require_confirmed(call: Call[Sources], record: Item, confirmation: str | None) -> None:
    """Let pass who was told what it means, a moment ago and of this very version.

    Raises:
        InvalidArgument: It was not.
    """
    wrong = InvalidArgument(
        "Offboarding erases everything and needs the confirmation that a dry_run of it gave you: for this tenant, as "
        "it is now, in the last 15 minutes.",
        parameter="confirmation",
    )
    if confirmation is None:
        raise wrong
    try:
        given = call.cursors.read(confirmation, question=_question(call, record))
    except InvalidCursor:
        raise wrong from None
    if call.now > datetime.fromisoformat(given["until"]):
        raise wrong


def _question(call: Call[Sources], record: Item) -> dict[str, Any]:
    return {"offboard": call.one_tenant, "version": version_of(record)}


def _shown(record: Item, before: str, after: str, *, changed: bool, next: str | None = None) -> StatusChange:
    return StatusChange(
        tenant_id=str(record["tenantId"]),
        before=before,
        after=after,
        version=version_of(record),
        changed=changed,
        next=next,
    )
