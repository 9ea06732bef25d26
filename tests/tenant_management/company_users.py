"""What tests of users ask: the pool itself as the account's root, the audit trail, tenants of their own."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from fixtures.serving import content_of
from fixtures.small_company import CROWD
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.audit import broken_at
from tenantscope_tenant_management.sources.items import plain
from tenantscope_tenant_management.sources.journal import entry_of

FRESH = itertools.count(60)
PASSWORD = "Correct-horse-7"
WRITES = (
    "AdminCreateUser", "AdminAddUserToGroup", "AdminDisableUser", "AdminEnableUser", "AdminUserGlobalSignOut",
    "AdminUpdateUserAttributes", "AdminDeleteUser", "AdminRemoveUserFromGroup", "CreateGroup", "DeleteGroup",
)  # fmt: skip


def fresh_tenant() -> str:
    """A tenant without users, which no other test uses."""
    return CROWD[next(FRESH)]


@dataclass(frozen=True)
class Pool:
    """The user pool, as the account's root sees it."""

    sandbox: Sandbox

    @property
    def client(self) -> Any:
        return self.sandbox.client("cognito-idp")

    def in_group(self, group: str) -> list[tuple[str, str, bool]] | None:
        """Address, role and whether they may sign in, of the users of a group; None where there is no such group."""
        try:
            found = self.client.list_users_in_group(UserPoolId=self.id, GroupName=group)["Users"]
        except self.client.exceptions.ResourceNotFoundException:
            return None
        named = [({one["Name"]: one["Value"] for one in user["Attributes"]}, user["Enabled"]) for user in found]
        return sorted((given["email"], given["custom:tenantRole"], enabled) for given, enabled in named)

    @property
    def id(self) -> str:
        return self.sandbox.outputs["UserPoolId"]

    def get(self, name: str) -> dict[str, Any] | None:
        """A user by id or address."""
        cognito = self.client
        try:
            return dict(cognito.admin_get_user(UserPoolId=self.id, Username=name))
        except cognito.exceptions.UserNotFoundException:
            return None

    def attributes(self, name: str) -> dict[str, str]:
        found = self.get(name)
        assert found is not None
        return {each["Name"]: each["Value"] for each in found["UserAttributes"]}

    def groups(self, name: str) -> list[str]:
        answer = self.client.admin_list_groups_for_user(UserPoolId=self.id, Username=name)
        return [group["GroupName"] for group in answer["Groups"]]

    def everyone(self) -> list[dict[str, Any]]:
        """Every user, for comparing."""
        pages = self.client.get_paginator("list_users").paginate(UserPoolId=self.id)
        return [user for page in pages for user in page["Users"]]

    def sign_in(self, name: str) -> dict[str, str]:
        """Take up an invitation, or sign in again: an access and a refresh token."""
        cognito = self.client
        cognito.admin_set_user_password(UserPoolId=self.id, Username=name, Password=PASSWORD, Permanent=True)
        answer = cognito.admin_initiate_auth(
            UserPoolId=self.id, ClientId=self.sandbox.outputs["AppClientId"], AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD},
        )["AuthenticationResult"]  # fmt: skip
        return {"access": answer["AccessToken"], "refresh": answer["RefreshToken"]}

    def refresh(self, token: str) -> str:
        """Another access token."""
        answer = self.client.admin_initiate_auth(
            UserPoolId=self.id, ClientId=self.sandbox.outputs["AppClientId"], AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": token},
        )  # fmt: skip
        return str(answer["AuthenticationResult"]["AccessToken"])

    def written(self, since: int) -> list[str]:
        """What changed the pool since a mark of the emulator's log, in order, but for what failed."""
        requests = self.sandbox.emulator.requests(since, service="cognito-idp", status=200)
        return [each["action"] for each in requests if each["action"] in WRITES]


def journal(sandbox: Sandbox, tenant: str, kind: str) -> list[dict[str, Any]]:
    """What a tenant's journal holds of a kind, in order."""
    items = sandbox.client("dynamodb").query(
        TableName=sandbox.outputs["JournalTable"], ConsistentRead=True,
        KeyConditionExpression="tenantId = :t AND begins_with(entry, :a)",
        ExpressionAttributeValues={":t": {"S": tenant}, ":a": {"S": kind}},
    )["Items"]  # fmt: skip
    return [plain(item) for item in items]


def told(sandbox: Sandbox, tenant: str) -> list[tuple[str, str]]:
    """The events of a tenant's users that were sent or wait to be, with the user of each."""
    return [(item["detailType"], json.loads(item["detail"])["userId"]) for item in journal(sandbox, tenant, "event:")]


def trail(sandbox: Sandbox, tenant: str) -> list[dict[str, Any]]:
    """A tenant's audit entries in order, after it was registered, their chain proved whole."""
    entries = [entry_of(item) for item in journal(sandbox, tenant, "audit:")]
    assert broken_at(entries) is None
    return [
        {
            "action": entry.action, "target": entry.target, "by": entry.actor.subject, "audience": entry.actor.audience,
            **entry.shown,
        }
        for entry in entries
        if entry.action != "tenant.adopted"
    ]  # fmt: skip


def actions(sandbox: Sandbox, tenant: str) -> list[str]:
    """What was done to a tenant, in order."""
    return [entry["action"] for entry in trail(sandbox, tenant)]


async def invited(ask: Ask, tenant: str, name: str, role: str = "member") -> str:
    """Invite a user as the provider; its id."""
    answer = content_of(
        await ask("manage_tenant_user", tenant_id=tenant, action="invite", email=f"{name}@{tenant}.example", role=role)
    )
    assert answer["changed"]
    return str(answer["user_id"])


async def listed(ask: Ask, tenant: str, **question: Any) -> dict[str, dict[str, Any]]:
    """Every user that a tenant's admin is shown, by address, over all pages."""
    found: dict[str, dict[str, Any]] = {}
    cursor: dict[str, str] = {}
    while True:
        page = content_of(await ask("list_tenant_users", tenant, **question, **cursor))
        assert page["count"] == len(page["users"])
        found |= {user["email"]: user for user in page["users"]}
        if not page["truncated"]:
            assert "next_cursor" not in page
            return found
        cursor = {"cursor": page["next_cursor"]}
