"""Publishes tiers, and brings the terms of every tenant that is on one of them up to date."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.changes import overrides_of, terms_of, with_terms
from tenantscope_tenant_management.conflicts import TenantChanged
from tenantscope_tenant_management.filters import TenantFilter
from tenantscope_tenant_management.registry import DamagedRecord, has_left, is_leaving
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.jobs.job import Job
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.open import open_recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable
from tenantscope_tenant_management.sources.tenant_search import TenantSearch
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.tier_table import tiers_item
from tenantscope_tenant_management.tiers import Tier, terms

_AT_ONCE = 100
_MOST_PAGES = 100_000
_TRIES = 5


class Publisher:
    """Writes with the fleet's session, one tenant at a time; run again, it goes on where it stopped."""

    def __init__(
        self, settings: Settings, aws: AwsCaller, *, clock: Callable[[], datetime], say: Callable[[str], None]
    ) -> None:
        self._registry, self._journal = RegistryTable(settings.tenants_table), Journal(settings.journal_table)
        self._search = TenantSearch(self._registry, self._journal)
        recorder = open_recorder(settings, self._registry, self._journal)
        self._tenants = Tenants(self._registry, self._journal, recorder)
        self._aws = aws
        self._clock = clock
        self._say = say

    async def has_tenants(self, tier: str) -> bool:
        """Whether any tenant is on a tier; one that has left is on none, whatever its record still says."""
        start = None
        for _ in range(_MOST_PAGES):
            found = await self._search.find(self._aws, TenantFilter(tier=tier), limit=_AT_ONCE, start=start)
            start = found.next_position
            if start is None or not all(map(has_left, found.items)):
                return not all(map(has_left, found.items))
        return True

    async def publish(self, listed: Sequence[Tier]) -> int:
        """Publish tiers; 0 where every tenant on them has their terms, 1 where some could not be brought up to date."""
        await self._aws.call("dynamodb", "put_item", **self._journal.put(tiers_item(listed))["Put"])
        failed = 0
        for tier in listed:
            brought, amiss = await self._bring(tier)
            failed += amiss
            self._say(f"{tier.name}: {brought} tenants brought up to date" + (f", {amiss} failed" if amiss else ""))
        self._say(f"published {len(listed)} tiers")
        return 1 if failed else 0

    async def _bring(self, tier: Tier) -> tuple[int, int]:
        brought = amiss = 0
        start = None
        for _ in range(_MOST_PAGES):
            found = await self._search.find(self._aws, TenantFilter(tier=tier.name), limit=_AT_ONCE, start=start)
            for item in found.items:
                try:
                    brought += await self._one(tier, item)
                except (DamagedRecord, ToolFailure, AwsError) as error:
                    amiss += 1
                    self._say(f"{item['tenantId']}: not brought up to date ({type(error).__name__}); run this again")
            start = found.next_position
            if start is None:
                break
        return brought, amiss

    async def _one(self, tier: Tier, found: Item) -> int:
        tenant = str(found["tenantId"])
        for tried in range(_TRIES):
            call = Job(self._aws, self._clock().astimezone(UTC), "publish-tiers")
            record = await self._tenants.read(call, tenant)
            overrides = overrides_of(record)
            if record.get("tier") != tier.name or is_leaving(record) or terms_of(record) == terms(tier, overrides):
                return 0
            try:
                await self._tenants.save(
                    call, record, with_terms(record, tier, overrides, call.now), "tenant.terms_updated"
                )
            except TenantChanged:
                if tried == _TRIES - 1:
                    raise
            else:
                return 1
        return 0
