"""No tenant raises its own tier or quotas: not by an argument, not by its settings, and not with the keys themselves.

The cloud's part is tried with the very session that the server vends for a tenant's caller, one layer at a time.
"""

import json
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from fixtures.serving import Served, call_of, content_of, error_fields, text_of
from fixtures.small_company import as_item
from fixtures.stores import caller_of
from isolation.layers import EVERYTHING, refused, vended
from tenant_management.conftest import Ask
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_sandbox import Sandbox

SERVER, TENANT, OTHER = "tenant-management", "acme", "globex"
RAISED: dict[str, Any] = {
    "tier": "enterprise", "quotas": {"users": 10**6}, "quotaOverrides": {"users": 10**6},
    "entitlements": ["booking", "search", "webhooks"], "tenantStatus": "Active", "statusReason": "none",
    "legalHold": True, "sbtaws_active": True, "isActive": True, "recordType": "other", "tenantName": "Another",
    "email": "other@acme.example", "plan": "free", "tags": {"segment": "vip"}, "quotaUse": {}, "lastActiveAt": "2030",
    "anything": "else",
}  # fmt: skip
"""What stands in a record beside a tenant's own settings."""

Write = tuple[str, dict[str, Any]]
Writes = Callable[[Sandbox], list[Write]]


def _update(table: str, tenant: str, fields: Mapping[str, Any], *, remove: str = "") -> dict[str, Any]:
    names = {f"#{number}": name for number, name in enumerate([*fields, remove] if remove else fields)}
    sets = ", ".join(f"#{number} = :{number}" for number in range(len(fields)))
    values = as_item({f":{number}": value for number, value in enumerate(fields.values())})
    return {
        "TableName": table, "Key": as_item({"tenantId": tenant}), "ExpressionAttributeNames": names,
        "UpdateExpression": f"SET {sets}" + (f" REMOVE #{len(fields)}" if remove else ""),
        "ExpressionAttributeValues": values,
    }  # fmt: skip


def _writes_of(sandbox: Sandbox, name: str, value: Any) -> list[Write]:
    """Every way to write one attribute of the own record."""
    table, key = sandbox.table, as_item({"tenantId": TENANT})
    own = {"tenantConfig": "{}", "version": 2}
    alone, beside = _update(table, TENANT, {name: value}), _update(table, TENANT, {**own, name: value})
    taken = _update(table, TENANT, own, remove=name)
    plain = {"TableName": table, "Key": key, "UpdateExpression": f"SET {name} = :v"}
    nested = {"TableName": table, "Key": key, "UpdateExpression": f"SET {name}.users = :v"}
    given = {"ExpressionAttributeValues": as_item({":v": value})}
    legacy = {
        "TableName": table,
        "Key": key,
        "AttributeUpdates": {name: {"Action": "PUT", "Value": as_item({"v": value})["v"]}},
    }
    partiql = f"UPDATE \"{table}\" SET {name} = ? WHERE tenantId = '{TENANT}'"
    return [
        *(("update_item", one) for one in (alone, beside, taken, plain | given, nested | given, legacy)),
        *(("transact_write_items", {"TransactItems": [{"Update": one}]}) for one in (alone, beside, taken)),
        ("execute_statement", {"Statement": partiql, "Parameters": [as_item({"v": value})["v"]]}),
    ]


def _replacements(sandbox: Sandbox) -> list[Write]:
    """Every way to put another record in the place of the own, or to take it away."""
    table, item = sandbox.table, as_item({"tenantId": TENANT, "tenantName": "Acme", "tier": "enterprise"})
    put, delete = {"TableName": table, "Item": item}, {"TableName": table, "Key": as_item({"tenantId": TENANT})}
    return [
        ("put_item", put), ("delete_item", delete),
        ("transact_write_items", {"TransactItems": [{"Put": put}]}),
        ("transact_write_items", {"TransactItems": [{"Delete": delete}]}),
        ("batch_write_item", {"RequestItems": {table: [{"PutRequest": {"Item": item}}]}}),
        ("batch_write_item", {"RequestItems": {table: [{"DeleteRequest": {"Key": delete["Key"]}}]}}),
    ]  # fmt: skip


def _of_others(sandbox: Sandbox) -> list[Write]:
    """What another's record and journal, and the company's tiers, could be read or written by."""
    journal = sandbox.outputs["JournalTable"]
    found = {"TableName": journal, "KeyConditionExpression": "tenantId = :t"}
    writes: list[Write] = [
        ("update_item", _update(sandbox.table, OTHER, {"tenantConfig": "{}", "version": 2})),
        ("get_item", {"TableName": sandbox.table, "Key": as_item({"tenantId": OTHER})}),
        ("query", found | {"ExpressionAttributeValues": as_item({":t": OTHER})}),
    ]
    for owner in (OTHER, ":tiers"):
        put = {"TableName": journal, "Item": as_item({"tenantId": owner, "entry": "tiers", "document": "[]"})}
        update = {"TableName": journal, "Key": as_item({"tenantId": owner, "entry": "tiers"})}
        update |= {"UpdateExpression": "SET document = :d", "ExpressionAttributeValues": as_item({":d": "[]"})}
        writes += [
            ("put_item", put), ("update_item", update),
            ("delete_item", {"TableName": journal, "Key": update["Key"]}),
            ("transact_write_items", {"TransactItems": [{"Put": put}]}),
            ("batch_write_item", {"RequestItems": {journal: [{"PutRequest": {"Item": put["Item"]}}]}}),
        ]  # fmt: skip
    return writes


# The layers


@contextmanager
def _widened(sandbox: Sandbox) -> Generator[None]:
    """The server's role for tenants allows everything, for a block."""
    role, iam = sandbox.role_arn(SERVER).rpartition("/")[2], sandbox.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="widened", PolicyDocument=json.dumps(EVERYTHING))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="widened")


@asynccontextmanager
async def layer(name: str, served: Served) -> AsyncGenerator[AwsCaller]:
    """A session of acme's, held by both layers, by one of them, or by neither."""
    if name == "both layers":
        async with vended(served, TENANT) as aws:
            yield aws
    elif name == "the role alone":
        async with caller_of(served.sandbox, TENANT, served.sandbox.assume(SERVER, TENANT, tier="growth")) as aws:
            yield aws
    elif name == "the session policy alone":
        with _widened(served.sandbox):
            async with vended(served, TENANT) as aws:
                yield aws
    else:
        with _widened(served.sandbox):
            async with caller_of(served.sandbox, TENANT, served.sandbox.assume(SERVER, TENANT, tier="growth")) as aws:
                yield aws


LAYERS = ("both layers", "the role alone", "the session policy alone")


@pytest.fixture
def record(small_company: Sandbox) -> Callable[[], dict[str, Any]]:
    """Acme's record as the root sees it."""
    dynamodb, key = small_company.client("dynamodb"), as_item({"tenantId": TENANT})
    return lambda: dynamodb.get_item(TableName=small_company.table, Key=key)["Item"]


@pytest.mark.parametrize("held_by", LAYERS)
async def test_the_session_of_a_tenants_caller_writes_nothing_in_its_record_but_its_settings(
    registry_server: Served, small_company: Sandbox, record: Callable[[], dict[str, Any]], held_by: str
):
    before = record()
    async with layer(held_by, registry_server) as aws:
        for name, value in RAISED.items():
            for operation, parameters in _writes_of(small_company, name, value):
                await refused(aws.call("dynamodb", operation, **parameters))
        for operation, parameters in _replacements(small_company):
            await refused(aws.call("dynamodb", operation, **parameters))
        assert record() == before
        own = {"tenantConfig": before["tenantConfig"]["S"], "version": int(before["version"]["N"])}
        await aws.call("dynamodb", "update_item", **_update(small_company.table, TENANT, own))
        update = {"Update": _update(small_company.table, TENANT, own)}
        await aws.call("dynamodb", "transact_write_items", TransactItems=[update])
    assert record() == before


@pytest.mark.parametrize("held_by", LAYERS)
async def test_it_writes_to_its_own_journal_and_neither_to_anothers_nor_to_the_tiers(
    registry_server: Served, small_company: Sandbox, held_by: str
):
    journal, dynamodb = small_company.outputs["JournalTable"], small_company.client("dynamodb")
    own = {"tenantId": TENANT, "entry": "test"}
    async with layer(held_by, registry_server) as aws:
        for operation, parameters in _of_others(small_company):
            await refused(aws.call("dynamodb", operation, **parameters))
        tiers = {"KeyConditionExpression": "tenantId = :t", "ExpressionAttributeValues": as_item({":t": ":tiers"})}
        assert (await aws.call("dynamodb", "query", TableName=journal, **tiers))["Items"]
        await aws.call("dynamodb", "put_item", TableName=journal, Item=as_item(own))
        await refused(aws.call("dynamodb", "delete_item", TableName=journal, Key=as_item(own)))
    dynamodb.delete_item(TableName=journal, Key=as_item(own))


async def test_with_both_layers_gone_the_same_writes_raise_it(
    registry_server: Served, small_company: Sandbox, record: Callable[[], dict[str, Any]]
):
    before = record()
    async with layer("neither", registry_server) as aws:
        for operation, parameters in _writes_of(small_company, "tier", "enterprise")[:2]:
            await aws.call("dynamodb", operation, **parameters)
        assert record()["tier"] == {"S": "enterprise"}
        await aws.call("dynamodb", "put_item", TableName=small_company.table, Item=before)
    assert record() == before


# The server's part


@pytest.mark.parametrize(
    "more", [{"tier": "enterprise"}, {"quota_overrides": {"users": 99}}, {"tenant_id": TENANT}], ids=str
)
async def test_an_argument_that_a_tenant_is_not_shown_is_refused_by_name(
    ask: Ask, record: Callable[[], dict[str, Any]], more: dict[str, Any]
):
    before = record()
    result = await ask("update_tenant_config", TENANT, version=1, patch={"a": 1}, **more)
    assert error_fields(result)["code"] == "invalid_argument"
    assert next(iter(more)) in text_of(result)
    assert record() == before


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("update_tenant", {"version": 1, "tier": "enterprise"}),
        ("update_tenant", {"version": 1, "quota_overrides": {"users": 99}, "tenant_id": TENANT}),
        ("set_tenant_status", {"action": "activate", "tenant_id": TENANT}),
        ("create_tenant", {"name": "Acme", "tier": "enterprise", "tenant_id": TENANT}),
    ],
)
async def test_a_tool_of_the_providers_is_refused_to_a_tenants_admin_whatever_scopes_it_has(
    registry_server: Served, record: Callable[[], dict[str, Any]], tool: str, arguments: dict[str, Any]
):
    before = record()
    response = await registry_server.post(call_of(tool, arguments), registry_server.token(TENANT))
    assert response.status_code == 403
    assert record() == before


async def test_settings_that_are_named_like_terms_are_settings(
    ask: Ask, record: Callable[[], dict[str, Any]], small_company: Sandbox
):
    before, profile = record(), content_of(await ask("get_tenant", TENANT))
    named = {**RAISED, "version": 99, "tenantId": OTHER, "requests_per_minute": 10**6}
    answer = content_of(await ask("update_tenant_config", TENANT, version=profile["version"], patch=named))
    assert answer["version"] == profile["version"] + 1
    after, now = record(), content_of(await ask("get_tenant", TENANT))
    changed = {"tenantConfig", "version", "updatedAt"}
    assert {n: v for n, v in after.items() if n not in changed} == {n: v for n, v in before.items() if n not in changed}
    assert [now[name] for name in ("tier", "status", "entitlements", "tags")] == [
        profile[name] for name in ("tier", "status", "entitlements", "tags")
    ]
    assert [(one["name"], one["limit"], one["own"]) for one in now["quotas"]] == [
        ("storage_gb", 20, False), ("users", 10, False),
    ]  # fmt: skip
    me = content_of(await ask("whoami", TENANT))
    assert me["tier"] == "growth"
    away: dict[str, Any] = dict.fromkeys(named)
    await ask("update_tenant_config", TENANT, version=answer["version"], patch=away)
