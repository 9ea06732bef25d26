"""Where tenants' users are kept: what is asked of it, whoever keeps them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from tenantscope_core.results.errors import Conflict
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.users import Role, User, last_admin

MOST_PAGES = 200
MOST_A_PAGE = 60
MOST_REQUESTS_A_PAGE = 5  # a filter that matches little gives a short page and a cursor, not an endless read


@dataclass(frozen=True, slots=True)
class UsersPage:
    """Some users, and where the next page begins; None at the end. A page may be empty and not the last."""

    users: list[User]
    after: str | None


@dataclass(frozen=True, slots=True)
class Invitee:
    """A user as an invitation finds it: a member of the tenant, or one whose invitation was cut short."""

    user: User
    is_member: bool


class Directory(Protocol):
    """The users of tenants. Each method takes the tenant of the call and the credentials vended for it.

    A user of another tenant is told as one that does not exist. Beside what is stated, each raises AwsError and, where
    users are kept elsewhere, NotSetUp.
    """

    async def ensure_tenant(self, aws: AwsCaller, tenant: str) -> str:
        """Make what a new tenant's users need, unless it is there; says in a sentence what is there then."""
        ...

    async def find(self, aws: AwsCaller, tenant: str, user_id: str) -> User:
        """One user; NotFound if the tenant has none of this id."""
        ...

    async def find_invited(self, aws: AwsCaller, tenant: str, email: str) -> Invitee | None:
        """Whoever has an address; None if nobody has. InvalidArgument if it belongs anywhere else."""
        ...

    async def page(self, aws: AwsCaller, tenant: str, limit: int, after: str | None) -> UsersPage:
        """Up to `limit` users (at most 60); InvalidCursor if `after` serves no longer."""
        ...

    async def create(self, aws: AwsCaller, tenant: str, email: str, role: Role, tier: str) -> User:
        """Make a user, or finish the making of one, that `admit` then makes a member; it is told by e-mail."""
        ...

    async def admit(self, aws: AwsCaller, tenant: str, user: User) -> None:
        """Make a created user a member of the tenant. Idempotent."""
        ...

    async def discard(self, aws: AwsCaller, tenant: str, user: User) -> None:
        """Delete a user of the tenant, member or not yet. Idempotent."""
        ...

    async def invite(self, aws: AwsCaller, tenant: str, email: str, role: Role, tier: str) -> tuple[User, bool]:
        """Create and admit, unless it is a member already; tells which. Idempotent."""
        ...

    async def set_enabled(self, aws: AwsCaller, tenant: str, user_id: str, enabled: bool) -> None:
        """Let a user sign in, or no longer; NotFound. Idempotent."""
        ...

    async def set_role(self, aws: AwsCaller, tenant: str, user_id: str, role: Role) -> None:
        """Give a user another role, and end its sign-ins, which have the old one; NotFound. Idempotent."""
        ...

    async def sign_out(self, aws: AwsCaller, tenant: str, user_id: str) -> None:
        """End all sign-ins of a user; NotFound. Tokens that were issued are good until they expire."""
        ...

    async def remove(self, aws: AwsCaller, tenant: str, user_id: str) -> None:
        """Sign a user out and delete it; NotFound."""
        ...

    async def erase_tenant(self, aws: AwsCaller, tenant: str, *, at_most: int, also: tuple[str, ...] = ()) -> bool:
        """Delete up to `at_most` users, and in the end what `ensure_tenant` made. True when nothing is left.

        `also` are addresses whose invitation was cut short: their users are no members yet. Idempotent.
        """
        ...

    async def held(self, aws: AwsCaller, tenant: str) -> int | None:
        """How many users there are, or None where they are kept elsewhere; Conflict if too many to count."""
        ...


async def members(directory: Directory, aws: AwsCaller, tenant: str) -> AsyncGenerator[User]:
    """Every user of a tenant.

    Raises:
        Conflict: There are more than can be gone through in one call.
    """
    after: str | None = None
    for _ in range(MOST_PAGES):
        page = await directory.page(aws, tenant, MOST_A_PAGE, after)
        for user in page.users:
            yield user
        after = page.after
        if after is None:
            return
    raise Conflict(
        f"The tenant has more users than this server goes through in one call ({MOST_PAGES * MOST_A_PAGE:,}); whoever "
        "operates the user pool can do this there."
    )


async def count(directory: Directory, aws: AwsCaller, tenant: str, *, at_most: int) -> int:
    """How many users a tenant has; counting ends at `at_most`. Conflict if that cannot be reached."""
    found = 0
    if at_most > 0:
        async with aclosing(members(directory, aws, tenant)) as users:
            async for _ in users:
                found += 1
                if found >= at_most:
                    break
    return found


async def require_other_admin(directory: Directory, aws: AwsCaller, tenant: str, besides: str) -> None:
    """Refuse unless the tenant has an enabled admin beside one user. Conflict."""
    async with aclosing(members(directory, aws, tenant)) as users:
        async for user in users:
            if user.is_enabled_admin and user.id != besides:
                return
    raise last_admin()


async def matching(
    directory: Directory, aws: AwsCaller, tenant: str, matches: Callable[[User], bool], *, limit: int, after: str | None
) -> UsersPage:
    """Up to `limit` users that match; fewer, and where to go on, where few do."""
    found: list[User] = []
    for _ in range(MOST_REQUESTS_A_PAGE):
        page = await directory.page(aws, tenant, limit - len(found), after)
        found += [user for user in page.users if matches(user)]
        after = page.after
        if after is None or len(found) == limit:
            break
    return UsersPage(found, after)
