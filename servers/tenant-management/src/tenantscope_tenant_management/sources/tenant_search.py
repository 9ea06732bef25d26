"""Tenants found by index, never by Scan: a page costs as much among a hundred thousand as among a hundred."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tenantscope_core.results.statuses import ACTIVE_STATUSES, spellings_of
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.filters import TenantFilter, matches
from tenantscope_tenant_management.registry import DamagedRecord, Status
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.registry_table import (
    ALL_TENANTS,
    BY_ACTIVITY,
    BY_STATUS,
    BY_TIER,
    MOST_AT_ONCE,
    Index,
    RegistryTable,
)
from tenantscope_tenant_management.sources.tags import kind_of

MAX_QUERIES_A_PAGE = 10  # a filter that matches little gives a short page and a cursor, not an endless read
_READ_AT_ONCE = 200

Position = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Tenants in order, ids of damaged records on the way, and where the next page begins, None at the end."""

    items: list[Item]
    damaged: list[str]
    next_position: Position | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A record at its place in an index: `key` is where a reading goes on after it; without a record it is gone."""

    sort: str
    key: Item
    record: Item | None


class Shelf(Protocol):
    """One partition of an index, whose records stand in an order. `queries` is what reading of it once takes."""

    queries: int

    async def read(self, aws: AwsCaller, limit: int, after: Item | None) -> tuple[list[Placed], Item | None]:
        """Up to so many records after a place, and where to go on; None at the end."""
        ...


class TenantSearch:
    """Finds tenants with the fleet's session. What an index is behind with, the record itself decides."""

    def __init__(self, registry: RegistryTable, journal: Journal) -> None:
        self._registry = registry
        self._journal = journal

    async def find(self, aws: AwsCaller, wanted: TenantFilter, *, limit: int, start: Position | None) -> Found:
        """Up to `limit` tenants that match, from a position on, after at most `MAX_QUERIES_A_PAGE` queries.

        Raises:
            Unavailable: The registry is too busy to give what it has.
        """
        shelves, is_exact = self._shelves(wanted)
        reading = _Reading(shelves, start, size=limit + 1 if is_exact else _READ_AT_ONCE)
        items: list[Item] = []
        damaged: list[str] = []
        while await reading.fill(aws):
            placed = reading.first
            if placed is None:
                return Found(items, damaged, None)
            try:
                found = placed.record is not None and matches(placed.record, wanted)
            except DamagedRecord:
                found = False
                damaged.append(placed.key["tenantId"])
            if found and len(items) == limit:
                break
            if found and placed.record is not None:
                items.append(placed.record)
            reading.take()
        return Found(items, damaged, reading.position)

    def _shelves(self, wanted: TenantFilter) -> tuple[list[Shelf], bool]:
        """The most selective index for a filter, and whether most of what it gives matches."""
        prefix, alone = wanted.name_prefix or "", not wanted.asks_for_activity
        if wanted.tag is not None:
            alone = alone and wanted.status is None and wanted.tier is None
            return [_Tagged(self._registry, self._journal, wanted.tag, prefix)], alone
        if wanted.status is not None and not (wanted.status in ACTIVE_STATUSES and wanted.tier):
            return self._by_status(wanted.status, prefix), alone and not wanted.tier
        if wanted.tier is not None:
            # Most tenants are active: of those of a tier, most are.
            return [_Listed(self._registry, BY_TIER, wanted.tier, prefix)], alone
        if wanted.asks_for_activity_alone:
            return [_Active(self._registry, _iso(wanted.active_since), _iso(wanted.inactive_since))], True
        return [_Listed(self._registry, ALL_TENANTS, "tenant", prefix)], alone

    def _by_status(self, status: Status, prefix: str) -> list[Shelf]:
        return [_Listed(self._registry, BY_STATUS, spelling, prefix) for spelling in spellings_of(status)]


@dataclass(slots=True)
class _Place:
    """How far a shelf is read."""

    shelf: Shelf
    after: Item | None = None
    read_to: Item | None = None
    more: bool = True
    ahead: deque[Placed] = field(default_factory=deque[Placed])


class _Reading:
    """Several shelves read as one, each in its order; `size` is how much of each is read first."""

    def __init__(self, shelves: list[Shelf], start: Position | None, *, size: int) -> None:
        after = {str(number): None for number in range(len(shelves))} if start is None else start
        self._places = {number: _Place(shelves[int(number)], key, key) for number, key in after.items()}
        self._size = size
        self._left = MAX_QUERIES_A_PAGE

    async def fill(self, aws: AwsCaller) -> bool:
        """Read on until every shelf has something ahead or is at its end; False where that takes too many queries."""
        while dry := [place for place in self._places.values() if place.more and not place.ahead]:
            cost = sum(place.shelf.queries for place in dry)
            if cost > self._left:
                return False
            self._left -= cost
            read = await asyncio.gather(*(place.shelf.read(aws, self._size, place.read_to) for place in dry))
            self._size = min(_READ_AT_ONCE, self._size * 2)
            for place, (placed, read_to) in zip(dry, read, strict=True):
                place.ahead.extend(placed)
                place.read_to, place.more = read_to, read_to is not None
        return True

    @property
    def first(self) -> Placed | None:
        """What comes next; None at the end."""
        place = self._first_place()
        return None if place is None else place.ahead[0]

    def take(self) -> None:
        """Go on by one."""
        place = self._first_place()
        if place is not None:
            place.after = place.ahead.popleft().key

    @property
    def position(self) -> Position | None:
        """Where to go on: a place in each shelf that is not at its end; None where all are."""
        left = {number: place for number, place in self._places.items() if place.ahead or place.more}
        return {number: place.after if place.ahead else place.read_to for number, place in left.items()} or None

    def _first_place(self) -> _Place | None:
        ready = [place for place in self._places.values() if place.ahead]
        return min(ready, key=lambda place: place.ahead[0].sort, default=None)


@dataclass(slots=True)
class _Listed:
    """Records of one status or tier, or all, in order of name."""

    registry: RegistryTable
    index: Index
    value: str
    prefix: str
    queries: int = 1

    async def read(self, aws: AwsCaller, limit: int, after: Item | None) -> tuple[list[Placed], Item | None]:
        """Read an index of the registry."""
        page = await self.registry.listed(aws, self.index, self.value, prefix=self.prefix, limit=limit, after=after)
        return [_placed(self.index, item) for item in page.items], page.next_key


@dataclass(slots=True)
class _Active:
    """Records in order of last use, the latest first, between two times of which either may be left open."""

    registry: RegistryTable
    since: str | None
    until: str | None
    queries: int = 1

    async def read(self, aws: AwsCaller, limit: int, after: Item | None) -> tuple[list[Placed], Item | None]:
        """Read the index of last use. Times compare as texts there: all are in UTC."""
        between = (self.since or "0", self.until or "~")
        page = await self.registry.listed(
            aws, BY_ACTIVITY, "tenant", between=between, backwards=True, limit=limit, after=after
        )
        return [_placed(BY_ACTIVITY, item) for item in page.items], page.next_key


@dataclass(slots=True)
class _Tagged:
    """Records that the journal has under a tag, in order of the name that they had then."""

    registry: RegistryTable
    journal: Journal
    tag: tuple[str, str]
    prefix: str
    queries: int = 2

    async def read(self, aws: AwsCaller, limit: int, after: Item | None) -> tuple[list[Placed], Item | None]:
        """Read the entries of the tag, then the records."""
        kind = kind_of(*self.tag)
        limit = min(limit, MOST_AT_ONCE)
        page = await self.journal.found(aws, kind, limit=limit, prefix=self.prefix, after=after)
        entries = [{name: str(item[name]) for name in ("tenantId", "entry", "kind", "kindSort")} for item in page.items]
        records = await self.registry.many(aws, [entry["tenantId"] for entry in entries])
        placed = [Placed(entry["kindSort"], entry, records.get(entry["tenantId"])) for entry in entries]
        return placed, page.next_key


def _placed(index: Index, record: Mapping[str, Any]) -> Placed:
    key = {name: str(record[name]) for name in ("tenantId", index.partition, index.sort)}
    return Placed(key[index.sort], key, dict(record))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
