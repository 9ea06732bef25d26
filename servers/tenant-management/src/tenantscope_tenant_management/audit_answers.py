"""What `list_audit_events` answers."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer

from tenantscope_tenant_management.audit import Entry

MOST_DETAIL_BYTES = 1_500


class By(Answer):
    """Who acted."""

    audience: Literal["tenant", "provider"]
    subject: str | None = Field(default=None, description="The user or agent; the provider's are not shown to tenants.")
    agents: list[str] = Field(default=[], description="Agents that acted for the subject, the nearest first.")


class AuditEvent(Answer):
    """One thing that was done."""

    tenant_id: str | None = Field(default=None, description="Whose; left out where all are one tenant's.")
    seq: int = Field(description="Its number in the tenant's trail.")
    at: datetime
    action: str
    target: str | None = None
    by: By
    before: dict[str, object] = Field(default={}, description="Fields as they were.")
    after: dict[str, object] = Field(default={}, description="Fields as they became.")
    shortened: list[str] = Field(default=[], description="Fields too large to be shown here; ask for this seq alone.")
    erased: bool = Field(default=False, description="Whether what changed was erased with the tenant.")
    note: str | None = None


class AuditPage(Answer):
    """A page of the trail, newest first."""

    events: list[AuditEvent]
    count: int
    truncated: bool = Field(description="Whether there is more before these.")
    intact: bool | None = Field(
        default=None, description="Whether the page fits the hash chain; left out where it is no part of one chain."
    )
    broken_at: int | None = Field(default=None, description="The first seq that is not what was written.")
    head: str | None = Field(default=None, description="Hash of the newest entry: compare it with one you kept.")
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for what is before.")
    next: str | None = Field(default=None, description="What to call for more.")


def event_view(entry: Entry, *, to_provider: bool, names_tenant: bool, whole: bool = False) -> AuditEvent:
    """An entry as a caller is shown it; `whole` shows what is large as well."""
    told = entry.shown
    before, after, cut = fitting(told.get("before", {}), told.get("after", {}), 20_000 if whole else MOST_DETAIL_BYTES)
    hidden = entry.actor.audience == "provider" and not to_provider
    return AuditEvent(
        tenant_id=entry.tenant if names_tenant else None,
        seq=entry.seq,
        at=entry.at,
        action=entry.action,
        target=entry.target,
        by=By(
            audience=entry.actor.audience,
            subject=None if hidden else entry.actor.subject,
            agents=[] if hidden else list(entry.actor.agents),
        ),
        before=before,
        after=after,
        shortened=cut,
        erased=entry.details is None,
        note=told.get("note") if to_provider else None,
    )


def fitting(
    before: Mapping[str, Any], after: Mapping[str, Any], room: int
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Both sides without the largest fields, until they fit; and which those are."""
    sizes = {name: _size(before.get(name)) + _size(after.get(name)) + len(name) for name in {**before, **after}}
    cut: list[str] = []
    for name in sorted(sizes, key=lambda each: (-sizes[each], each)):
        if sum(size for each, size in sizes.items() if each not in cut) <= room:
            break
        cut.append(name)
    kept = [name for name in sizes if name not in cut]
    return {n: before[n] for n in kept if n in before}, {n: after[n] for n in kept if n in after}, sorted(cut)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode(errors="surrogatepass"))
