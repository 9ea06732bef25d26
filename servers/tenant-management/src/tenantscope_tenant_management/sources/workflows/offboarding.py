"""Offboarding: the steps that let a tenant go. None can be undone, each can be done twice, a legal hold stops all."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from tenantscope_core.results.errors import Conflict, Unavailable
from tenantscope_core.tool import Call

from tenantscope_tenant_management.holdings import Exported, Held
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.journal_erasing import JournalErasing
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.users.directory import Directory, members
from tenantscope_tenant_management.sources.users.turns import Turns
from tenantscope_tenant_management.sources.workflows.runner import Done, OneWay, Step, Work

AnyCall = Call[Any]
SECONDS = 10.0
"""How long a step works before the workflow is kept and it is called again."""
USERS = "users"
_USERS_AT_ONCE = 100


async def require_no_hold(tenants: Tenants, work: Work[AnyCall]) -> None:
    """Let a step pass that erases.

    Raises:
        Conflict: The tenant is under legal hold.
    """
    record = await tenants.read(work.call, work.tenant)
    if record.get("legalHold") is True:
        raise Conflict(
            "The tenant is under legal hold: what it has must be kept. It is switched off and stays so; once the hold "
            "is lifted by update_tenant, the same call goes on."
        )


@dataclass(frozen=True)
class SignOut(OneWay):
    """Users can sign in no more, and what they signed in with cannot be renewed."""

    directory: Directory
    name: str = "revoke"
    title: str = "Signing its users out"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Disable some of them; each is signed out with that."""
        if await self.directory.held(work.call.aws, work.tenant) is None:
            return Done("users are kept elsewhere, and are to be switched off there", skipped=True)
        count = switched_off = 0
        async for user in members(self.directory, work.call.aws, work.tenant):
            count += 1
            if user.status != "disabled":
                if switched_off == _USERS_AT_ONCE:
                    return Done(again=True)
                await self.directory.set_enabled(work.call.aws, work.tenant, user.id, False)
                switched_off += 1
        return Done(f"{count} users signed out and disabled; the registry's switch refuses their tokens")


@dataclass(frozen=True)
class Settle(OneWay):
    """Time for calls that were let in before the switch: after it, nobody writes for the tenant any more."""

    quiet: timedelta
    name: str = "settle"
    title: str = "Waiting for calls that still run"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Wait for what is left of it."""
        left = datetime.fromisoformat(work.flow.started) + self.quiet - work.now
        if left > timedelta(0):
            return Done(again=True, wait_seconds=left.total_seconds())
        return Done(f"{self.quiet.total_seconds():g} s since the switch: every call that was let in before it is over")


@dataclass(frozen=True)
class Measure(OneWay):
    """What each store holds, before any of it goes."""

    directory: Directory
    stores: Sequence[Holding]
    journal: JournalErasing
    name: str = "measure"
    title: str = "Counting what it has"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Count."""
        counted = await held(self.directory, self.stores, self.journal, work.call, work.tenant)
        things = sum(one.count for one in counted)
        return Done(f"{things:,} things in {len(counted)} stores", {one.store: asdict(one) for one in counted})


@dataclass(frozen=True)
class ExportStore(OneWay):
    """A copy of what one store has, for the tenant."""

    holding: Holding
    folder: Callable[[AnyCall, str], ExportFolder]

    @property
    def name(self) -> str:
        """As the store is called."""
        return f"export_{self.holding.name}"

    @property
    def title(self) -> str:
        """What is done."""
        return f"Exporting its {self.holding.name}"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Export until its time is over."""
        if not work.flow.inputs["export"]:
            return Done("not asked for", skipped=True)
        folder = self.folder(work.call, work.flow.id)
        export = await self.holding.export(work.call.aws, work.tenant, folder, seconds=SECONDS)
        if not export.done:
            return Done(again=True)
        part = await folder.put(f"parts/{self.holding.name}.json", _listing(export.files))
        size = sum(one.bytes for one in export.files)
        told = f"{len(export.files):,} files, {size:,} bytes"
        return Done(told, {"files": len(export.files), "bytes": size, "list": part.name})


@dataclass(frozen=True)
class ExportRecord(OneWay):
    """A copy of what is known of the tenant itself: its record, its users, its audit trail."""

    tenants: Tenants
    directory: Directory
    journal: JournalErasing
    folder: Callable[[AnyCall, str], ExportFolder]
    name: str = "export_record"
    title: str = "Exporting its record, users and audit trail"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Write them, and the manifest of the whole export."""
        if not work.flow.inputs["export"]:
            return Done("not asked for", skipped=True)
        call, folder = work.call, self.folder(work.call, work.flow.id)
        record = await self.tenants.read(call, work.tenant)
        files = [await folder.put("registry/record.json", self.journal.as_json(record))]
        if await self.directory.held(call.aws, work.tenant) is not None:
            listed = [asdict(user) async for user in members(self.directory, call.aws, work.tenant)]
            files.append(await folder.put("users/users.json", self.journal.as_json(listed), rows=len(listed)))
        lines = await self.journal.exported(call.aws, work.tenant)
        files.append(await folder.put("audit/audit.jsonl", lines, rows=lines.count(b"\n")))
        lists = [str(step.outcome["list"]) for step in work.flow.steps if "list" in step.outcome]
        files += [await folder.found(name) for name in lists]
        manifest = await folder.write_manifest(files)
        count = sum(int(step.outcome.get("files", 0)) for step in work.flow.steps) + len(files)
        told = {"folder": folder.prefix, "files": count, "manifest": manifest.digest}
        return Done(f"{count:,} files in all, listed in {manifest.name}", told)


@dataclass(frozen=True)
class EraseUsers(OneWay):
    """No user is left, nor their group."""

    directory: Directory
    turns: Turns
    tenants: Tenants
    name: str = "erase_users"
    title: str = "Erasing its users"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Delete some of them."""
        await require_no_hold(self.tenants, work)
        if await self.directory.held(work.call.aws, work.tenant) is None:
            return Done("users are kept elsewhere", skipped=True)
        invited = await self.turns.unfinished(work.call.aws, work.tenant)
        done = await self.directory.erase_tenant(work.call.aws, work.tenant, at_most=_USERS_AT_ONCE, also=invited)
        return Done("none is left") if done else Done(again=True)


@dataclass(frozen=True)
class EraseStore(OneWay):
    """One store is emptied of the tenant."""

    holding: Holding
    tenants: Tenants

    @property
    def name(self) -> str:
        """As the store is called."""
        return f"erase_{self.holding.name}"

    @property
    def title(self) -> str:
        """What is done."""
        return f"Erasing its {self.holding.name}"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Delete until its time is over."""
        await require_no_hold(self.tenants, work)
        done = await self.holding.erase(work.call.aws, work.tenant, seconds=SECONDS)
        return Done("nothing is left") if done else Done(again=True)


@dataclass(frozen=True)
class Verify(OneWay):
    """Every store is read back; what came late is erased as well."""

    directory: Directory
    stores: Sequence[Holding]
    tenants: Tenants
    name: str = "verify"
    title: str = "Reading every store back"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Look into each."""
        await require_no_hold(self.tenants, work)
        users = await self.directory.held(work.call.aws, work.tenant)
        if users:
            await self.directory.erase_tenant(work.call.aws, work.tenant, at_most=_USERS_AT_ONCE)
            users = await self.directory.held(work.call.aws, work.tenant)
        left = {} if users is None else {USERS: users}
        for holding in self.stores:
            there = (await holding.held(work.call.aws, work.tenant)).count
            if there:
                await holding.erase(work.call.aws, work.tenant, seconds=SECONDS)
                there = (await holding.held(work.call.aws, work.tenant)).count
            left[holding.name] = there
        late = [name for name, count in left.items() if count]
        if late:
            raise Unavailable(
                f"Something is still being written for the tenant in: {', '.join(late)}.", retry_after_seconds=10.0
            )
        kept = [sentence for each in self.stores for sentence in await each.kept(work.call.aws, work.tenant)]
        return Done(f"{len(left)} stores read back, nothing is left", {"left": left, "kept": kept})


def steps(
    tenants: Tenants, directory: Directory, turns: Turns, stores: Sequence[Holding], journal: JournalErasing, *,
    quiet: timedelta, bucket: str | None, last: Step[AnyCall],
) -> Sequence[Step[AnyCall]]:  # fmt: skip
    """The steps in their order. The switch is thrown before the first: what is exported is all there ever was."""

    def folder(call: AnyCall, workflow: str) -> ExportFolder:
        return ExportFolder(call.aws, bucket, workflow)

    return [
        SignOut(directory),
        Settle(quiet),
        Measure(directory, stores, journal),
        *(ExportStore(each, folder) for each in stores),
        ExportRecord(tenants, directory, journal, folder),
        EraseUsers(directory, turns, tenants),
        *(EraseStore(each, tenants) for each in stores),
        Verify(directory, stores, tenants),
        last,
    ]


async def held(
    directory: Directory, stores: Sequence[Holding], journal: JournalErasing, call: AnyCall, tenant: str
) -> list[Held]:
    """What is there of a tenant, store by store, now."""
    users = await directory.held(call.aws, tenant)
    found = [] if users is None else [Held(USERS, {"user": users})]
    found += [await each.held(call.aws, tenant) for each in stores]
    return [one.summed_up() for one in (*found, await journal.held(call.aws, tenant))]


def _listing(files: Sequence[Exported]) -> bytes:
    listed: list[Mapping[str, Any]] = [asdict(one) for one in files]
    return json.dumps(listed, ensure_ascii=False, indent=1).encode()
