"""`list_tenants`."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.filters import TenantFilter
from tenantscope_tenant_management.models import TenantPage, TenantSummary
from tenantscope_tenant_management.registry import Status, summary
from tenantscope_tenant_management.sources.open import Sources

MOST_DAMAGED = 10


@tool(shown_to=ShownTo.PROVIDER, scopes={"tenants:read"}, effects=READ)
async def list_tenants(
    call: Call[Sources],
    status: Annotated[Status | None, Field(description="Only tenants of this status.")] = None,
    tier: Annotated[str | None, Field(description="Only this tier.", min_length=1, max_length=63)] = None,
    name_prefix: Annotated[
        str | None, Field(description="Only names that begin so; upper and lower case differ.", max_length=100)
    ] = None,
    tag: Annotated[str | None, Field(description="Only tenants with this tag, as name=value.", max_length=200)] = None,
    active_since: Annotated[date | None, Field(description="Only tenants used on or after this day.")] = None,
    inactive_since: Annotated[
        date | None, Field(description="Only tenants last used before this day; those never used are left out.")
    ] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Tenants per page.")] = 25,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> TenantPage:
    """List the tenants in order of name, filtered by status, tier, tag, name or activity; paged.

    By activity alone they are in order of last use, the latest first. A page may be short, or empty, and more follow.
    """
    wanted = TenantFilter(
        status=status,
        tier=tier,
        name_prefix=name_prefix or None,
        tag=_tag(tag),
        active_since=_midnight(active_since, call.now),
        inactive_since=_midnight(inactive_since, call.now),
    )
    question: dict[str, Any] = {
        "status": status,
        "tier": tier,
        "name_prefix": wanted.name_prefix,
        "tag": tag,
        "active_since": active_since,
        "inactive_since": inactive_since,
    }
    start = None if cursor is None else call.cursors.read(cursor, question=question)
    found = await call.sources.search.find(call.aws, wanted, limit=limit, start=start)
    tenants = [summary(item) for item in found.items]
    more = found.next_position
    return TenantPage(
        tenants=tenants,
        count=len(tenants),
        damaged=found.damaged[:MOST_DAMAGED] or None,
        damaged_count=len(found.damaged) or None,
        truncated=more is not None,
        next_cursor=None if more is None else call.cursors.write(more, question=question),
        next=_next(tenants, more),
    )


def _next(tenants: Sequence[TenantSummary], more: object) -> str:
    if more is not None:
        return "list_tenants with the same filters and this cursor"
    return "get_tenant for one of them" if tenants else "list_tenants with fewer filters: nothing matches these"


def _tag(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise InvalidArgument("tag must be of the form name=value.", parameter="tag")
    return name, value


def _midnight(day: date | None, now: datetime) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), now.tzinfo)
