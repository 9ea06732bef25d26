"""Lets a tenant go: throws the switch, begins the workflow or finds it, runs it, and writes the receipt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenantscope_core.results.errors import Conflict, NotSetUp, Unavailable
from tenantscope_core.tool import Call

from tenantscope_tenant_management.audit import Note
from tenantscope_tenant_management.changes import changed
from tenantscope_tenant_management.events import deprovisioned, offboarding_requested
from tenantscope_tenant_management.holdings import Held
from tenantscope_tenant_management.receipts import Receipt, StoreLine
from tenantscope_tenant_management.registry import mapping_of
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal_erasing import KEPT, STORE, JournalErasing
from tenantscope_tenant_management.sources.recording import Change, PartChanged, RecordChanged, Recorder
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.users.directory import Directory
from tenantscope_tenant_management.sources.workflows.offboarding import SECONDS, held, require_no_hold
from tenantscope_tenant_management.sources.workflows.runner import Done, OneWay, Runner, Step, Work
from tenantscope_tenant_management.sources.workflows.store import WorkflowStore
from tenantscope_tenant_management.workflow import Workflow, begin

AnyCall = Call[Any]
_TOMBSTONE = ("tenantId", "recordType", "tenantRegistrationId", "createdAt")


@dataclass(frozen=True)
class LettingGo:
    """Offboarding, from the confirmed request to the receipt."""

    recorder: Recorder
    tenants: Tenants
    directory: Directory
    journal: JournalErasing
    stores: Callable[[], Sequence[Holding]]
    store: WorkflowStore
    runner: Runner[AnyCall]
    steps: Callable[[], Sequence[Step[AnyCall]]]
    clock: Callable[[], datetime]

    async def plan(self, call: AnyCall, tenant: str) -> list[Held]:
        """What would be erased, as it is now."""
        return await held(self.directory, self.stores(), self.journal, call, tenant)

    async def known(self, call: AnyCall, tenant: str) -> Workflow | None:
        """The offboarding of a tenant; None where there is none."""
        return await self.store.read(call.aws, tenant, "offboarding")

    async def let_go(self, call: AnyCall, record: Item, *, export: bool, note: str | None) -> Workflow:
        """Begin, or go on with what an earlier call has begun.

        Raises:
            Conflict: The tenant is under legal hold.
            Unavailable: Another call is taking the tenant in at this moment.
            TenantChanged: The record was changed since it was read.
            Unavailable: It stopped on the way; the same call goes on.
        """
        tenant = str(record["tenantId"])
        flow = await self.known(call, tenant)
        if flow is None:
            flow = await self._begun(call, record, export=export, note=note)
        flow = await self.runner.run(call, tenant, flow, self.steps(), report=call.report_progress, undoes=False)
        await self.recorder.send_waiting(call, tenant)
        return flow

    async def _begun(self, call: AnyCall, record: Item, *, export: bool, note: str | None) -> Workflow:
        tenant, now = str(record["tenantId"]), self.clock()
        if record.get("legalHold") is True:
            raise Conflict("The tenant is under legal hold; lift it by update_tenant first.", parameter="action")
        taking_in = await self._broken_off(call, tenant)
        flow = begin(
            "offboarding", f"offboarding-{now:%Y%m%dT%H%M%SZ}", "", {"export": export},
            [step.name for step in self.steps()], by=call.caller.subject, now=now,
        )  # fmt: skip
        after = changed(record, now, tenantStatus="Offboarding", sbtaws_active=False, statusReason=None)
        try:
            await self.tenants.save(
                call, record, after, "tenant.offboarding_started", note=note, events=[offboarding_requested(after)],
                parts=[self.store.part(tenant, flow, None), *taking_in],
            )  # fmt: skip
        except PartChanged:
            raise Unavailable("Another call works on this tenant at this moment; call again.") from None
        return flow

    async def _broken_off(self, call: AnyCall, tenant: str) -> list[dict[str, Any]]:
        """The part that ends an onboarding which is not over: nobody may go on with it once the tenant leaves."""
        begun = await self.store.read(call.aws, tenant, "onboarding")
        if begun is None or begun.finished:
            return []
        left = begun.lease_of_another("", self.clock())
        if left is not None:
            raise Unavailable("Another call is taking this tenant in.", retry_after_seconds=max(0.1, left))
        return [self.store.part(tenant, begun.broken_off("The tenant was let go before it was taken in."), begun)]


@dataclass(frozen=True)
class EraseRecord(OneWay):
    """The last step: the registry forgets the tenant but for its id, and the receipt is written."""

    tenants: Tenants
    recorder: Recorder
    journal: JournalErasing
    clock: Callable[[], datetime]
    name: str = "receipt"
    title: str = "Erasing its record and writing the receipt"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Erase what is personal, then put the tombstone in place of the record, with the receipt."""
        record = await self.tenants.read(work.call, work.tenant)
        receipt = self._receipt(work)
        if record.get("tenantStatus") != "Offboarded":
            await require_no_hold(self.tenants, work)
            if await self.recorder.send_waiting(work.call, work.tenant):  # it would be erased untold
                raise Unavailable("The event bus could not be told that the tenant leaves.", retry_after_seconds=5.0)
            if not await self.journal.erase(work.call.aws, work.tenant, seconds=SECONDS):
                return Done(again=True)
            await self._bury(work, record, receipt)
        return Done("its id alone is left; the receipt says what each store held", {"receipt": receipt})

    async def _bury(self, work: Work[AnyCall], record: Item, receipt: Mapping[str, Any]) -> None:
        kept = {name: record[name] for name in _TOMBSTONE if name in record}
        gone = changed(
            {**kept, "version": record.get("version", 0)}, work.now, tenantName=f"(left) {work.tenant}",
            tenantStatus="Offboarded", sbtaws_active=False, offboardedAt=work.now.isoformat(timespec="milliseconds"),
        )  # fmt: skip
        registration = record.get("tenantRegistrationId")
        note = Note("tenant.offboarded", after={"receipt": receipt["digest"], "status": "Offboarded"})
        event = deprovisioned(work.tenant, None if registration is None else str(registration))
        try:
            await self.recorder.write(work.call, work.tenant, note, change=Change(record, gone), events=[event])
        except RecordChanged:
            raise Unavailable("The record was changed at this moment.", retry_after_seconds=1.0) from None

    def _left(self, store: str, verified: Mapping[str, Any]) -> int:
        """How much was left of a store when it was read back; of the registry nothing is, once this step is done.

        Raises:
            NotSetUp: It was measured and never read back, so that nobody knows.
        """
        if store == STORE:
            return 0
        if store not in verified:
            raise NotSetUp(f"The {store} were counted and not read back; a server that is set up for them goes on.")
        return int(verified[store])

    def _receipt(self, work: Work[AnyCall]) -> dict[str, Any]:
        measured = work.flow.outcome("measure")
        verified = work.flow.outcome("verify")
        lines: list[StoreLine] = []
        for name, counted in measured.items():
            parts = {kind: int(count) for kind, count in mapping_of(counted["parts"]).items()}
            lines.append(StoreLine(name, parts, counted["bytes"], self._left(name, mapping_of(verified.get("left")))))
        export = work.flow.outcome("export_record")
        erased = next((step.at for step in work.flow.steps if step.name == "verify"), None)
        return Receipt(
            tenant=work.tenant, workflow=work.flow.id, started=work.flow.started, finished=str(erased),
            stores=lines, export=dict(export) or None, kept=[*map(str, verified.get("kept", ())), *KEPT],
        ).as_json()  # fmt: skip
