"""Tiers as they were published: in the journal, under a key that no tenant can have, readable by every caller."""

from collections.abc import Sequence

from tenantscope_core.results.errors import InvalidArgument, NotSetUp
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.registry import mapping_of, whole
from tenantscope_tenant_management.sources.journal import Item, Journal
from tenantscope_tenant_management.tiers import Tier
from tenantscope_tenant_management.tiers_file import MAX_TIERS

OWNER = ":tiers"


class TierTable:
    """Reads the tiers with the session of the call."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def all(self, aws: AwsCaller) -> list[Tier]:
        """Every tier, the least first."""
        page = await self._journal.listed(aws, OWNER, "tier:", "tier;", limit=MAX_TIERS)
        return [_tier(item) for item in page.items]

    async def one(self, aws: AwsCaller, name: str) -> Tier:
        """The tier of a name.

        Raises:
            NotSetUp: No tiers were published yet.
            InvalidArgument: There is none of that name.
        """
        known = await self.all(aws)
        if not known:
            raise NotSetUp("No tiers are published yet; the server's operator runs publish-tiers with a file of them.")
        found = [tier for tier in known if tier.name == name]
        if not found:
            names = ", ".join(tier.name for tier in known)
            raise InvalidArgument(f"There is no such tier; there are: {names}.", parameter="tier")
        return found[0]


def tier_items(listed: Sequence[Tier]) -> list[Item]:
    """Tiers as the journal keeps them, in their order."""
    return [
        {
            "tenantId": OWNER, "entry": f"tier:{position:02d}", "name": tier.name, "title": tier.title,
            "description": tier.description, "features": list(tier.features), "quotas": dict(tier.quotas),
        }
        for position, tier in enumerate(listed)
    ]  # fmt: skip


def _tier(item: Item) -> Tier:
    quotas = {name: whole(limit, "quotas") for name, limit in mapping_of(item["quotas"]).items()}
    return Tier(item["name"], item["title"], item["description"], tuple(item["features"]), quotas)
