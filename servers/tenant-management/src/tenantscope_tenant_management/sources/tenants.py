"""One tenant's record: read, and changed with all that hangs on it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tenantscope_core.results.errors import Conflict

from tenantscope_tenant_management.audit import Note, changes
from tenantscope_tenant_management.changes import Record, overrides_of, version_of, visible
from tenantscope_tenant_management.conflicts import Since, TenantChanged
from tenantscope_tenant_management.events import Event
from tenantscope_tenant_management.registry import DamagedRecord, has_left, profile
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import Journal, entry_of
from tenantscope_tenant_management.sources.recording import Asked, Change, RecordChanged, Recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable, damaged, unknown_tenant
from tenantscope_tenant_management.sources.tags import tag_parts

_LOOKED_BACK = 50


class Tenants:
    """Reads a record, and writes it with its audit entry, its tags and its events."""

    def __init__(self, registry: RegistryTable, journal: Journal, recorder: Recorder) -> None:
        self._registry = registry
        self._journal = journal
        self._recorder = recorder

    async def read(self, call: Asked, tenant: str) -> Item:
        """A tenant's record, every part of which can be read.

        Raises:
            NotFound: There is none.
            DataFault: It is damaged; nothing is made of it.
        """
        record = await self._registry.get(call.aws, tenant)
        if record is None:
            raise unknown_tenant()
        try:
            profile(record)
            overrides_of(record)
        except DamagedRecord as error:
            raise damaged(error) from error
        return record

    async def read_at(self, call: Asked, tenant: str, version: int) -> Item:
        """A tenant's record, at the version that a change was decided on.

        Raises:
            NotFound: There is none.
            Conflict: The tenant has left.
            TenantChanged: It is at another version.
        """
        record = await self.read(call, tenant)
        _require_stays(record)
        if version_of(record) != version:
            raise await self._conflict(call, tenant, version)
        return record

    async def save(
        self, call: Asked, before: Record, after: Record, action: str, *, events: Sequence[Event] = (),
        note: str | None = None, parts: Sequence[dict[str, Any]] = (), target: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Write a record as it should be, in place of what was read.

        Raises:
            Conflict: The tenant has left.
            TenantChanged: It is not what was read any more; nothing was written.
        """
        _require_stays(before)
        tenant = str(after["tenantId"])
        was, now = changes(visible(before), visible(after))
        written = Note(action, target=target, before=was, after={**now, **(extra or {})}, note=note)
        hanging = [*tag_parts(self._journal, before, after), *parts]
        try:
            await self._recorder.write(
                call, tenant, written, change=Change(dict(before), dict(after)), events=events, parts=hanging
            )
        except RecordChanged:
            raise await self._conflict(call, tenant, version_of(before), before) from None

    async def _conflict(self, call: Asked, tenant: str, version: int, before: Record | None = None) -> TenantChanged:
        """What changed since a version, or since a record was read: other control planes count no versions."""
        record = await self.read(call, tenant)
        now = version_of(record)
        page = await self._journal.listed(call.aws, tenant, "audit:", "audit;", limit=_LOOKED_BACK, newest=True)
        later = [entry_of(item) for item in page.items if int(item.get("version") or 0) > version]
        known = {name for entry in later for side in ("before", "after") for name in entry.shown.get(side, {})}
        seen = (
            set[str]()
            if before is None
            else {name for side in changes(visible(before), visible(record)) for name in side}
        )
        fields = sorted(known.union(seen))
        complete = now == version or {entry.version for entry in later} >= set(range(version + 1, now + 1))
        return TenantChanged(version, Since(now, fields, complete))


def _require_stays(record: Record) -> None:
    if has_left(record):
        raise Conflict("The tenant has left; what is kept of it, so that its id is not given again, stays as it is.")
