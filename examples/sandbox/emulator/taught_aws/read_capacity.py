"""Read capacity as DynamoDB counts it: by the bytes read, 4 KB to a unit, half of it where eventually consistent.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any

from .documents import as_list, as_object

UNIT_BYTES = 4096


def units(size_bytes: int) -> int:
    """Return how many units of 4 KB were read; a read that finds nothing counts one."""
    return max(1, -(-size_bytes // UNIT_BYTES))


def _multiply(capacity: dict[str, Any], factor: int) -> None:
    for key, value in capacity.items():
        if isinstance(value, dict):
            _multiply(as_object(value), factor)
        elif key == "CapacityUnits":
            capacity[key] = value * factor


def teach() -> None:
    """Let every read tell what it consumed, and large index partitions be read in reasonable time."""
    dynamodb: Any = import_module("ministack.services.dynamodb")
    _teach_queries(dynamodb)
    _teach_batches(dynamodb)
    _remember_parsed(dynamodb)


def _teach_queries(dynamodb: Any) -> None:
    untaught_page, untaught_add = dynamodb._paginate_evaluated_items, dynamodb._add_consumed_capacity
    page_bytes = 0

    def page(items: Any, limit: Any, table: Any, index_name: Any = None) -> Any:
        nonlocal page_bytes
        evaluated, more = untaught_page(items, limit, table, index_name)
        page_bytes = 0
        for item in evaluated:
            entry = dynamodb._apply_index_projection(item, table, index_name) if index_name else item
            page_bytes += dynamodb._item_size_bytes(entry)
        return evaluated, more

    def add(result: Any, data: Any, table_name: str, write: bool = False, **rest: Any) -> None:
        untaught_add(result, data, table_name, write=write, **rest)
        if not write and "ConsumedCapacity" in result:
            read = _size(dynamodb, table_name, data["Key"]) if "Key" in data else page_bytes
            _multiply(result["ConsumedCapacity"], units(read))

    dynamodb._paginate_evaluated_items = page
    dynamodb._add_consumed_capacity = add


def _size(dynamodb: Any, table_name: str, key: Any) -> int:
    table = dynamodb._tables.get(dynamodb._normalize_table_name(table_name))
    item = dynamodb._get_item_by_key(table, key) if table else None
    return dynamodb._item_size_bytes(item) if item else 0


def _teach_batches(dynamodb: Any) -> None:
    untaught_batch, untaught_transaction = dynamodb._batch_get_item, dynamodb._transact_get_items

    def told(answer: Any, data: Any, reads: Iterable[tuple[str, Any, float]]) -> Any:
        """The answer, with what each table's items consumed; each item is rounded up by itself."""
        level = data.get("ReturnConsumedCapacity", "NONE")
        if answer[0] != 200 or level == "NONE":
            return answer
        consumed: dict[str, float] = {}
        for table_name, key, rate in reads:
            consumed[table_name] = consumed.get(table_name, 0) + rate * units(_size(dynamodb, table_name, key))
        capacity: list[dict[str, Any]] = []
        for name, count in consumed.items():
            by_table = {"Table": {"CapacityUnits": count}} if level == "INDEXES" else {}
            capacity.append({"TableName": name, "CapacityUnits": count, **by_table})
        return dynamodb.json_response(json.loads(answer[2]) | {"ConsumedCapacity": capacity})

    def batch(data: Any) -> Any:
        reads: list[tuple[str, Any, float]] = []
        for name, asked in as_object(data.get("RequestItems")).items():
            rate = 1.0 if as_object(asked).get("ConsistentRead") else 0.5
            reads += [(name, key, rate) for key in as_list(as_object(asked).get("Keys"))]
        return told(untaught_batch(data), data, reads)

    def transaction(data: Any) -> Any:
        gets = [as_object(as_object(member).get("Get")) for member in as_list(data.get("TransactItems"))]
        return told(
            untaught_transaction(data), data, [(str(get.get("TableName")), get.get("Key"), 2.0) for get in gets]
        )

    dynamodb._batch_get_item = batch
    dynamodb._transact_get_items = transaction


def _remember_parsed(dynamodb: Any) -> None:
    """An expression is the same for all items of a query: parse it once, not for each."""
    untaught = lru_cache(1024)(dynamodb._tokenize)

    def tokenize(expression: str) -> list[Any]:
        return list(untaught(expression))

    dynamodb._tokenize = tokenize
    dynamodb._condition_syntax_error = lru_cache(1024)(dynamodb._condition_syntax_error)
