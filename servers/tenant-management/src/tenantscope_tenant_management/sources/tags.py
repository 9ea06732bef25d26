"""Tags as the journal keeps them, to find tenants by: an entry for each tag of each tenant, in order of name."""

from typing import Any

from tenantscope_tenant_management.changes import Record, tags_of
from tenantscope_tenant_management.sources.journal import Item, Journal

_GONE_AT_ONCE = 1
"""A time long past: what is out of the index leaves the table when DynamoDB next looks."""


def kind_of(name: str, value: str) -> str:
    """Under which kind the tenants with a tag stand."""
    return f"tag:{name}={value}"


def tag_items(record: Record) -> dict[str, Item]:
    """The entries of a record, by their key."""
    tenant, name = str(record["tenantId"]), str(record.get("tenantName", ""))
    kinds = [kind_of(*tag) for tag in sorted(tags_of(record).items())]
    return {kind: {"tenantId": tenant, "entry": kind, "kind": kind, "kindSort": f"{name}\t{tenant}"} for kind in kinds}


def tag_parts(journal: Journal, before: Record | None, after: Record) -> list[dict[str, Any]]:
    """The parts of a transaction that bring the entries from one record to the next."""
    had, has = ({} if before is None else tag_items(before)), tag_items(after)
    parts = [journal.put(item) for kind, item in has.items() if had.get(kind) != item]
    for kind, item in had.items():
        if kind not in has:
            kept = {name: value for name, value in item.items() if name in ("tenantId", "entry")}
            parts.append(journal.put({**kept, "gone": _GONE_AT_ONCE}))
    return parts
