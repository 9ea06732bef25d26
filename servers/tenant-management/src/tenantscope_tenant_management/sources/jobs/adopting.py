"""Takes in what other control planes wrote: adds what indexes, lists and limits need, and changes nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import NotFound, ToolFailure
from tenantscope_core.results.statuses import KNOWN_STATUSES, spellings_of
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.adoption import RECORD_TYPE, lacking
from tenantscope_tenant_management.changes import Record, changed
from tenantscope_tenant_management.conflicts import TenantChanged
from tenantscope_tenant_management.registry import DamagedRecord
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.jobs.job import Job
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.open import open_recorder
from tenantscope_tenant_management.sources.registry_table import ALL_TENANTS, BY_STATUS, BY_TIER, Index, RegistryTable
from tenantscope_tenant_management.sources.tags import tag_items
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.tier_table import TierTable
from tenantscope_tenant_management.tiers import Tier

_READ_AT_ONCE, _SIDE_BY_SIDE = 100, 8
_TOLD_EVERY = 1_000
_MOST_PAGES, _MOST_TAG_PAGES = 100_000, 20
_MOST_PARTS = 60  # of a transaction, which may have a hundred; the next run does the rest
_TRIES = 5


@dataclass(slots=True)
class Counted:
    """How many tenants were looked at, taken in, and could not be."""

    seen: int = 0
    adopted: int = 0
    failed: int = 0


class Adopter:
    """Works with the fleet's session, one tenant at a time; run again, it goes on where it stopped.

    It finds a tenant by its status, its tier or its `recordType`; one that has none of these known is in no index.
    """

    def __init__(
        self, settings: Settings, aws: AwsCaller, *, clock: Callable[[], datetime], say: Callable[[str], None],
        dry_run: bool,
    ) -> None:  # fmt: skip
        self._registry, self._journal = RegistryTable(settings.tenants_table), Journal(settings.journal_table)
        self._tenants = Tenants(self._registry, self._journal, open_recorder(settings, self._registry, self._journal))
        self._aws = aws
        self._clock = clock
        self._say = say
        self._dry_run = dry_run

    async def run(self) -> Counted:
        """Look at every tenant, and take in those that lack something."""
        tiers = {tier.name: tier for tier in await TierTable(self._journal).all(self._aws)}
        if not tiers:
            self._say("no tiers are published: nobody gets features and quotas by this run")
        counted = Counted()
        async for batch in self._batches(tiers):
            done = await asyncio.gather(*(self._one(tiers, record) for record in batch))
            before, counted.seen = counted.seen, counted.seen + len(batch)
            counted.adopted += done.count(True)
            counted.failed += done.count(None)
            if counted.seen // _TOLD_EVERY > before // _TOLD_EVERY:
                self._say(f"{counted.seen} looked at, {counted.adopted} taken in")
        return counted

    async def _batches(self, tiers: Mapping[str, Tier]) -> AsyncGenerator[list[Item]]:
        """Every tenant that an index has, once."""
        spellings = [spelling for status in sorted(KNOWN_STATUSES) for spelling in spellings_of(status)]
        partitions: list[tuple[Index, str]] = [
            *((BY_STATUS, spelling) for spelling in spellings), *((BY_TIER, tier) for tier in tiers),
            (ALL_TENANTS, RECORD_TYPE),
        ]  # fmt: skip
        for index, value in partitions:
            after: Item | None = None
            for _ in range(_MOST_PAGES):
                page = await self._registry.listed(self._aws, index, value, limit=_READ_AT_ONCE, after=after)
                fresh = [item for item in page.items if not _seen_before(item, index, spellings, tiers)]
                for start in range(0, len(fresh), _SIDE_BY_SIDE):
                    yield fresh[start : start + _SIDE_BY_SIDE]
                after = page.next_key
                if after is None:
                    break

    async def _one(self, tiers: Mapping[str, Tier], found: Item) -> bool | None:
        """Whether a tenant was taken in; None where it could not be."""
        try:
            return await self._adopt(tiers, found)
        except NotFound:
            return False
        except (DamagedRecord, ToolFailure, AwsError) as error:
            self._say(f"{found['tenantId']}: not taken in ({type(error).__name__}); run this again")
            return None

    async def _adopt(self, tiers: Mapping[str, Tier], found: Item) -> bool:
        tenant, record = str(found["tenantId"]), found
        for tried in range(_TRIES):
            added, parts = lacking(record, tiers), await self._tag_parts(record)
            if not added and not parts:
                return False
            if self._dry_run:
                return True
            call = Job(self._aws, self._clock().astimezone(UTC), "adopt")
            if record is found:  # an index may be behind: what is written is made from the record itself
                record = await self._tenants.read(call, tenant)
                continue
            added.pop("version", None)  # `changed` counts it
            told = {"tags_indexed": len(parts)} if parts else {}
            after = changed(record, call.now, **added)
            try:
                await self._tenants.save(call, record, after, "tenant.adopted", parts=parts, extra=told)
            except TenantChanged:
                if tried == _TRIES - 1:
                    raise
                record = await self._tenants.read(call, tenant)
            else:
                return True
        return False

    async def _tag_parts(self, record: Record) -> list[dict[str, Any]]:
        """What brings the tags' entries to where the record is."""
        tenant, wanted = str(record["tenantId"]), tag_items(record)
        kept: dict[str, Item] = {}
        after: Item | None = None
        for _ in range(_MOST_TAG_PAGES):
            page = await self._journal.listed(self._aws, tenant, "tag:", "tag;", limit=_READ_AT_ONCE, after=after)
            kept |= {str(item["entry"]): item for item in page.items if "kind" in item}
            after = page.next_key
            if after is None:
                break
        puts = [self._journal.put(item) for kind, item in wanted.items() if kept.get(kind) != item]
        gone = [self._journal.gone(item, self._clock()) for kind, item in kept.items() if kind not in wanted]
        return [*puts, *gone][:_MOST_PARTS]


def _seen_before(item: Item, index: Index, spellings: list[str], tiers: Mapping[str, Tier]) -> bool:
    """Whether an index that comes earlier has the tenant too."""
    by_status, by_tier = item.get("tenantStatus") in spellings, item.get("tier") in tiers
    return (index is not BY_STATUS and by_status) or (index is ALL_TENANTS and by_tier)
