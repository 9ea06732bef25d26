"""What becomes of a tenant's users while Cognito or DynamoDB fails, and when a server dies in the middle."""

import itertools
from typing import Any

import pytest
from fixtures.serving import (
    content_of,
    environment_of,
    error_fields,
    text_of,
)
from fixtures.small_users import put_user
from fixtures.stores import SignedCaller, caller_of
from tenant_management.company_users import (
    Pool,
    actions,
    fresh_tenant,
    invited,
    journal,
    listed,
    told,
)
from tenant_management.conftest import Ask
from tenant_management.killing import SERVER, killed_when_struck
from tenantscope_core.results.errors import NotSetUp, Unavailable
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.users.cognito_directory import CognitoDirectory
from tenantscope_tenant_management.sources.users.external_directory import ExternalDirectory
from tenantscope_tenant_management.sources.users.turns import Turns

DOWN: dict[str, Any] = {"service": "cognito-idp", "kind": "error", "status": 500, "code": "InternalErrorException"}
THROTTLED: dict[str, Any] = {**DOWN, "status": 400, "code": "TooManyRequestsException"}


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


KILLED_AFTER = [
    ("PutItem", 0), ("TransactWriteItems", 0), ("AdminCreateUser", 0), ("TransactWriteItems", 1),
    ("AdminAddUserToGroup", 0),
]  # fmt: skip
"""The writes of an invitation, by action and how many of that action come before; what follows them is lost."""


@pytest.mark.parametrize(("action", "skip"), KILLED_AFTER)
async def test_a_server_killed_after_any_write_of_an_invitation_leaves_what_the_next_invitation_finishes(
    ask: Ask, small_company: Sandbox, pool: Pool, action: str, skip: int
):
    tenant = fresh_tenant()
    await invited(ask, tenant, "bob")
    email = f"ada@{tenant}.example"
    fault = {"kind": "hang", "after": True, "action": action, "skip": skip, "contains": tenant}
    await _killed_while_inviting(small_company, tenant, email, fault)
    user = await _invited_in_the_end(ask, tenant, email)
    assert pool.groups(user["user_id"]) == [f"tenant:{tenant}"]
    assert pool.attributes(user["user_id"])["custom:tenantRole"] == user["role"] == "admin"
    assert len([each for each in pool.everyone() if email in str(each["Attributes"])]) == 1
    assert [user for event, user in told(small_company, tenant) if event.endswith("Created")][-1] == user["user_id"]
    assert actions(small_company, tenant)[-1] == "user.created"
    await invited(ask, tenant, "eve")  # the turn is given back, or has ended with its holder
    (turn,) = journal(small_company, tenant, "users-turn")
    if action != "AdminAddUserToGroup":  # there it was done, and nobody had to be invited again
        assert turn["unfinished"] == []


async def test_an_invitation_cut_short_is_remembered_until_it_is_finished_or_erased(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    tenant = fresh_tenant()
    await invited(ask, tenant, "bob")
    email = f"ada@{tenant}.example"
    fault = {"kind": "hang", "after": True, "action": "AdminCreateUser", "contains": tenant}
    await _killed_while_inviting(small_company, tenant, email, fault)
    assert email not in await listed(ask, tenant)
    assert pool.get(email) is not None
    turns = Turns(Journal(small_company.outputs["JournalTable"]), lease_seconds=1, new_holder=str, jitter=float)
    directory = CognitoDirectory(pool.id)
    async with caller_of(small_company, tenant) as aws:
        left = await turns.unfinished(aws, tenant)
        assert left == (email,)
        await _erased(directory, aws, tenant, also=left)
    assert pool.get(email) is None


async def _killed_while_inviting(sandbox: Sandbox, tenant: str, email: str, fault: dict[str, Any]) -> None:
    """A server of its own is asked to invite an admin, and killed as soon as a fault has struck."""
    environment = environment_of(SERVER, sandbox, TENANTSCOPE_WORKFLOW_LEASE_SECONDS="1")
    token = sandbox.issuer.token(tenant, "starter", ["users:write"])
    asked = {"action": "invite", "email": email, "role": "admin"}
    await killed_when_struck(sandbox, environment, token, "manage_tenant_user", asked, fault)


async def _invited_in_the_end(ask: Ask, tenant: str, email: str) -> dict[str, Any]:
    """Invite, again for as long as the server says that it has to wait for the one that fell silent."""
    for _ in range(5):
        result = await ask("manage_tenant_user", tenant, action="invite", email=email, role="admin")
        if not result.is_error:
            return dict(content_of(result)["user"])
        assert error_fields(result)["code"] == "unavailable"
    raise AssertionError("the turn of a server that was killed does not end")


async def test_a_turn_whose_lease_has_run_out_is_not_acted_on(small_company: Sandbox):
    tenant, clock = fresh_tenant(), itertools.count(0, 40)
    turns = Turns(
        Journal(small_company.outputs["JournalTable"]), lease_seconds=30, new_holder=lambda: "a", jitter=float,
        monotonic=lambda: next(clock),
    )  # fmt: skip
    async with caller_of(small_company, tenant) as aws, turns.take(aws, tenant) as turn:
        with pytest.raises(Unavailable):
            turn.require()


async def test_whoever_waits_too_long_for_a_turn_is_told_to_try_again(small_company: Sandbox):
    tenant = fresh_tenant()
    journal_of = Journal(small_company.outputs["JournalTable"])
    first = Turns(journal_of, lease_seconds=30, new_holder=lambda: "a", jitter=float)
    second = Turns(journal_of, lease_seconds=30, new_holder=lambda: "b", jitter=float)
    async with caller_of(small_company, tenant) as aws:
        async with first.take(aws, tenant):
            with pytest.raises(Unavailable):
                async with second.take(aws, tenant):
                    raise AssertionError("two hold the turn")
        async with second.take(aws, tenant):
            assert journal(small_company, tenant, "users-turn")[0]["holder"] == "b"


async def _erased(
    directory: CognitoDirectory, aws: SignedCaller, tenant: str, *, at_most: int = 50, also: tuple[str, ...] = ()
) -> int:
    """Erase a tenant's users; how many calls that took."""
    for called in range(1, 20):
        if await directory.erase_tenant(aws, tenant, at_most=at_most, also=also):
            return called
    raise AssertionError("erasing does not end")


async def test_erasing_a_tenant_takes_its_users_and_its_group_a_few_at_a_time_and_nobody_else(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    tenant, directory = fresh_tenant(), CognitoDirectory(pool.id)
    for name in ("ada", "bob", "eve", "jim", "kim"):
        await invited(ask, tenant, name)
    put_user(small_company, f"guest@{tenant}.example", tenant="globex", groups=(f"tenant:{tenant}",))
    put_user(small_company, f"staff@{tenant}.example", tenant=tenant, groups=("provider", f"tenant:{tenant}"))
    kept = [each for each in pool.everyone() if f"@{tenant}." not in str(each["Attributes"])]
    async with caller_of(small_company, tenant) as aws:
        assert await directory.held(aws, tenant) == 6  # staff that somebody marked as the tenant's is counted
        assert not await directory.erase_tenant(aws, tenant, at_most=2)
        assert await _erased(directory, aws, tenant, at_most=2) >= 3
        assert await _erased(directory, aws, tenant) == 1
        assert await directory.held(aws, tenant) == 0
    left = [each for each in pool.everyone() if f"@{tenant}." in str(each["Attributes"])]
    assert len(left) == 2
    assert [pool.groups(str(each["Username"])) for each in left] == [[], ["provider"]]
    assert [each for each in pool.everyone() if each not in left] == kept
    with pytest.raises(pool.client.exceptions.ResourceNotFoundException):
        pool.client.get_group(UserPoolId=pool.id, GroupName=f"tenant:{tenant}")


async def test_preparing_a_tenant_twice_makes_one_group_and_says_the_same(small_company: Sandbox, pool: Pool):
    tenant, directory = fresh_tenant(), CognitoDirectory(pool.id)
    async with caller_of(small_company, tenant) as aws:
        first, second = [await directory.ensure_tenant(aws, tenant) for _ in range(2)]
        assert first == second
        user, new = await directory.invite(aws, tenant, f"ada@{tenant}.example", "admin", "growth")
        again = await directory.invite(aws, tenant, f"ada@{tenant}.example", "member", "growth")
    assert new
    assert again == (user, False)
    assert pool.groups(user.id) == [f"tenant:{tenant}"]


async def test_a_tenants_own_admin_cannot_make_the_group_and_is_told_who_can(ask: Ask, pool: Pool):
    tenant = fresh_tenant()
    result = await ask("manage_tenant_user", tenant, action="invite", email=f"ada@{tenant}.example")
    assert error_fields(result)["code"] == "not_set_up"
    assert "provider" in text_of(result)
    assert pool.get(f"ada@{tenant}.example") is None


async def test_where_users_are_kept_elsewhere_a_tenant_comes_and_goes_without_any(small_company: Sandbox):
    directory = ExternalDirectory()
    mark = small_company.emulator.mark()
    async with caller_of(small_company, "acme") as aws:
        assert (await directory.ensure_tenant(aws, "acme")).startswith("Skipped")
        assert await directory.held(aws, "acme") is None
        assert await directory.erase_tenant(aws, "acme", at_most=1)
        for refused in (
            directory.find(aws, "acme", "u"), directory.find_invited(aws, "acme", "a@b.example"),
            directory.page(aws, "acme", 1, None), directory.create(aws, "acme", "a@b.example", "member", "growth"),
            directory.invite(aws, "acme", "a@b.example", "member", "growth"), directory.remove(aws, "acme", "u"),
            directory.set_enabled(aws, "acme", "u", False), directory.set_role(aws, "acme", "u", "admin"),
            directory.sign_out(aws, "acme", "u"),
        ):  # fmt: skip
            with pytest.raises(NotSetUp):
                await refused
    assert small_company.emulator.requests(mark) == []
