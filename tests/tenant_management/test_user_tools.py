"""The life of a tenant's users through the two tools, against the emulated user pool."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from botocore.exceptions import ClientError
from fixtures.serving import SERVERS, Served, content_of, environment_of, error_fields, serve, text_of
from fixtures.small_company import as_item, registered
from mcp.types import CallToolResult
from tenant_management.company_users import Pool, actions, fresh_tenant, invited, listed, told, trail
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox


@pytest.fixture
def pool(small_company: Sandbox) -> Pool:
    return Pool(small_company)


@pytest.fixture(scope="module")
async def cognito_server(small_company: Sandbox) -> AsyncGenerator[Served]:
    """The same server as a company with Cognito runs it."""
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    environment = environment_of(
        server, small_company, TENANTSCOPE_ISSUER=small_company.cognito_issuer,
        TENANTSCOPE_JWKS_URL=small_company.cognito_jwks_url, TENANTSCOPE_AUDIENCE="",
        TENANTSCOPE_CLIENT_IDS=small_company.outputs["AppClientId"], TENANTSCOPE_SCOPE_PREFIX="tenantscope/",
    )  # fmt: skip
    async with serve(server.spec, environment, small_company) as running:
        yield running


async def manage(ask: Ask, tenant: str | None, action: str, **arguments: Any) -> dict[str, Any]:
    return content_of(await ask("manage_tenant_user", tenant, action=action, **arguments))


async def refusal(ask: Ask, tenant: str | None, action: str, **arguments: Any) -> tuple[str, str]:
    """The code and the text of a change that is refused."""
    result = await ask("manage_tenant_user", tenant, action=action, **arguments)
    return error_fields(result)["code"], text_of(result)


async def called(served: Served, token: str, tool: str, **arguments: Any) -> CallToolResult:
    async with served.client(token, mode="legacy") as client:
        return await client.call_tool(tool, arguments)


async def test_a_user_is_invited_promoted_disabled_enabled_and_removed_and_all_of_it_is_written_down(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    tenant = fresh_tenant()
    admin = await invited(ask, tenant, "ada", "admin")
    address = f"Bob@{tenant}.example"
    bob = await manage(ask, tenant, "invite", email=address)
    user_id = bob["user_id"]
    assert bob["changed"]
    assert (bob["user"]["email"], bob["user"]["role"], bob["user"]["status"]) == (address.lower(), "member", "invited")
    attributes = pool.attributes(user_id)
    assert (attributes["custom:tenantId"], attributes["custom:tenantTier"]) == (tenant, "starter")
    assert attributes["email_verified"] == "true"
    assert pool.groups(user_id) == [f"tenant:{tenant}"]

    for action, given, role, status in (
        ("change_role", {"role": "admin"}, "admin", "invited"),
        ("disable", {}, "admin", "disabled"),
        ("enable", {}, "admin", "invited"),
        ("change_role", {"role": "member"}, "member", "invited"),
    ):
        mark = small_company.emulator.mark()
        done = await manage(ask, tenant, action, user_id=user_id, **given)
        assert done["changed"]
        assert (done["user"]["role"], done["user"]["status"]) == (role, status)
        assert ("AdminUserGlobalSignOut" in pool.written(mark)) == (action != "enable")
        shown = (await listed(ask, tenant))[address.lower()]
        assert (shown["user_id"], shown["role"], shown["status"]) == (user_id, role, status)
        mark = small_company.emulator.mark()
        again = await manage(ask, tenant, action, user_id=user_id, **given)
        assert not again["changed"]
        assert pool.written(mark) == []

    gone = await manage(ask, tenant, "remove", user_id=user_id)
    assert gone["changed"]
    assert "user" not in gone
    assert pool.get(user_id) is None
    assert list(await listed(ask, tenant)) == [f"ada@{tenant}.example"]
    assert (await refusal(ask, tenant, "remove", user_id=user_id))[0] == "not_found"

    entries = trail(small_company, tenant)
    assert [entry["action"] for entry in entries] == [
        "user.invited", "user.created", "user.invited", "user.created", "user.role_changed", "user.disabled",
        "user.enabled", "user.role_changed", "user.removed", "user.deleted",
    ]  # fmt: skip
    assert {entry["audience"] for entry in entries[:2]} == {"provider"}
    assert {(entry["audience"], entry["by"]) for entry in entries[2:]} == {("tenant", f"user@{tenant}")}
    assert [entry["target"] for entry in entries[3:]] == [user_id] * 7
    assert entries[1]["target"] == admin
    assert (entries[4]["before"], entries[4]["after"]) == ({"role": "member"}, {"role": "admin"})
    assert entries[8]["before"] == {"email": address.lower(), "role": "member", "status": "invited"}
    assert not [entry for entry in entries if "@" in entry["target"]]
    assert told(small_company, tenant) == [
        ("sbt_aws_tenantUserCreated", admin), ("sbt_aws_tenantUserCreated", user_id),
        ("sbt_aws_tenantUserDeleted", user_id),
    ]  # fmt: skip


async def test_inviting_somebody_again_changes_nothing_and_says_so(ask: Ask, small_company: Sandbox, pool: Pool):
    tenant = fresh_tenant()
    user_id = await invited(ask, tenant, "ada", "admin")
    mark, before = small_company.emulator.mark(), actions(small_company, tenant)
    for spelt in (f"ada@{tenant}.example", f"ADA@{tenant}.Example"):
        again = await manage(ask, tenant, "invite", email=spelt, role="member")
        assert (again["changed"], again["user_id"], again["user"]["role"]) == (False, user_id, "admin")
        assert "change_role" in again["outcome"]
    assert pool.written(mark) == []
    assert small_company.emulator.requests(mark, action="PutItem") == []
    assert actions(small_company, tenant) == before


async def test_an_invited_admin_signs_in_and_administers_its_own_tenant_with_the_scopes_of_its_role(
    ask: Ask, cognito_server: Served, pool: Pool
):
    tenant = fresh_tenant()
    admin = await invited(ask, tenant, "ada", "admin")
    member = await invited(ask, tenant, "bob")
    token = pool.sign_in(admin)["access"]
    seen = content_of(await called(cognito_server, token, "whoami"))
    assert (seen["tenant_id"], seen["tier"], seen["subject"]) == (tenant, "starter", admin)
    assert {"list_tenant_users", "manage_tenant_user"} <= set(seen["tools"])
    users = content_of(await called(cognito_server, token, "list_tenant_users"))["users"]
    assert {user["user_id"]: user["status"] for user in users} == {admin: "active", member: "invited"}

    of_member = pool.sign_in(member)["access"]
    seen = content_of(await called(cognito_server, of_member, "whoami"))
    assert seen["tenant_id"] == tenant
    assert not {"list_tenant_users", "manage_tenant_user"} & set(seen["tools"])


async def test_a_member_is_refused_with_every_scope_that_the_tool_needs(ask: Ask, cognito_server: Served, pool: Pool):
    tenant = fresh_tenant()
    token = pool.sign_in(await invited(ask, tenant, "bob"))["access"]
    message = {"name": "manage_tenant_user", "arguments": {"action": "invite", "email": "x@y.example"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": message}
    response = await cognito_server.post(request, token)
    assert response.status_code == 403
    assert response.json()["required_scopes"] == ["users:write"]
    assert pool.get("x@y.example") is None


async def test_a_role_that_changes_ends_the_sign_ins_and_the_next_token_has_its_scopes(
    ask: Ask, cognito_server: Served, pool: Pool
):
    tenant = fresh_tenant()
    await invited(ask, tenant, "ada", "admin")
    bob = await invited(ask, tenant, "bob")
    tokens = pool.sign_in(bob)
    await manage(ask, tenant, "change_role", user_id=bob, role="admin")
    with pytest.raises(ClientError, match="NotAuthorized"):
        pool.refresh(tokens["refresh"])
    token = pool.sign_in(bob)["access"]
    assert content_of(await called(cognito_server, token, "list_tenant_users"))["count"] == 2


async def test_a_disabled_or_removed_user_cannot_sign_in(ask: Ask, pool: Pool):
    tenant = fresh_tenant()
    await invited(ask, tenant, "ada", "admin")
    bob = await invited(ask, tenant, "bob")
    tokens = pool.sign_in(bob)
    assert pool.refresh(tokens["refresh"])
    await manage(ask, tenant, "disable", user_id=bob)
    for attempt in (lambda: pool.sign_in(bob), lambda: pool.refresh(tokens["refresh"])):
        with pytest.raises(ClientError, match="NotAuthorized"):
            attempt()
    await manage(ask, tenant, "enable", user_id=bob)
    assert (await listed(ask, tenant))[f"bob@{tenant}.example"]["status"] == "active"
    assert pool.sign_in(bob)["access"]
    await manage(ask, tenant, "remove", user_id=bob)
    with pytest.raises(ClientError):
        pool.sign_in(bob)


async def test_nobody_disables_removes_or_demotes_oneself(
    ask: Ask, cognito_server: Served, small_company: Sandbox, pool: Pool
):
    tenant = fresh_tenant()
    ada, _ = await invited(ask, tenant, "ada", "admin"), await invited(ask, tenant, "eve", "admin")
    token, mark = pool.sign_in(ada)["access"], small_company.emulator.mark()
    for change in ({"action": "disable"}, {"action": "remove"}, {"action": "change_role", "role": "member"}):
        result = await called(cognito_server, token, "manage_tenant_user", user_id=ada, **change)
        assert error_fields(result)["code"] == "conflict"
        assert "oneself" in text_of(result)
    assert pool.written(mark) == []
    assert actions(small_company, tenant) == ["user.invited", "user.created"] * 2


@pytest.mark.parametrize("by_provider", [False, True])
async def test_nobody_takes_away_the_last_enabled_admin(
    ask: Ask, small_company: Sandbox, by_provider: bool, pool: Pool
):
    tenant = fresh_tenant()
    ada, eve = await invited(ask, tenant, "ada", "admin"), await invited(ask, tenant, "eve", "admin")
    await invited(ask, tenant, "bob")
    caller, named = (None, {"tenant_id": tenant}) if by_provider else (tenant, {})
    await manage(ask, caller, "disable", user_id=eve, **named)
    before, mark = actions(small_company, tenant), small_company.emulator.mark()
    for change in ({"action": "disable"}, {"action": "remove"}, {"action": "change_role", "role": "member"}):
        code, text = await refusal(ask, caller, user_id=ada, **change, **named)
        assert code == "conflict"
        assert "last enabled admin" in text
    assert (pool.written(mark), actions(small_company, tenant)) == ([], before)
    await manage(ask, caller, "enable", user_id=eve, **named)
    assert (await manage(ask, caller, "change_role", user_id=ada, role="member", **named))["changed"]
    assert (await refusal(ask, caller, "remove", user_id=eve, **named))[0] == "conflict"


async def test_two_admins_who_demote_each_other_at_once_leave_one(ask: Ask):
    tenant = fresh_tenant()
    admins = [await invited(ask, tenant, name, "admin") for name in ("ada", "eve")]
    codes: list[str] = []

    async def demote(user_id: str) -> None:
        result = await ask("manage_tenant_user", tenant, action="change_role", user_id=user_id, role="member")
        codes.append(error_fields(result)["code"] if result.is_error else "ok")

    async with anyio.create_task_group() as group:
        for user_id in admins:
            group.start_soon(demote, user_id)
    assert sorted(codes) == ["conflict", "ok"]
    assert len(await listed(ask, tenant, role="admin")) == 1


async def test_no_more_users_are_invited_than_the_quota_allows_however_many_ask_at_once(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    tenant = fresh_tenant()
    item = as_item(registered(tenant, quotas={"users": 3}))
    small_company.client("dynamodb").put_item(TableName=small_company.table, Item=item)
    await invited(ask, tenant, "ada", "admin")
    results: list[CallToolResult] = []

    async def invite(number: int) -> None:
        email = f"u{number}@{tenant}.example"
        results.append(await ask("manage_tenant_user", tenant, action="invite", email=email))

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(invite, number)
    refused = [result for result in results if result.is_error]
    assert len(refused) == 2
    for result in refused:
        assert error_fields(result)["code"] == "conflict"
        assert "may have 3 users and has 3" in text_of(result)
    assert len(await listed(ask, tenant)) == 3
    assert len([user for user in pool.everyone() if tenant in str(user["Attributes"])]) == 3
    code, _ = await refusal(ask, None, "invite", tenant_id=tenant, email=f"more@{tenant}.example")
    assert code == "conflict"


async def test_nobody_is_invited_into_a_tenant_that_leaves_or_is_not_registered(ask: Ask, small_company: Sandbox):
    leaving = fresh_tenant()
    dynamodb = small_company.client("dynamodb")
    record = as_item(registered(leaving, "Offboarding"))
    dynamodb.put_item(TableName=small_company.table, Item=record)
    code, text = await refusal(ask, None, "invite", tenant_id=leaving, email="a@b.example")
    assert (code, "leaving" in text) == ("conflict", True)
    assert (await refusal(ask, None, "invite", tenant_id="nobody", email="a@b.example"))[0] == "not_found"


async def test_arguments_that_do_not_go_together_are_refused_by_name(ask: Ask, small_company: Sandbox):
    mark = small_company.emulator.mark()
    for given, parameter in (
        ({"action": "invite"}, "email"),
        ({"action": "invite", "email": "a@b.example", "user_id": "u"}, "user_id"),
        ({"action": "disable", "user_id": "u", "role": "admin"}, "role"),
        ({"action": "disable", "email": "a@b.example"}, "email"),
        ({"action": "change_role", "user_id": "u"}, "role"),
        ({"action": "remove"}, "user_id"),
        ({"action": "erase", "user_id": "u"}, "action"),
        ({"action": "invite", "email": "nobody"}, "email"),
    ):
        result = await ask("manage_tenant_user", "acme", **given)
        assert (error_fields(result)["code"], error_fields(result)["parameter"]) == ("invalid_argument", parameter)
    assert small_company.emulator.requests(mark, service="cognito-idp") == []


@pytest.mark.parametrize("limit", [1, 3, 60])
async def test_pages_hold_every_user_once_and_filters_leave_out_the_others(ask: Ask, limit: int):
    everyone = await listed(ask, "globex", limit=limit)
    assert {name.partition("@")[0] for name in everyone} == {"gil", "ida", "jon", "kai"}
    assert list(await listed(ask, "globex", limit=limit, role="admin")) == ["gil@globex.example"]
    assert len(await listed(ask, "globex", limit=limit, role="member", status="invited")) == 3
    assert await listed(ask, "globex", limit=limit, status="disabled") == {}


async def test_a_tenant_without_any_user_has_an_empty_list(ask: Ask):
    assert await listed(ask, fresh_tenant()) == {}


async def test_where_users_are_kept_elsewhere_both_tools_say_so(small_company: Sandbox):
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    environment = environment_of(server, small_company)
    elsewhere = {name: value for name, value in environment.items() if "USER_" not in name}
    mark = small_company.emulator.mark()
    async with serve(server.spec, elsewhere, small_company) as served:
        for tool, given in (
            ("list_tenant_users", {}),
            ("manage_tenant_user", {"action": "invite", "email": "a@b.example"}),
            ("manage_tenant_user", {"action": "remove", "user_id": "u"}),
        ):
            result = await called(served, served.token("acme"), tool, **given)
            assert error_fields(result)["code"] == "not_set_up"
            assert "identity provider" in text_of(result)
    assert small_company.emulator.requests(mark, service="cognito-idp") == []
