"""Takes a tenant in: begins the workflow or finds it, and runs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tenantscope_core.results.errors import Conflict, InvalidArgument, Unavailable
from tenantscope_core.tool import Call

from tenantscope_tenant_management.audit import Note
from tenantscope_tenant_management.changes import changed, version_of
from tenantscope_tenant_management.events import onboarding_requested, provisioning_failed
from tenantscope_tenant_management.registry import DamagedRecord, config_of, tags_of
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.recording import Change, PartChanged, RecordChanged, Recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable, damaged, unknown_tenant
from tenantscope_tenant_management.sources.tags import tag_parts
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.workflows.runner import Runner, Step
from tenantscope_tenant_management.sources.workflows.store import WorkflowStore
from tenantscope_tenant_management.workflow import Workflow, begin

AnyCall = Call[Any]
_TRIES = 3
_LEAVES = "This id is of a tenant that leaves or has left, and is not given again; choose another."


@dataclass(frozen=True, slots=True)
class Request:
    """What a new tenant is to be; checked before."""

    name: str
    tier: str
    email: str | None
    admin_email: str | None
    plan: str | None
    tags: Mapping[str, str]
    config: Mapping[str, Any]
    sample_data: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A tenant after which another is made: what it takes from there unless told otherwise."""

    tier: str
    plan: str | None
    tags: Mapping[str, str]
    config: Mapping[str, Any]


@dataclass(frozen=True)
class TakingIn:
    """Onboarding, from the request to the tenant's first call."""

    registry: RegistryTable
    journal: Journal
    recorder: Recorder
    tenants: Tenants
    store: WorkflowStore
    runner: Runner[AnyCall]
    steps: Callable[[], Sequence[Step[AnyCall]]]
    clock: Callable[[], datetime]

    async def model(self, call: AnyCall, tenant: str) -> Model:
        """What another tenant gives to one that is to be like it.

        Raises:
            NotFound: There is none.
        """
        record = await self.registry.get(await call.fleet(), tenant)
        if record is None:
            raise unknown_tenant("like")
        try:
            config = config_of(record.get("tenantConfig"))
        except DamagedRecord as error:
            raise damaged(error) from error
        plan = record.get("plan")
        return Model(str(record.get("tier", "")), None if plan is None else str(plan), tags_of(record), config)

    async def known(self, call: AnyCall, tenant: str, key: str, asked: str) -> Workflow | None:
        """What an earlier call has begun that asked for the same, told by a digest of its arguments; None if none has.

        Raises:
            Conflict: The id is another tenant's, or the key was used with other arguments.
        """
        found = await self.store.read(call.aws, tenant, "onboarding")
        return None if found is None or found.state == "undone" else _same(found, key, asked)

    async def take_in(self, call: AnyCall, tenant: str, key: str, asked: str, request: Request | None) -> Workflow:
        """Begin with a request, or without one go on with what is begun.

        Raises:
            Conflict: The id is another tenant's, or the key was used with other arguments.
            ToolFailure: It failed for good, and what was done of it is undone.
            Unavailable: It stopped on the way; the same call goes on.
        """
        flow = (
            await self._begun(call, tenant, key, asked, asdict(request))
            if request is not None
            else await self.known(call, tenant, key, asked)
        )
        if flow is None:
            raise Unavailable("It was undone at this moment; call again.", retry_after_seconds=1.0)
        flow = await self.runner.run(call, tenant, flow, self.steps(), report=call.report_progress, undoes=True)
        if flow.state == "undone":
            await self._give_up(call, tenant, flow)
            raise InvalidArgument(
                f"The tenant could not be taken in: {flow.fault} What was done was undone; "
                "call again with what is changed."
            )
        await self.recorder.send_waiting(call, tenant)
        return flow

    async def _begun(self, call: AnyCall, tenant: str, key: str, asked: str, inputs: Mapping[str, Any]) -> Workflow:
        for _ in range(_TRIES):
            record = await self.registry.get(call.aws, tenant)  # first: a record is written with its workflow
            known = await self.store.read(call.aws, tenant, "onboarding")
            if known is not None and known.state != "undone":
                return _same(known, key, asked)
            if await self.store.read(call.aws, tenant, "offboarding") is not None:
                raise Conflict(_LEAVES, parameter="tenant_id")
            if record is not None and not (known is not None and record.get("tenantStatus") in ("Failed", "Pending")):
                raise Conflict(_taken(record), parameter="tenant_id")
            flow = begin(
                "onboarding",
                key,
                asked,
                inputs,
                [step.name for step in self.steps()],
                by=call.caller.subject,
                now=self.clock(),
            )
            fresh = _record(tenant, key, inputs, self.clock(), 0 if record is None else version_of(record))
            try:
                await self.recorder.write(
                    call, tenant, Note("tenant.onboarding_started", after=_told(fresh, inputs)),
                    change=Change(record, fresh),
                    events=[onboarding_requested(fresh, sample_data=bool(inputs["sample_data"]))],
                    parts=[self.store.part(tenant, flow, known), *tag_parts(self.journal, record, fresh)],
                )  # fmt: skip
            except (RecordChanged, PartChanged):
                continue  # another call began it in this moment
            return flow
        raise Conflict("Others are taking in a tenant of this id at this moment.", parameter="tenant_id")

    async def _give_up(self, call: AnyCall, tenant: str, flow: Workflow) -> None:
        record = await self.tenants.read(call, tenant)
        if record.get("tenantStatus") == "Failed":
            return
        after = changed(record, self.clock(), tenantStatus="Failed", tags=None)
        failed = provisioning_failed(after, flow.fault or "")
        await self.tenants.save(
            call, record, after, "tenant.onboarding_failed", events=[failed], extra={"fault": flow.fault}
        )


def _same(known: Workflow, key: str, asked: str) -> Workflow:
    if known.digest == asked:
        return known
    if known.id == key:
        raise Conflict("This request_key was used with other arguments; choose another.", parameter="request_key")
    raise Conflict("A tenant of this id exists, or is being taken in; choose another id.", parameter="tenant_id")


def _taken(record: Item) -> str:
    if record.get("tenantStatus") == "Offboarded":
        return _LEAVES
    return "A tenant of this id exists; choose another id."


def _record(tenant: str, key: str, inputs: Mapping[str, Any], now: datetime, version: int) -> Item:
    """A new tenant's record, in the Toolkit's fields; who is let in is decided by its status."""
    at = now.isoformat(timespec="milliseconds")
    record = {
        "tenantId": tenant, "recordType": "tenant", "tenantName": inputs["name"], "tier": inputs["tier"],
        "email": inputs["email"], "plan": inputs["plan"], "tags": dict(inputs["tags"]) or None,
        "tenantConfig": json.dumps(inputs["config"], sort_keys=True, ensure_ascii=False), "tenantStatus": "Pending",
        "sbtaws_active": True, "tenantRegistrationId": key, "createdAt": at, "updatedAt": at, "version": version + 1,
    }  # fmt: skip
    return {name: value for name, value in record.items() if value is not None}


def _told(record: Item, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The new record, and who is invited as its first admin: that stands in no other entry."""
    skipped = ("tenantId", "recordType", "version", "updatedAt", "createdAt", "sbtaws_active")
    told = {name: value for name, value in record.items() if name not in skipped}
    return told if inputs["admin_email"] is None else {**told, "admin_email": inputs["admin_email"]}
