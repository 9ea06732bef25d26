"""The audit trail read back: one tenant's with its chain checked, or all tenants' in order of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.audit import Entry, Head, broken_at
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import DamagedHead, Journal, audit_key, fleet_key, readable

_FIRST, _LAST = "audit:", "audit;"
FLEET_WITHOUT_SINCE = timedelta(days=730)
_AHEAD = timedelta(days=1)  # entries may be a little ahead of this clock
_MOST_MONTHS = 121


@dataclass(frozen=True, slots=True)
class Found:
    """Entries, newest first; `ends` whether nothing is before them."""

    entries: Sequence[Entry]
    ends: bool
    intact: bool | None = None
    broken_at: int | None = None
    head: str | None = None

    def after(self, shown: int) -> dict[str, Any] | None:
        """Where a page goes on that shows the first so many; None at the end."""
        if shown == 0 or (shown == len(self.entries) and self.ends):
            return None
        last = self.entries[shown - 1]
        return {"tenant": last.tenant, "at": _iso(last.at), "seq": last.seq}


class Trail:
    """Reads audit entries with the session of the call."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def one(self, aws: AwsCaller, tenant: str, seq: int) -> Found:
        """One entry of a tenant, by number.

        Raises:
            NotFound: There is none.
        """
        after: Item | None = None
        for _ in range(1_000):  # a page is a hundred: no trail is longer
            page = await self._journal.listed(aws, tenant, _FIRST, _LAST, limit=100, newest=True, after=after)
            entries = readable(page.items)
            for entry in entries:
                if entry.seq == seq:
                    broken = broken_at([entry])
                    return Found([entry], True, broken is None, broken)
            after = page.next_key
            if after is None or (entries and entries[-1].seq < seq):
                break
        raise NotFound("The tenant's trail has no event of this number.", parameter="seq")

    async def of_tenant(
        self, aws: AwsCaller, tenant: str, since: datetime | None, until: datetime | None, *, limit: int,
        after: dict[str, Any] | None,
    ) -> Found:  # fmt: skip
        """A tenant's entries from `since` up to and without `until`, newest first, checked against the chain."""
        first = _FIRST if since is None else f"audit:{_iso(since)}"
        last = _LAST if until is None else f"audit:{_iso(until)}"
        if last <= first:
            return Found([], True)
        start: Item | None = (
            None if after is None else {"tenantId": tenant, "entry": audit_key(after["at"], after["seq"])}
        )
        page = await self._journal.listed(aws, tenant, first, last, limit=limit, newest=True, after=start)
        entries = readable(page.items)
        head = await self._head(aws, tenant) if after is None and until is None else None
        if head is not None and entries and head.seq > entries[0].seq:
            # Somebody wrote between the two reads: the newest entry is the page's, unless it was taken away.
            later = await self._journal.listed(aws, tenant, first, last, limit=limit, newest=True)
            entries, page = readable(later.items), later
            head = await self._head(aws, tenant) if entries and entries[0].seq < head.seq else None
        ends = since is None and page.next_key is None
        broken = broken_at(list(reversed(entries)), head=head if since is None else None, begins=ends)
        if broken is None and after is not None and (entries or ends):
            expected, newest = int(after["seq"]) - 1, entries[0].seq if entries else 0
            broken = None if newest == expected else expected
        newest = head.hash if head is not None and head.seq else None
        return Found(entries, page.next_key is None, broken is None, broken, newest)

    async def _head(self, aws: AwsCaller, tenant: str) -> Head:
        """The head; where it cannot be read one that no entry is, so that the chain is told to be broken."""
        try:
            return await self._journal.head(aws, tenant)
        except DamagedHead:
            return Head(0, "", None)

    async def of_all(
        self,
        aws: AwsCaller,
        since: datetime | None,
        until: datetime | None,
        now: datetime,
        *,
        limit: int,
        after: dict[str, Any] | None,
    ) -> Found:
        """All tenants' entries, newest first, month by month; of the last two years, where `since` is not given.

        Raises:
            InvalidArgument: `since` is more than ten years ago.
        """
        end = min(until or now + _AHEAD, now + _AHEAD)
        first = _iso(since or now - FLEET_WITHOUT_SINCE)
        last = _iso(end) if after is None else fleet_key(after["at"], after["tenant"], after["seq"])
        entries: list[Entry] = []
        month = last[:7]
        for _ in range(_MOST_MONTHS):
            if month < first[:7]:
                return Found(entries, True)
            room = limit + 2 - len(entries)  # one more than shown, and the one that the cursor names
            page = await self._journal.found(aws, f"audit:{month}", limit=room, newest=True, between=(first, last))
            entries += [entry for entry in readable(page.items) if _place(entry) < last]
            if len(entries) > limit:
                return Found(entries[:limit], False)
            month = _before(month)
        raise InvalidArgument("since is more than ten years ago; ask for less.", parameter="since")


def _place(entry: Entry) -> str:
    return fleet_key(_iso(entry.at), entry.tenant, entry.seq)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year:04d}-{number - 1:02d}" if number > 1 else f"{year - 1:04d}-12"
