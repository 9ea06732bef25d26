"""Which tenants a list is about, and whether a record is one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenantscope_tenant_management.registry import Status, summary


@dataclass(frozen=True, slots=True)
class TenantFilter:
    """Which tenants a list is about; None leaves a criterion open."""

    status: Status | None = None
    tier: str | None = None
    name_prefix: str | None = None
    tag: tuple[str, str] | None = None
    active_since: datetime | None = None
    inactive_since: datetime | None = None

    @property
    def asks_for_activity(self) -> bool:
        """Whether last use matters."""
        return self.active_since is not None or self.inactive_since is not None

    @property
    def asks_for_activity_alone(self) -> bool:
        """Whether nothing else does."""
        others = (self.status, self.tier, self.name_prefix, self.tag)
        return self.asks_for_activity and all(one is None for one in others)


def matches(record: Mapping[str, Any], wanted: TenantFilter) -> bool:
    """Whether a record meets every criterion, whatever index it was found by.

    Raises:
        DamagedRecord: It cannot be read.
    """
    seen = summary(record)
    used, since, until = seen.last_active, wanted.active_since, wanted.inactive_since
    return (
        wanted.status in (None, seen.status)
        and wanted.tier in (None, seen.tier)
        and seen.name.startswith(wanted.name_prefix or "")
        and (wanted.tag is None or seen.tags.get(wanted.tag[0]) == wanted.tag[1])
        and (since is None or (used is not None and used >= since))
        and (until is None or (used is not None and used < until))
    )
