"""A role may be held to attributes: what a request names to read, to compare or to write, member by member."""

from collections.abc import Callable
from typing import Any

import pytest
from tenantscope_sandbox import Sandbox

from .refusals import refused
from .roles import make_role, session_of

JOURNAL = "journal"
OWN = {"tenantId": {"S": "acme"}}
VALUES: dict[str, Any] = {":c": {"M": {}}, ":n": {"N": "1"}, ":s": {"S": "x"}}
SETTLED = "SET tenantConfig = :c, version = :n"


def only(*attributes: str) -> dict[str, Any]:
    return {
        "ForAllValues:StringEquals": {
            "dynamodb:LeadingKeys": ["${aws:PrincipalTag/TenantId}"], "dynamodb:Attributes": [*attributes],
        },
        "Null": {"dynamodb:LeadingKeys": "false", "dynamodb:Attributes": "false"},
        "StringEqualsIfExists": {
            "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"], "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def settler(stocked: Sandbox) -> str:
    """A role that changes its tenant's configuration and version, and adds what it did to a journal."""
    stocked.client("dynamodb").create_table(
        TableName=JOURNAL, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("owner", "entry")],
    )  # fmt: skip
    tables = f"arn:aws:dynamodb:{stocked.region}:{stocked.account}:table"
    return make_role(
        stocked, "settler",
        {
            "Effect": "Allow", "Action": ["dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:PartiQLUpdate"],
            "Resource": f"{tables}/{stocked.table}", "Condition": only("tenantId", "tenantConfig", "version"),
        },
        {
            "Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:ConditionCheckItem"],
            "Resource": f"{tables}/{JOURNAL}", "Condition": only("owner", "entry", "note"),
        },
    )  # fmt: skip


@pytest.fixture
def settle(stocked: Sandbox, settler: str) -> Callable[..., Any]:
    """UpdateItem of acme's record by that role, with the values and names that the expressions use."""
    dynamodb = session_of(stocked, settler, "dynamodb", "acme")

    def update(expression: str, **options: Any) -> Any:
        text = expression + str(options.get("ConditionExpression", ""))
        values = {name: value for name, value in VALUES.items() if name in text}
        given = {"ExpressionAttributeValues": values} if values else {}
        return dynamodb.update_item(
            **({"TableName": stocked.table, "Key": OWN, "UpdateExpression": expression} | given | options)
        )

    return update


def names(**aliases: str) -> dict[str, Any]:
    return {"ExpressionAttributeNames": {f"#{alias}": name for alias, name in aliases.items()}}


def test_the_attributes_of_a_policy_may_be_written_and_compared(settle: Callable[..., Any]):
    settle(SETTLED)
    settle("SET #c.#k = :s, #v = #v + :n", **names(c="tenantConfig", k="tier", v="version"))
    settle("SET tenantConfig = :c", ConditionExpression="attribute_exists(tenantId) AND version >= :n")
    settle("ADD version :n REMOVE tenantConfig.quotas[0]", ReturnValues="UPDATED_NEW")
    settle("SET version = if_not_exists(version, :n)")


@pytest.mark.parametrize(
    ("expression", "options"),
    [
        (f"{SETTLED}, tier = :s", {}),
        (f"{SETTLED}, #t = :s", names(t="tier")),
        (f"{SETTLED}, #q.#k = :n", names(q="quotas", k="version")),
        (f"{SETTLED}, quotas[0] = :n", {}),
        (f"{SETTLED} REMOVE tier", {}),
        (f"{SETTLED} ADD quotas :n", {}),
        (f"{SETTLED} DELETE quotas :n", {}),
        ("SET tenantConfig = tier", {}),
        ("SET tenantConfig = if_not_exists(#t, :c)", names(t="tier")),
        ("SET version = version + quotas", {}),
        (SETTLED, {"ConditionExpression": "tier = :s"}),
        (SETTLED, {"ConditionExpression": "NOT begins_with(#t, :s)", **names(t="tier")}),
        (SETTLED, {"ConditionExpression": "size (quotas) > :n"}),
        (SETTLED, {"ReturnValues": "ALL_NEW"}),
        (SETTLED, {"ReturnValues": "ALL_OLD"}),
        (SETTLED, {"Key": {"tenantId": {"S": "globex"}}}),
    ],
)  # fmt: skip
def test_an_update_that_names_any_other_attribute_is_refused(
    settle: Callable[..., Any], expression: str, options: dict[str, Any]
):
    with refused():
        settle(expression, **options)


def test_attributes_of_the_older_parameters_count_too(stocked: Sandbox, settler: str):
    dynamodb = session_of(stocked, settler, "dynamodb", "acme")
    changes = {"version": {"Action": "PUT", "Value": {"N": "1"}}}
    dynamodb.update_item(TableName=stocked.table, Key=OWN, AttributeUpdates=changes)
    with refused():
        tier = {"tier": {"Action": "PUT", "Value": {"S": "x"}}}
        dynamodb.update_item(TableName=stocked.table, Key=OWN, AttributeUpdates=changes | tier)
    with refused():
        expected = {"tier": {"Exists": True, "Value": {"S": "x"}}}
        dynamodb.update_item(TableName=stocked.table, Key=OWN, AttributeUpdates=changes, Expected=expected)


def test_a_read_names_what_it_selects_and_a_whole_item_is_refused(stocked: Sandbox, settler: str):
    dynamodb = session_of(stocked, settler, "dynamodb", "acme")
    dynamodb.get_item(TableName=stocked.table, Key=OWN, ProjectionExpression="tenantConfig.a, version")
    with refused():
        dynamodb.get_item(TableName=stocked.table, Key=OWN, ProjectionExpression="version, tier")
    with refused():
        dynamodb.get_item(TableName=stocked.table, Key=OWN)


def test_a_partiql_update_is_held_to_the_attributes_as_well(stocked: Sandbox, settler: str):
    dynamodb = session_of(stocked, settler, "dynamodb", "acme")
    table, own = f'UPDATE "{stocked.table}"', "WHERE tenantId = 'acme'"
    dynamodb.execute_statement(Statement=f"{table} SET version = 1 {own}")
    for statement in (
        f"{table} SET tier = 'x' {own}",
        f"{table} REMOVE quotas {own}",
        f"{table} SET version = quotas {own}",
        f"{table} SET version = version + quotas {own}",
        f"{table} SET version = 1 {own} AND size(quotas) > 1",
        f"{table} SET version = 1 {own} AND tier = 'x'",
        f"{table} SET version = 1 {own} RETURNING ALL NEW *",
    ):
        with refused():
            dynamodb.execute_statement(Statement=statement)


def test_each_member_of_a_transaction_is_judged_by_its_own_table_keys_and_attributes(stocked: Sandbox, settler: str):
    dynamodb = session_of(stocked, settler, "dynamodb", "acme")
    own_update = {"TableName": stocked.table, "Key": OWN, "UpdateExpression": "SET version = :n"}
    own_update |= {"ExpressionAttributeValues": {":n": {"N": "1"}}}

    def entry(name: str, **attributes: str) -> dict[str, Any]:
        item = {"owner": "acme", "entry": name, **attributes}
        return {"TableName": JOURNAL, "Item": {key: {"S": value} for key, value in item.items()}}

    def write(*members: dict[str, Any]) -> None:
        dynamodb.transact_write_items(TransactItems=[*members])

    absent = {"TableName": JOURNAL, "Key": {"owner": {"S": "acme"}, "entry": {"S": "9"}}}
    unseen = {**absent, "ConditionExpression": "attribute_not_exists(entry)"}
    write({"Update": own_update}, {"Put": entry("1", note="done")}, {"ConditionCheck": unseen})
    hidden = {**absent, "ConditionExpression": "attribute_not_exists(secret)"}
    for members in (
        ({"Update": {**own_update, "UpdateExpression": "SET version = :n, tier = :n"}}, {"Put": entry("2")}),
        ({"Update": {**own_update, "ConditionExpression": "attribute_exists(quotas)"}}, {"Put": entry("2")}),
        ({"Update": own_update}, {"Put": entry("2", version="1")}),
        ({"Update": own_update}, {"Put": entry("2", owner="globex")}),
        ({"Update": {**own_update, "Key": {"tenantId": {"S": "globex"}}}}, {"Put": entry("2")}),
        ({"Update": own_update}, {"ConditionCheck": hidden}),
        ({"Update": own_update}, {"Delete": absent}),
    ):
        with refused():
            write(*members)
    kept = stocked.client("dynamodb").scan(TableName=JOURNAL)["Items"]
    assert [item["entry"]["S"] for item in kept] == ["1"]
