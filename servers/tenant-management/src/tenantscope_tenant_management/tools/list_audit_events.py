"""`list_audit_events`."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.times import Time
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.audit_answers import AuditEvent, AuditPage, event_view
from tenantscope_tenant_management.sources.audit_trail import Found
from tenantscope_tenant_management.sources.open import Sources

_ROOM_BYTES = 20_000


@tool(shown_to=ShownTo.BOTH, scopes={"audit:read"}, effects=READ, names_tenant="optional")
async def list_audit_events(
    call: Call[Sources],
    since: Annotated[Time | None, Field(description="Only what was done at or after this time.")] = None,
    until: Annotated[Time | None, Field(description="Only what was done before this time.")] = None,
    seq: Annotated[int | None, Field(ge=1, description="One event alone, whole, by its number.")] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Events per page.")] = 20,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> AuditPage:
    """Who did what to a tenant, when, through which agent, with what changed; newest first, checked against its chain.

    The provider may name one tenant, or see all tenants' events; of the last two years, unless `since` is given.
    """
    if seq is not None and (call.tenant is None or since or until or cursor):
        raise InvalidArgument("seq goes with one tenant, and with no other filter.", parameter="seq")
    question: dict[str, Any] = {"since": since, "until": until}
    after = None if cursor is None else call.cursors.read(cursor, question=question)
    found = (
        await call.sources.trail.one(call.aws, call.tenant, seq)
        if call.tenant is not None and seq is not None
        else await _page(call, since, until, limit, after)
    )
    shown: list[AuditEvent] = []
    size = 0
    for entry in found.entries:
        view = event_view(
            entry, to_provider=call.caller.is_provider, names_tenant=call.tenant is None, whole=seq is not None
        )
        size += len(view.model_dump_json(exclude_none=True).encode())
        if shown and size > _ROOM_BYTES:
            break
        shown.append(view)
    more = found.after(len(shown))
    return AuditPage(
        events=shown,
        count=len(shown),
        truncated=more is not None,
        intact=found.intact,
        broken_at=found.broken_at,
        head=found.head,
        next_cursor=None if more is None else call.cursors.write(more, question=question),
        next=None if more is None else "list_audit_events with the same filters and this cursor",
    )


async def _page(
    call: Call[Sources], since: datetime | None, until: datetime | None, limit: int, after: dict[str, Any] | None
) -> Found:
    trail = call.sources.trail
    if call.tenant is not None:
        return await trail.of_tenant(call.aws, call.tenant, since, until, limit=limit, after=after)
    return await trail.of_all(call.aws, since, until, call.now, limit=limit, after=after)
