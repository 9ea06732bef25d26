"""What a tenant's record lacks that another control plane wrote."""

from collections.abc import Mapping
from typing import Any

from tenantscope_tenant_management.changes import Record, overrides_of
from tenantscope_tenant_management.registry import is_leaving
from tenantscope_tenant_management.tiers import Tier, terms

RECORD_TYPE = "tenant"


def lacking(record: Record, tiers: Mapping[str, Tier]) -> dict[str, Any]:
    """The attributes to add, with their values; what is there is left as it is, whoever wrote it.

    A tenant that leaves or has left lacks nothing.

    Raises:
        DamagedRecord: The tenant's exceptions from its tier's quotas cannot be read.
    """
    if is_leaving(record):
        return {}
    added: dict[str, Any] = {}
    if record.get("recordType") is None:
        added["recordType"] = RECORD_TYPE
    if record.get("version") is None:
        added["version"] = 0
    tier = tiers.get(str(record.get("tier", "")))
    if tier is not None and (record.get("entitlements") is None or record.get("quotas") is None):
        given = terms(tier, overrides_of(record))
        of_tier: dict[str, Any] = {"entitlements": sorted(given.features), "quotas": dict(given.quotas)}
        added |= {name: value for name, value in of_tier.items() if record.get(name) is None}
    return added
