"""Tenants' users in an Amazon Cognito user pool: the one place that asks Cognito anything.

IAM cannot narrow within a pool, so what keeps tenants apart here is this module. A user belongs to a tenant when its
attribute, which cannot be changed, and its group both say so; nobody else is shown or touched.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.results.errors import Conflict, InvalidArgument, InvalidCursor, NotSetUp, Unavailable
from tenantscope_core.stores.aws import AwsCaller, require_owner

from tenantscope_tenant_management.sources.users.directory import MOST_PAGES, Invitee, UsersPage, count
from tenantscope_tenant_management.users import Role, User, is_user_id, role_of, taken, unknown_user

TENANT, TIER, ROLE = "custom:tenantId", "custom:tenantTier", "custom:tenantRole"
GROUP_PREFIX = "tenant:"
STAFF_GROUP = "provider"
LONGEST_NAME = 128  # of what Cognito takes as a user's name, addresses among them
_AT_ONCE = 8
_MOST_GROUP_PAGES = 3  # Cognito lets a user be in 100 groups, and lists 60 at once
_UNKNOWN, _NO_GROUP = "UserNotFoundException", "ResourceNotFoundException"


class CognitoDirectory:
    """One pool. `staff` are groups whose members no tenant reaches, beside the one that the template makes."""

    def __init__(self, pool: str, *, staff: Collection[str] = ()) -> None:
        self._pool = pool
        self._staff = frozenset({STAFF_GROUP, *staff})

    async def ensure_tenant(self, aws: AwsCaller, tenant: str) -> str:
        """Make the tenant's group."""
        try:
            await self._ask(aws, tenant, "create_group", GroupName=group_of(tenant))
        except AwsError as error:
            if error.code != "GroupExistsException":
                raise
        return "The tenant's users have a group of their own in the user pool."

    async def find(self, aws: AwsCaller, tenant: str, user_id: str) -> User:
        """One user of the tenant."""
        found = await self._get(aws, tenant, user_id) if is_user_id(user_id) else None
        # Cognito also finds users by their address: only the id itself opens one.
        if found is None or found["Username"] != user_id or not await self._is_member(aws, tenant, found):
            raise unknown_user()
        return _user(found)

    async def find_invited(self, aws: AwsCaller, tenant: str, email: str) -> Invitee | None:
        """Whoever has an address."""
        if len(email) > LONGEST_NAME:
            raise InvalidArgument(
                f"The user pool takes addresses of at most {LONGEST_NAME} characters.", parameter="email"
            )
        found = await self._get(aws, tenant, email)
        if found is None:
            return None
        groups = await self._groups(aws, tenant, found) if _attributes(found).get(TENANT) == tenant else None
        if groups is None or groups & self._staff or _tenant_groups(groups) - {group_of(tenant)}:
            raise taken()
        return Invitee(_user(found), group_of(tenant) in groups)

    async def page(self, aws: AwsCaller, tenant: str, limit: int, after: str | None) -> UsersPage:
        """Some users, in Cognito's order."""
        more = {} if after is None else {"NextToken": after}
        try:
            answer = await self._ask(
                aws, tenant, "list_users_in_group", GroupName=group_of(tenant), Limit=limit, **more
            )
        except AwsError as error:
            if error.code == _NO_GROUP:
                return UsersPage([], None)
            if error.code == "InvalidParameterException" and after is not None:
                raise InvalidCursor from None
            raise
        own = [_user(found) for found in answer.get("Users", []) if _attributes(found).get(TENANT) == tenant]
        return UsersPage(own, answer.get("NextToken"))

    async def create(self, aws: AwsCaller, tenant: str, email: str, role: Role, tier: str) -> User:
        """Make a user, or finish one that is no member yet."""
        await self._require_group(aws, tenant)
        given = {"email": email, "email_verified": "true", TENANT: tenant, TIER: tier, ROLE: role}
        try:
            answer = await self._ask(
                aws, tenant, "admin_create_user", Username=email, UserAttributes=_listed(given),
                DesiredDeliveryMediums=["EMAIL"],
            )  # fmt: skip
            return _user(answer["User"])
        except AwsError as error:
            if error.code == "CodeDeliveryFailureException":
                raise Unavailable("The invitation could not be sent; try again later.") from error
            if error.code == "InvalidParameterException":
                raise InvalidArgument("The user pool does not take this address.", parameter="email") from error
            if error.code != "UsernameExistsException":
                raise
        there = await self.find_invited(aws, tenant, email)
        if there is None:
            raise Unavailable("Somebody else is changing this user; try again.", retry_after_seconds=1.0)
        if not there.is_member:
            await self._on_user(
                aws, tenant, "admin_update_user_attributes", there.user.id,
                UserAttributes=_listed({TIER: tier, ROLE: role}),
            )  # fmt: skip
        found = await self._get(aws, tenant, there.user.id)
        if found is None:
            raise unknown_user()
        return _user(found)

    async def admit(self, aws: AwsCaller, tenant: str, user: User) -> None:
        """Put a user of the tenant into its group."""
        there = await self.find_invited(aws, tenant, user.email)
        if there is None or there.user.id != user.id:
            raise unknown_user()
        await self._on_user(aws, tenant, "admin_add_user_to_group", user.id, GroupName=group_of(tenant))

    async def discard(self, aws: AwsCaller, tenant: str, user: User) -> None:
        """Delete a user that is the tenant's."""
        found = await self._get(aws, tenant, user.id)
        if found is not None and found["Username"] == user.id:
            await self._let_go(aws, tenant, found)

    async def invite(self, aws: AwsCaller, tenant: str, email: str, role: Role, tier: str) -> tuple[User, bool]:
        """Create and admit; the flag tells whether anything was done."""
        there = await self.find_invited(aws, tenant, email)
        if there is not None and there.is_member:
            return there.user, False
        user = await self.create(aws, tenant, email, role, tier)
        await self.admit(aws, tenant, user)
        return user, True

    async def set_enabled(self, aws: AwsCaller, tenant: str, user_id: str, enabled: bool) -> None:
        """Enable, or disable and sign out."""
        await self.find(aws, tenant, user_id)
        await self._on_user(aws, tenant, "admin_enable_user" if enabled else "admin_disable_user", user_id)
        if not enabled:
            await self._on_user(aws, tenant, "admin_user_global_sign_out", user_id)

    async def set_role(self, aws: AwsCaller, tenant: str, user_id: str, role: Role) -> None:
        """Change the attribute from which tokens get their scopes."""
        await self.find(aws, tenant, user_id)
        await self._on_user(aws, tenant, "admin_update_user_attributes", user_id, UserAttributes=_listed({ROLE: role}))
        await self._on_user(aws, tenant, "admin_user_global_sign_out", user_id)

    async def sign_out(self, aws: AwsCaller, tenant: str, user_id: str) -> None:
        """Revoke the refresh tokens."""
        await self.find(aws, tenant, user_id)
        await self._on_user(aws, tenant, "admin_user_global_sign_out", user_id)

    async def remove(self, aws: AwsCaller, tenant: str, user_id: str) -> None:
        """Sign out and delete."""
        await self.sign_out(aws, tenant, user_id)
        await self._on_user(aws, tenant, "admin_delete_user", user_id)

    async def erase_tenant(self, aws: AwsCaller, tenant: str, *, at_most: int, also: tuple[str, ...] = ()) -> bool:
        """Delete the tenant's users, then its group. Of others that somebody put into the group, it only lets go."""
        for email in also:
            found = await self._get(aws, tenant, email)
            if found is not None:
                await self._let_go(aws, tenant, found)
        present, all_seen = await self._in_group(aws, tenant, at_most)
        for start in range(0, len(present), _AT_ONCE):
            batch = present[start : start + _AT_ONCE]
            await asyncio.gather(*(self._let_go(aws, tenant, found) for found in batch))
        if present or not all_seen:
            return False  # the next call finds the group empty, and by that knows it
        try:
            await self._ask(aws, tenant, "delete_group", GroupName=group_of(tenant))
        except AwsError as error:
            if error.code != _NO_GROUP:
                raise
        return True

    async def held(self, aws: AwsCaller, tenant: str) -> int | None:
        """Count the members of the group."""
        return await count(self, aws, tenant, at_most=1_000_000)

    # Cognito's wire

    async def _ask(self, aws: AwsCaller, tenant: str, operation: str, **parameters: Any) -> dict[str, Any]:
        require_owner(aws, tenant)
        return await aws.call("cognito-idp", operation, UserPoolId=self._pool, **parameters)

    async def _on_user(self, aws: AwsCaller, tenant: str, operation: str, user_id: str, **parameters: Any) -> None:
        """Act on a user that was looked at just now."""
        try:
            await self._ask(aws, tenant, operation, Username=user_id, **parameters)
        except AwsError as error:
            if error.code == _UNKNOWN:
                raise unknown_user() from error
            raise

    async def _get(self, aws: AwsCaller, tenant: str, name: str) -> dict[str, Any] | None:
        try:
            return await self._ask(aws, tenant, "admin_get_user", Username=name)
        except AwsError as error:
            if error.code == _UNKNOWN:
                return None
            raise

    async def _is_member(self, aws: AwsCaller, tenant: str, found: Mapping[str, Any]) -> bool:
        if _attributes(found).get(TENANT) != tenant:
            return False
        groups = await self._groups(aws, tenant, found)
        return _tenant_groups(groups) == {group_of(tenant)} and not groups & self._staff

    async def _groups(self, aws: AwsCaller, tenant: str, found: Mapping[str, Any]) -> frozenset[str]:
        groups: set[str] = set()
        position: dict[str, str] = {}
        for _ in range(_MOST_GROUP_PAGES):
            answer = await self._ask(
                aws, tenant, "admin_list_groups_for_user", Username=found["Username"], Limit=60, **position
            )
            groups |= {group["GroupName"] for group in answer.get("Groups", [])}
            if not answer.get("NextToken"):
                return frozenset(groups)
            position = {"NextToken": answer["NextToken"]}
        return self._staff  # more than Cognito allows: nobody that a tenant may reach

    async def _require_group(self, aws: AwsCaller, tenant: str) -> None:
        """See that a user can become a member before it is made."""
        try:
            await self._ask(aws, tenant, "list_users_in_group", GroupName=group_of(tenant), Limit=1)
        except AwsError as error:
            if error.code != _NO_GROUP:
                raise
            try:
                await self.ensure_tenant(aws, tenant)
            except AwsError as refused:
                if refused.fault is not Fault.DENIED:
                    raise
                raise NotSetUp(
                    "Nothing is prepared for users of this tenant yet; the provider has to invite the first."
                ) from refused

    async def _in_group(self, aws: AwsCaller, tenant: str, at_most: int) -> tuple[list[dict[str, Any]], bool]:
        """Up to about `at_most` users in the group, whoever they are, and whether there are no more."""
        present: list[dict[str, Any]] = []
        position: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            try:
                answer = await self._ask(
                    aws, tenant, "list_users_in_group", GroupName=group_of(tenant), Limit=60, **position
                )
            except AwsError as error:
                if error.code == _NO_GROUP:
                    return present, True
                raise
            present += answer.get("Users", [])
            if not answer.get("NextToken"):
                return present[:at_most], len(present) <= at_most
            if len(present) >= at_most:
                return present[:at_most], False
            position = {"NextToken": answer["NextToken"]}
        if not present:
            raise Conflict("The group of the tenant's users cannot be read to its end; delete it in the user pool.")
        return present, False

    async def _let_go(self, aws: AwsCaller, tenant: str, found: Mapping[str, Any]) -> None:
        """Delete a user that is the tenant's, and take any other out of the tenant's group."""
        groups = await self._groups(aws, tenant, found)
        is_own = _attributes(found).get(TENANT) == tenant and not groups & self._staff
        try:
            if is_own:
                await self._ask(aws, tenant, "admin_user_global_sign_out", Username=found["Username"])
                await self._ask(aws, tenant, "admin_delete_user", Username=found["Username"])
            elif group_of(tenant) in groups:
                await self._ask(
                    aws, tenant, "admin_remove_user_from_group", Username=found["Username"],
                    GroupName=group_of(tenant),
                )  # fmt: skip
        except AwsError as error:
            if error.code != _UNKNOWN:
                raise


def group_of(tenant: str) -> str:
    """The group of a tenant's users; no tenant id holds a colon."""
    return f"{GROUP_PREFIX}{tenant}"


def _tenant_groups(groups: Collection[str]) -> set[str]:
    return {name for name in groups if name.startswith(GROUP_PREFIX)}


def _user(found: Mapping[str, Any]) -> User:
    attributes = _attributes(found)
    name = str(found["Username"])
    return User(
        id=name,
        subject=attributes.get("sub", name),
        email=attributes.get("email", ""),
        role=role_of(attributes.get(ROLE)),
        enabled=bool(found.get("Enabled", False)),
        confirmed=found.get("UserStatus") not in ("FORCE_CHANGE_PASSWORD", "UNCONFIRMED"),
        created=_time(found["UserCreateDate"]),
        updated=_time(found["UserLastModifiedDate"]),
    )


def _attributes(found: Mapping[str, Any]) -> dict[str, str]:
    """By name; `AdminGetUser` calls them otherwise than the rest."""
    listed = cast(Sequence[Mapping[str, str]], found.get("UserAttributes", found.get("Attributes", [])))
    return {each["Name"]: each.get("Value", "") for each in listed}


def _listed(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in attributes.items()]


def _time(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
