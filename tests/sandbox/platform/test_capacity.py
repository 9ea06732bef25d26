"""Capacity units tell what a read costs: by the bytes that it reads, not by the size of the table."""

from typing import Any

import pytest
from tenantscope_sandbox import Sandbox

TABLE, INDEX = "measured", "byKind"
PAD = 1000
"""Bytes of an item's text, so that four items and their names fill a little more than one unit of 4 KB."""


@pytest.fixture(scope="module")
def dynamodb(stocked: Sandbox) -> Any:
    """A client, and a table with twelve small items, of which six are in a sparse index, and one of 9 KB."""
    client = stocked.client("dynamodb")
    client.create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind", "name")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": name, "Projection": {"ProjectionType": projection},
                "KeySchema": [
                    {"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "name", "KeyType": "RANGE"},
                ],
            }
            for name, projection in ((INDEX, "ALL"), (f"{INDEX}Keys", "KEYS_ONLY"))
        ],
    )  # fmt: skip
    for number in range(12):
        item = {"id": {"S": f"i{number}"}, "padding": {"S": "x" * PAD}, "name": {"S": f"n{number:02d}"}}
        client.put_item(TableName=TABLE, Item=item | ({"kind": {"S": "even"}} if number % 2 == 0 else {}))
    client.put_item(TableName=TABLE, Item={"id": {"S": "large"}, "padding": {"S": "x" * 9000}})
    return client


def units(answer: dict[str, Any]) -> float:
    return answer["ConsumedCapacity"]["CapacityUnits"]


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


@pytest.mark.parametrize(
    ("name", "consistent", "expected"),
    [("i0", False, 0.5), ("i0", True, 1.0), ("large", False, 1.5), ("large", True, 3.0), ("absent", False, 0.5)],
)
def test_an_item_costs_its_size_in_units_of_4_kb(dynamodb: Any, name: str, consistent: bool, expected: float):
    asked = {"ConsistentRead": consistent, "ReturnConsumedCapacity": "TOTAL"}
    assert units(dynamodb.get_item(TableName=TABLE, Key=key(name), **asked)) == expected
    projected = dynamodb.get_item(TableName=TABLE, Key=key(name), ProjectionExpression="id", **asked)
    assert units(projected) == expected


def of_index(dynamodb: Any, index: str = INDEX, condition: str = "kind = :k", **options: Any) -> dict[str, Any]:
    values = {":k": {"S": "even"}} | ({":p": {"S": "n0"}} if ":p" in condition else {})
    given = {"TableName": TABLE, "IndexName": index, "KeyConditionExpression": condition}
    given |= {"ExpressionAttributeValues": values, "ReturnConsumedCapacity": "INDEXES"}
    names = {"ExpressionAttributeNames": {"#n": "name"}} if "#n" in condition else {}
    return dynamodb.query(**given, **names, **options)


def test_a_query_of_a_sparse_index_costs_what_it_reads_there(dynamodb: Any):
    found = of_index(dynamodb)
    assert (found["Count"], units(found)) == (6, 1.0)
    assert found["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {INDEX: {"CapacityUnits": 1.0}}
    assert found["ConsumedCapacity"]["Table"] == {"CapacityUnits": 0.0}
    assert units(of_index(dynamodb, Limit=2)) == 0.5
    assert units(of_index(dynamodb, index=f"{INDEX}Keys")) == 0.5
    by_prefix = of_index(dynamodb, condition="kind = :k AND begins_with(#n, :p)")
    assert [item["name"]["S"] for item in by_prefix["Items"]] == ["n00", "n02", "n04", "n06", "n08"]
    assert units(by_prefix) == 1.0


def test_what_a_filter_leaves_out_was_read_all_the_same(dynamodb: Any):
    found = of_index(dynamodb, FilterExpression="attribute_not_exists(padding)")
    assert (found["Count"], found["ScannedCount"], units(found)) == (0, 6, 1.0)


def test_each_item_of_a_batch_or_transaction_is_rounded_up_by_itself(dynamodb: Any):
    keys = {TABLE: {"Keys": [key("i0"), key("large"), key("absent")]}}
    (found,) = dynamodb.batch_get_item(RequestItems=keys, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert found == {"TableName": TABLE, "CapacityUnits": 2.5}
    gets = [{"Get": {"TableName": TABLE, "Key": key(name)}} for name in ("i0", "large")]
    (found,) = dynamodb.transact_get_items(TransactItems=gets, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert found["CapacityUnits"] == 8.0


def test_nothing_is_told_of_capacity_to_whom_does_not_ask(dynamodb: Any):
    assert "ConsumedCapacity" not in dynamodb.get_item(TableName=TABLE, Key=key("i0"))
    assert "ConsumedCapacity" not in dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": [key("i0")]}})
