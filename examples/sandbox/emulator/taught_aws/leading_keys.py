"""`dynamodb:LeadingKeys`: the hash key values that a request names.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .documents import as_list, as_object
from .partiql import parsed_statement, statements

MEMBERS = {
    "ConditionCheck": "ConditionCheckItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem",
    "Get": "GetItem",
}  # fmt: skip
"""What the parts of a transaction are called in a request, and the IAM action of each."""


def hash_key(table_name: str, index_name: str | None = None) -> str | None:
    """Name the hash key of a table, or of one of its indexes, as the table itself declares it."""
    tables: Any = import_module("ministack.services.dynamodb")._tables
    table = as_object(tables.get(str(table_name).rsplit("table/", 1)[-1].split("/")[0]))
    schema = as_list(table.get("KeySchema"))
    if index_name:
        indexes = as_list(table.get("GlobalSecondaryIndexes")) + as_list(table.get("LocalSecondaryIndexes"))
        schema = as_list(next((index["KeySchema"] for index in indexes if index["IndexName"] == index_name), None))
    return next((str(key["AttributeName"]) for key in schema if key["KeyType"] == "HASH"), None)


def _text(value: Any) -> str:
    return str(next(iter(value.values())))


def _of_item(table: str, item: Any) -> Iterator[str]:
    name = hash_key(table)
    if name and name in as_object(item):
        yield _text(item[name])


def _of_query(request: dict[str, Any]) -> Iterator[str]:
    name = hash_key(request["TableName"], request.get("IndexName"))
    if name is None:
        return
    legacy = as_object(as_object(request.get("KeyConditions")).get(name))
    yield from map(_text, as_list(legacy.get("AttributeValueList")))
    aliases = as_object(request.get("ExpressionAttributeNames"))
    spellings = [name, *(alias for alias, attribute in aliases.items() if attribute == name)]
    spelled, value = "|".join(map(re.escape, spellings)), r"(:[A-Za-z0-9_]+)"
    equality = rf"(?<![\w#:.-])(?:{spelled})\s*=\s*{value}|{value}\s*=\s*(?:{spelled})(?![\w.-])"
    values = as_object(request.get("ExpressionAttributeValues"))
    for match in re.finditer(equality, str(request.get("KeyConditionExpression") or "")):
        bound = values.get(match[1] or match[2])
        if bound:
            yield _text(bound)


def _of_statement(parsed: dict[str, Any]) -> Iterator[str]:
    if parsed["op"] == "INSERT":
        item = as_object(parsed.get("item"))
        yield from _of_item(parsed["table"], item["M"] if set(item) == {"M"} else item)
        return
    name = hash_key(parsed["table"], parsed.get("index"))
    for attribute, operator, value in as_list(parsed.get("conditions")):
        if attribute == name and operator == "=":
            yield _text(value)
        elif attribute == name and operator == "IN":
            yield from map(_text, value)


def leading_keys(request: dict[str, Any]) -> list[str]:
    """Return the hash key values that a request names; empty when it names none, as a Scan does."""
    found: set[str] = set()
    if table := request.get("TableName"):
        found.update(_of_item(table, request.get("Key") or request.get("Item")))
        found.update(_of_query(request))
    for table, entry in as_object(request.get("RequestItems")).items():
        if isinstance(entry, list):
            writes = (write.get("PutRequest") or write["DeleteRequest"] for write in as_list(entry))
            keys = [write.get("Item") or write["Key"] for write in writes]
        else:
            keys = as_list(as_object(entry).get("Keys"))
        for item in keys:
            found.update(_of_item(table, item))
    for action in as_list(request.get("TransactItems")):
        for member in (action[name] for name in MEMBERS if name in action):
            found.update(_of_item(member["TableName"], member.get("Key") or member.get("Item")))
    for parsed in filter(None, map(parsed_statement, statements(request))):
        found.update(_of_statement(parsed))
    return sorted(found)
