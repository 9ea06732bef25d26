"""Tags as the journal keeps them, to find tenants by: an entry for each tag of each tenant, in order of name."""

from datetime import datetime
from typing import Any

from tenantscope_tenant_management.changes import Record
from tenantscope_tenant_management.registry import tags_of
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import Journal

MOST_ENTRIES = 40  # of a tenant: more are other control planes' doing, and would not fit a transaction
_LONGEST_KIND_BYTES = 1_024  # of a sort key


def kind_of(name: str, value: str) -> str:
    """Under which kind the tenants with a tag stand."""
    return f"tag:{name}={value}"


def tag_items(record: Record) -> dict[str, Item]:
    """The entries of a record, by their key; a tag that fits no key, or is one of too many, has none."""
    tenant, name = str(record["tenantId"]), str(record.get("tenantName", ""))
    kinds = [kind_of(*tag) for tag in sorted(tags_of(record).items())]
    kinds = [kind for kind in kinds if len(kind.encode()) <= _LONGEST_KIND_BYTES][:MOST_ENTRIES]
    return {kind: {"tenantId": tenant, "entry": kind, "kind": kind, "kindSort": f"{name}\t{tenant}"} for kind in kinds}


def tag_parts(journal: Journal, before: Record | None, after: Record) -> list[dict[str, Any]]:
    """The parts of a transaction that bring the entries from one record to the next."""
    had, has = ({} if before is None else tag_items(before)), tag_items(after)
    parts = [journal.put(item) for kind, item in has.items() if had.get(kind) != item]
    now = datetime.fromisoformat(str(after["updatedAt"]))
    return parts + [journal.gone(item, now) for kind, item in had.items() if kind not in has]
