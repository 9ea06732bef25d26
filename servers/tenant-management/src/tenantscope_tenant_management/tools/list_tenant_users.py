"""`list_tenant_users`."""

from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.sources.users.directory import MOST_A_PAGE, matching
from tenantscope_tenant_management.user_answers import UserPage, view
from tenantscope_tenant_management.users import Role, Status


@tool(shown_to=ShownTo.BOTH, scopes={"users:read"}, effects=READ, names_tenant="required")
async def list_tenant_users(
    call: Call[Sources],
    role: Annotated[Role | None, Field(description="Only users of this role.")] = None,
    status: Annotated[Status | None, Field(description="Only users of this status.")] = None,
    limit: Annotated[int, Field(ge=1, le=MOST_A_PAGE, description="Users per page, at most.")] = 25,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> UserPage:
    """The users of one tenant, with role and status; paged."""
    question: dict[str, Any] = {"role": role, "status": status}
    start = None if cursor is None else str(call.cursors.read(cursor, question=question)["after"])
    page = await matching(
        call.sources.directory,
        call.aws,
        call.one_tenant,
        lambda user: role in (None, user.role) and status in (None, user.status),
        limit=limit,
        after=start,
    )
    more = page.after
    return UserPage(
        users=[view(user) for user in page.users],
        count=len(page.users),
        truncated=more is not None,
        next_cursor=None if more is None else call.cursors.write({"after": more}, question=question),
        next="manage_tenant_user for one of them"
        if more is None
        else "list_tenant_users with the same filters and this cursor",
    )
