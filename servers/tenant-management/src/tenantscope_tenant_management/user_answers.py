"""What the tools about a tenant's users answer."""

from datetime import datetime

from pydantic import Field
from tenantscope_core.results.answers import Answer

from tenantscope_tenant_management.users import Role, Status, User


class UserView(Answer):
    """One user of the tenant."""

    user_id: str
    email: str
    role: Role = Field(description="admin: manages the tenant's users and settings.")
    status: Status = Field(description="invited: has not signed in yet.")
    created: datetime
    updated: datetime


class UserPage(Answer):
    """A page of the tenant's users, in no particular order."""

    users: list[UserView]
    count: int = Field(description="Users on this page.")
    truncated: bool = Field(description="Whether there may be more than are shown.")
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")
    next: str = Field(description="What to call next.")


class UserChange(Answer):
    """What became of a user."""

    changed: bool = Field(description="false: it was so already, and nothing was done.")
    user_id: str
    user: UserView | None = Field(default=None, description="As it is now; left out once removed.")
    outcome: str = Field(description="What that means, in a sentence.")


def view(user: User) -> UserView:
    """A user as it is shown."""
    return UserView(
        user_id=user.id, email=user.email, role=user.role, status=user.status, created=user.created,
        updated=user.updated,
    )  # fmt: skip
