"""No argument lets a tenant's admin reach another's users or the provider's staff; each of two marks holds alone."""

from typing import Any

import pytest
from fixtures.leaks import assert_tells_nothing_of_the_inside
from fixtures.serving import content_of, error_fields, text_of
from fixtures.small_users import address_of, make_group, put_user
from fixtures.stores import SignedCaller, caller_of
from mcp.types import CallToolResult
from tenant_management.company_users import Pool, actions, fresh_tenant, invited, listed
from tenant_management.conftest import Ask
from tenantscope_core.results.errors import NotFound
from tenantscope_core.stores.aws import OtherTenant
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.users.cognito_directory import CognitoDirectory

CHANGES: list[dict[str, Any]] = [
    {"action": "disable"}, {"action": "enable"}, {"action": "remove"}, {"action": "change_role", "role": "admin"},
    {"action": "change_role", "role": "member"},
]  # fmt: skip
MADE_UP = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def pool(small_company: Sandbox) -> Pool:
    return Pool(small_company)


@pytest.fixture
def directory(pool: Pool) -> CognitoDirectory:
    return CognitoDirectory(pool.id)


def told(result: CallToolResult, name: str) -> tuple[dict[str, Any], str]:
    return error_fields(result), text_of(result).replace(name, "<user>")


async def others(pool: Pool) -> dict[str, str]:
    """Users that are not acme's, by what they are; each with a name that opens it at Cognito."""
    staff = pool.get("staff@provider.example")
    if staff is None:
        put_user(pool.sandbox, "staff@provider.example", tenant=None, groups=("provider",))
        put_user(pool.sandbox, "double@provider.example", tenant="acme", groups=("provider", "tenant:acme"))
        put_user(pool.sandbox, "nobody@nowhere.example", tenant=None)
        put_user(pool.sandbox, "unmarked@acme.example", tenant="globex", groups=("tenant:acme",))
        put_user(pool.sandbox, "both@acme.example", tenant="acme", groups=("tenant:acme", "tenant:globex"))
    addresses = {
        "another tenant's": address_of("ida", "globex"), "another tenant's admin": address_of("gil", "globex"),
        "staff": "staff@provider.example", "staff with a tenant": "double@provider.example",
        "nobody's": "nobody@nowhere.example", "in the group alone": "unmarked@acme.example",
        "of two tenants": "both@acme.example",
    }  # fmt: skip
    return {what: str((pool.get(address) or {})["Username"]) for what, address in addresses.items()}


@pytest.mark.requirement("users-of-one-tenant")
async def test_a_user_of_anybody_else_is_told_exactly_as_one_that_does_not_exist(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    foreign = await others(pool)
    before, mark, noted = pool.everyone(), small_company.emulator.mark(), actions(small_company, "acme")
    for change in CHANGES:
        never = told(await ask("manage_tenant_user", "acme", user_id=MADE_UP, **change), MADE_UP)
        assert never[0] == {"code": "not_found", "action": "change", "parameter": "user_id"}
        for what, user_id in foreign.items():
            result = await ask("manage_tenant_user", "acme", user_id=user_id, **change)
            assert told(result, user_id) == never, what
            assert_tells_nothing_of_the_inside(text_of(result), small_company)
    assert (pool.written(mark), actions(small_company, "acme")) == ([], noted)
    assert pool.everyone() == before


@pytest.mark.requirement("users-of-one-tenant")
async def test_the_provider_acting_on_one_tenant_reaches_no_other_tenants_users_and_no_staff(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    foreign = await others(pool)
    mark = small_company.emulator.mark()
    for what, user_id in foreign.items():
        result = await ask("manage_tenant_user", None, tenant_id="acme", action="remove", user_id=user_id)
        assert error_fields(result)["code"] == "not_found", what
    assert pool.written(mark) == []


@pytest.mark.parametrize("spelling", ["address", "address in capitals", "padded", "with another's"])
async def test_nothing_but_the_very_id_opens_even_ones_own_user(ask: Ask, small_company: Sandbox, spelling: str):
    own = (await listed(ask, "acme"))[address_of("max", "acme")]
    name = {
        "address": own["email"], "address in capitals": own["email"].upper(), "padded": f" {own['user_id']}",
        "with another's": f"{own['user_id']},{MADE_UP}",
    }[spelling]  # fmt: skip
    mark = small_company.emulator.mark()
    result = await ask("manage_tenant_user", "acme", action="disable", user_id=name)
    assert error_fields(result)["code"] == "not_found"
    assert Pool(small_company).written(mark) == []


async def test_an_address_that_is_anybody_elses_is_refused_in_the_same_words_wherever_it_belongs(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    await others(pool)
    before, mark = pool.everyone(), small_company.emulator.mark()
    addresses = [
        address_of("ida", "globex"), "staff@provider.example", "double@provider.example", "nobody@nowhere.example",
        "unmarked@acme.example", "both@acme.example",
    ]  # fmt: skip
    answers = [
        told(await ask("manage_tenant_user", "acme", action="invite", email=email, role=role), email)
        for email in addresses
        for role in ("member", "admin")
    ]
    assert answers == [answers[0]] * len(answers)
    assert answers[0][0] == {"code": "invalid_argument", "action": "change", "parameter": "email"}
    assert pool.written(mark) == []
    assert pool.everyone() == before


async def test_a_tenants_list_shows_those_alone_that_both_marks_say_are_its_own(ask: Ask, pool: Pool):
    await others(pool)
    half = put_user(pool.sandbox, "half@acme.example", tenant="acme", role="admin")
    shown = await listed(ask, "acme")
    assert not {"half@acme.example", "unmarked@acme.example", "ida@globex.example"} & set(shown)
    result = await ask("manage_tenant_user", "acme", action="disable", user_id=half)
    assert error_fields(result)["code"] == "not_found"


async def test_a_cursor_of_another_tenant_or_question_opens_nothing(ask: Ask):
    cursor = content_of(await ask("list_tenant_users", "globex", limit=1))["next_cursor"]
    for tenant, more in (("acme", {}), ("globex", {"role": "admin"})):
        result = await ask("list_tenant_users", tenant, limit=1, cursor=cursor, **more)
        assert error_fields(result)["code"] == "invalid_cursor"
    result = await ask("list_tenant_users", None, tenant_id="globex", limit=1, cursor=cursor)
    assert error_fields(result)["code"] == "invalid_cursor"


async def test_a_tenant_cannot_name_a_tenant_not_even_its_own(ask: Ask, small_company: Sandbox, pool: Pool):
    mark = small_company.emulator.mark()
    for named in ("globex", "acme"):
        invite = {"action": "invite", "email": f"new@{named}.example", "tenant_id": named}
        for tool, given in (("list_tenant_users", {"tenant_id": named}), ("manage_tenant_user", invite)):
            assert error_fields(await ask(tool, "acme", **given))["parameter"] == "tenant_id"
    assert small_company.emulator.requests(mark, service="cognito-idp") == []


async def test_what_leaves_the_server_names_the_tenants_group_and_pool_and_marks_the_new_user_as_its_own(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    tenant = fresh_tenant()
    make_group(small_company, tenant)
    mark = small_company.emulator.mark()
    result = content_of(
        await ask("manage_tenant_user", tenant, action="invite", email=f"a@{tenant}.example", role="admin")
    )
    asked = small_company.emulator.requests(mark, service="cognito-idp")
    assert {each["parameters"]["UserPoolId"] for each in asked} == {pool.id}
    assert all(small_company.role_arn("tenant-management").rpartition("/")[2] in each["principal"] for each in asked)
    groups = {each["parameters"]["GroupName"] for each in asked if "GroupName" in each["parameters"]}
    assert groups == {f"tenant:{tenant}"}
    (created,) = [each["parameters"] for each in asked if each["action"] == "AdminCreateUser"]
    attributes = {each["Name"]: each["Value"] for each in created["UserAttributes"]}
    assert attributes["custom:tenantId"] == tenant
    assert "MessageAction" not in created  # Cognito writes to whoever is invited
    (added,) = [each["parameters"] for each in asked if each["action"] == "AdminAddUserToGroup"]
    assert added["Username"] == result["user_id"]


async def test_a_user_is_looked_at_before_it_is_touched_and_touched_by_its_id(
    ask: Ask, small_company: Sandbox, pool: Pool
):
    tenant = fresh_tenant()
    user_id = await invited(ask, tenant, "bob")
    mark = small_company.emulator.mark()
    content_of(await ask("manage_tenant_user", tenant, action="disable", user_id=user_id))
    asked = small_company.emulator.requests(mark, service="cognito-idp")
    assert {each["parameters"]["Username"] for each in asked} == {user_id}
    order = [each["action"] for each in asked]
    first = order.index("AdminDisableUser")
    assert order[first - 2 : first] == ["AdminGetUser", "AdminListGroupsForUser"]


async def test_credentials_of_one_tenant_are_not_used_for_another(directory: CognitoDirectory, small_company: Sandbox):
    mark = small_company.emulator.mark()
    async with caller_of(small_company, "acme") as aws:
        for attempt in (
            directory.page(aws, "globex", 10, None),
            directory.find(aws, "globex", MADE_UP),
            directory.find_invited(aws, "globex", address_of("ida", "globex")),
            directory.create(aws, "globex", "new@globex.example", "member", "growth"),
            directory.ensure_tenant(aws, "globex"),
            directory.erase_tenant(aws, "globex", at_most=10),
        ):
            with pytest.raises(OtherTenant):
                await attempt
    assert small_company.emulator.requests(mark, service="cognito-idp") == []


async def test_with_the_whole_pool_open_each_mark_alone_still_keeps_others_out(
    directory: CognitoDirectory, pool: Pool, root: SignedCaller
):
    foreign = await others(pool)
    only_marked = put_user(pool.sandbox, "marked@acme.example", tenant="acme")
    for user_id in (*foreign.values(), only_marked):
        for attempt in (
            directory.find(root, "acme", user_id),
            directory.set_enabled(root, "acme", user_id, False),
            directory.set_role(root, "acme", user_id, "admin"),
            directory.sign_out(root, "acme", user_id),
            directory.remove(root, "acme", user_id),
        ):
            with pytest.raises(NotFound):
                await attempt
