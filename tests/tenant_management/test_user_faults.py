"""What becomes of a tenant's users while Cognito or DynamoDB fails, and when a server dies in the middle."""

import itertools
from pathlib import Path
from typing import Any

import anyio
import pytest
from fixtures.serving import SERVERS, content_of, environment_of, error_fields, on_stdio, text_of
from fixtures.small_users import put_user
from fixtures.stores import SignedCaller
from tenant_management.company_users import (
    Pool,
    actions,
    caller_of,
    fresh_tenant,
    invited,
    journal,
    listed,
    told,
)
from tenant_management.conftest import Ask
from tenantscope_core.results.errors import NotSetUp, Unavailable
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.cognito_directory import CognitoDirectory
from tenantscope_tenant_management.sources.external_directory import ExternalDirectory
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.turns import Turns

DOWN: dict[str, Any] = {"service": "cognito-idp", "kind": "error", "status": 500, "code": "InternalErrorException"}
THROTTLED: dict[str, Any] = {**DOWN, "status": 400, "code": "TooManyRequestsException"}
HANGS: dict[str, Any] = {"service": "cognito-idp", "kind": "hang"}


@pytest.fixture
def pool(small_company: Sandbox) -> Pool:
    return Pool(small_company)


@pytest.mark.parametrize("fault", [DOWN, THROTTLED], ids=["down", "throttled"])
async def test_while_cognito_fails_both_tools_say_when_to_try_again_and_nothing_is_half(
    ask: Ask, small_company: Sandbox, pool: Pool, fault: dict[str, Any]
):
    tenant = fresh_tenant()
    user_id = await invited(ask, tenant, "ada")
    before, noted = pool.everyone(), actions(small_company, tenant)
    with small_company.emulator.faults(fault):
        for tool, given in (
            ("list_tenant_users", {}),
            ("manage_tenant_user", {"action": "invite", "email": f"new@{tenant}.example"}),
            ("manage_tenant_user", {"action": "disable", "user_id": user_id}),
        ):
            result = await ask(tool, tenant, **given)
            fields = error_fields(result)
            assert (fields["code"], fields["action"]) == ("unavailable", "retry_after")
            assert fields["retry_after_seconds"] > 0
            assert "Cognito" not in text_of(result)
    assert pool.everyone() == before
    assert actions(small_company, tenant) == noted


@pytest.mark.parametrize("failing", ["AdminCreateUser", "AdminAddUserToGroup"])
async def test_an_invitation_that_fails_on_its_way_leaves_nobody_behind_and_works_later(
    ask: Ask, small_company: Sandbox, pool: Pool, failing: str
):
    tenant, email = fresh_tenant(), "ada@{}.example"
    await invited(ask, tenant, "bob")
    email = email.format(tenant)
    with small_company.emulator.faults({**DOWN, "action": failing}):
        result = await ask("manage_tenant_user", tenant, action="invite", email=email)
        assert error_fields(result)["code"] == "unavailable"
    assert pool.get(email) is None
    assert actions(small_company, tenant)[2:] == [
        "user.invited",
        *(["user.created"] if failing == "AdminAddUserToGroup" else []),
        "user.invite_failed",
    ]
    created, deleted = (
        [event for event in told(small_company, tenant)[1:] if event[0] == f"sbt_aws_tenantUser{what}"]
        for what in ("Created", "Deleted")
    )
    assert [user for _, user in created] == [user for _, user in deleted]
    assert (await listed(ask, tenant)).keys() == {f"bob@{tenant}.example"}
    assert content_of(await ask("manage_tenant_user", tenant, action="invite", email=email))["changed"]
    assert email in await listed(ask, tenant)


@pytest.mark.parametrize(
    ("action", "failing", "given"),
    [
        ("disable", "AdminDisableUser", {}),
        ("change_role", "AdminUpdateUserAttributes", {"role": "admin"}),
        ("remove", "AdminDeleteUser", {}),
        ("remove", "AdminDisableUser", {}),
    ],
)
async def test_a_change_that_fails_is_noted_as_failed_and_works_when_it_is_repeated(
    ask: Ask, small_company: Sandbox, pool: Pool, action: str, failing: str, given: dict[str, Any]
):
    tenant = fresh_tenant()
    bob = await invited(ask, tenant, "bob")
    with small_company.emulator.faults({**DOWN, "action": failing}):
        result = await ask("manage_tenant_user", tenant, action=action, user_id=bob, **given)
        assert error_fields(result)["code"] == "unavailable"
    assert actions(small_company, tenant)[-1] == f"user.{action}_failed"
    deleted = [event for event, _ in told(small_company, tenant) if event.endswith("Deleted")]
    assert len(deleted) == (failing == "AdminDeleteUser")  # told where the user can do nothing any more
    assert content_of(await ask("manage_tenant_user", tenant, action=action, user_id=bob, **given))["changed"]
    assert (pool.get(bob) is None) == (action == "remove")


async def test_nothing_is_done_to_a_user_that_cannot_be_written_down_first(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    tenant = fresh_tenant()
    bob = await invited(ask, tenant, "bob")
    mark = small_company.emulator.mark()
    fault = {"service": "dynamodb", "action": "TransactWriteItems", "kind": "error", "status": 500}
    with small_company.emulator.faults({**fault, "code": "InternalServerError"}):
        for change in (
            {"action": "disable", "user_id": bob},
            {"action": "invite", "email": f"new@{tenant}.example"},
        ):
            assert error_fields(await ask("manage_tenant_user", tenant, **change))["code"] == "unavailable"
    assert pool.written(mark) == []


@pytest.mark.parametrize("hanging", ["AdminAddUserToGroup", "AdminCreateUser", "TransactWriteItems"])
async def test_a_server_killed_in_the_middle_of_an_invitation_leaves_what_the_next_one_finishes(
    ask: Ask, small_company: Sandbox, pool: Pool, tmp_path: Path, hanging: str
):
    tenant = fresh_tenant()
    await invited(ask, tenant, "bob")
    email = f"ada@{tenant}.example"
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    environment = environment_of(server, small_company, TENANTSCOPE_WORKFLOW_LEASE_SECONDS="2")
    environment["TENANTSCOPE_TOKEN"] = small_company.issuer.token(tenant, "starter", ["users:write"])
    fault = {"kind": "hang", "action": hanging, "contains": tenant if hanging == "TransactWriteItems" else None}
    mark = small_company.emulator.mark()
    with small_company.emulator.faults(fault):
        async with on_stdio(server, environment, tmp_path / "log") as client:  # its end kills the process
            with anyio.move_on_after(60) as waiting:
                async with anyio.create_task_group() as group:
                    group.start_soon(client.call_tool, "manage_tenant_user", {"action": "invite", "email": email})
                    await _until_struck(small_company, mark, hanging)
                    group.cancel_scope.cancel()
            assert not waiting.cancelled_caught
    assert email not in await listed(ask, tenant)
    user = await _invited_in_the_end(ask, tenant, email)
    assert pool.groups(user["user_id"]) == [f"tenant:{tenant}"]
    assert len([each for each in pool.everyone() if email in str(each["Attributes"])]) == 1
    assert pool.attributes(user["user_id"])["custom:tenantRole"] == "admin"
    assert actions(small_company, tenant)[-1] == "user.created"
    (turn,) = journal(small_company, tenant, "users-turn")
    assert turn["unfinished"] == []
