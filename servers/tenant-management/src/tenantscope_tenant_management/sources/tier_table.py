"""Tiers as they were published: in the journal, under a key that no tenant can have, readable by every caller."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tenantscope_core.results.errors import InvalidArgument, NotSetUp
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.tiers import Tier

OWNER, ENTRY = ":tiers", "tiers"


class TierTable:
    """Reads the tiers with the session of the call."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def all(self, aws: AwsCaller) -> list[Tier]:
        """Every tier, the least first."""
        item = await self._journal.get(aws, OWNER, ENTRY)
        return [] if item is None else [_tier(each) for each in json.loads(item["document"])]

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


def tiers_item(listed: Sequence[Tier]) -> Item:
    """Tiers as the journal keeps them: one document, so that they change all at once."""
    return {"tenantId": OWNER, "entry": ENTRY, "document": json.dumps([asdict(tier) for tier in listed])}


def _tier(given: Mapping[str, Any]) -> Tier:
    return Tier(given["name"], given["title"], given["description"], tuple(given["features"]), given["quotas"])
