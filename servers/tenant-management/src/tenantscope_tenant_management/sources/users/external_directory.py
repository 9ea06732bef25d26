"""Users that are kept elsewhere: nothing is done to them here, and whoever asks is told where."""

from typing import NoReturn

from tenantscope_core.results.errors import NotSetUp
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.sources.users.directory import Invitee, UsersPage
from tenantscope_tenant_management.users import Role, User


class ExternalDirectory:
    """The identity provider's own: it is asked for nothing."""

    async def ensure_tenant(self, aws: AwsCaller, tenant: str) -> str:
        """Nothing to make."""
        return "Skipped: users are managed at the identity provider."

    async def find(self, aws: AwsCaller, tenant: str, user_id: str) -> User:
        """Refused."""
        _refuse()

    async def find_invited(self, aws: AwsCaller, tenant: str, email: str) -> Invitee | None:
        """Refused."""
        _refuse()

    async def page(self, aws: AwsCaller, tenant: str, limit: int, after: str | None) -> UsersPage:
        """Refused."""
        _refuse()

    async def create(self, aws: AwsCaller, tenant: str, email: str, role: Role, tier: str) -> User:
        """Refused."""
        _refuse()

    async def admit(self, aws: AwsCaller, tenant: str, user: User) -> None:
        """Refused."""
        _refuse()

    async def discard(self, aws: AwsCaller, tenant: str, user: User) -> None:
        """Refused."""
        _refuse()

    async def invite(self, aws: AwsCaller, tenant: str, email: str, role: Role, tier: str) -> tuple[User, bool]:
        """Refused."""
        _refuse()

    async def set_enabled(self, aws: AwsCaller, tenant: str, user_id: str, enabled: bool) -> None:
        """Refused."""
        _refuse()

    async def set_role(self, aws: AwsCaller, tenant: str, user_id: str, role: Role) -> None:
        """Refused."""
        _refuse()

    async def sign_out(self, aws: AwsCaller, tenant: str, user_id: str) -> None:
        """Refused."""
        _refuse()

    async def remove(self, aws: AwsCaller, tenant: str, user_id: str) -> None:
        """Refused."""
        _refuse()

    async def erase_tenant(self, aws: AwsCaller, tenant: str, *, at_most: int, also: tuple[str, ...] = ()) -> bool:
        """Nothing is kept here."""
        return True

    async def held(self, aws: AwsCaller, tenant: str) -> int | None:
        """Not known here."""
        return None


def _refuse() -> NoReturn:
    raise NotSetUp(
        "Users are managed at the identity provider of this company, not by this server; invite, change and remove "
        "them there."
    )
