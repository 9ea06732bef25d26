"""`dynamodb:LeadingKeys`, and PartiQL authorised statement by statement as AWS does.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

PARTIQL = {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}
ITEM_MEMBERS = ("Put", "Update", "Delete", "Get", "ConditionCheck")


def hash_key(table_name: str, index_name: str | None = None) -> str | None:
    """Name the hash key of a table, or of one of its indexes, as the table itself declares it."""
    tables: Any = import_module("ministack.services.dynamodb")._tables
    table = tables.get(table_name.rsplit("table/", 1)[-1].split("/")[0])
    if table is None:
        return None
    schema = table["KeySchema"]
    if index_name:
        indexes = [*(table.get("GlobalSecondaryIndexes") or []), *(table.get("LocalSecondaryIndexes") or [])]
        schema = next((index["KeySchema"] for index in indexes if index["IndexName"] == index_name), [])
    return next((key["AttributeName"] for key in schema if key["KeyType"] == "HASH"), None)


def _text(value: dict[str, Any]) -> str:
    return str(next(iter(value.values())))


def _of_item(table: str, item: dict[str, Any]) -> Iterator[str]:
    name = hash_key(table)
    if name and name in item:
        yield _text(item[name])


def _of_query(request: dict[str, Any]) -> Iterator[str]:
    name = hash_key(request["TableName"], request.get("IndexName"))
    if name is None:
        return
    legacy = (request.get("KeyConditions") or {}).get(name)
    if legacy:
        yield from map(_text, legacy.get("AttributeValueList") or [])
    aliases: dict[str, str] = request.get("ExpressionAttributeNames") or {}
    placeholders = [alias for alias, attribute in aliases.items() if attribute == name]
    spelled = "|".join(re.escape(spelling) for spelling in [name, *placeholders])
    expression = request.get("KeyConditionExpression") or ""
    value = r"(:[A-Za-z0-9_]+)"
    equality = rf"(?<![\w#:.-])(?:{spelled})\s*=\s*{value}|{value}\s*=\s*(?:{spelled})(?![\w.-])"
    for match in re.finditer(equality, expression):
        bound = (request.get("ExpressionAttributeValues") or {}).get(match[1] or match[2])
        if bound:
            yield _text(bound)


def _statements(request: dict[str, Any]) -> list[dict[str, Any]]:
    nested = request.get("Statements") or request.get("TransactStatements")
    return nested if isinstance(nested, list) else [request] if request.get("Statement") else []


def _parsed(statement: dict[str, Any]) -> dict[str, Any] | None:
    dynamodb: Any = import_module("ministack.services.dynamodb")
    try:
        parsed = dynamodb._parse_partiql(statement.get("Statement", ""), statement.get("Parameters", []))
    except ValueError:
        return None
    return parsed["select"] if parsed["op"] == "EXISTS" else parsed


def _of_statement(parsed: dict[str, Any]) -> Iterator[str]:
    if parsed["op"] == "INSERT":
        item = parsed.get("item") or {}
        yield from _of_item(parsed["table"], item.get("M", item) if set(item) == {"M"} else item)
        return
    name = hash_key(parsed["table"], parsed.get("index"))
    for attribute, operator, value in parsed.get("conditions") or []:
        if attribute == name and operator == "=":
            yield _text(value)
        elif attribute == name and operator == "IN":
            yield from map(_text, value)


def leading_keys(request: dict[str, Any]) -> list[str]:
    """Return the hash key values that a request names; empty when it names none, as a Scan does."""
    found: set[str] = set()
    if table := request.get("TableName"):
        found.update(_of_item(table, request.get("Key") or request.get("Item") or {}))
        found.update(_of_query(request))
    for table, entry in (request.get("RequestItems") or {}).items():
        writes = [] if isinstance(entry, dict) else entry
        keys: list[dict[str, Any]] = list(entry.get("Keys", [])) if isinstance(entry, dict) else []
        keys += [write.get("PutRequest", {}).get("Item") or write["DeleteRequest"]["Key"] for write in writes]
        for item in keys:
            found.update(_of_item(table, item))
    for action in request.get("TransactItems") or []:
        for member in (action[name] for name in ITEM_MEMBERS if name in action):
            found.update(_of_item(member["TableName"], member.get("Key") or member.get("Item") or {}))
    for parsed in filter(None, map(_parsed, _statements(request))):
        found.update(_of_statement(parsed))
    return sorted(found)


def partiql_checks(request: dict[str, Any], table_arn: Any) -> list[tuple[str, str]]:
    """Return the IAM action and resource of each statement; one that cannot be read needs what nobody has."""
    checks: list[tuple[str, str]] = []
    for statement in _statements(request):
        parsed = _parsed(statement)
        if parsed is None:
            checks.append(("dynamodb:UnreadablePartiQL", "*"))
            continue
        index = f"/index/{parsed['index']}" if parsed.get("index") else ""
        checks.append((f"dynamodb:PartiQL{parsed['op'].capitalize()}", table_arn(parsed["table"]) + index))
    return checks


def _object(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def teach() -> None:
    """Give every DynamoDB request its leading keys, and every PartiQL statement its own check."""
    actions: Any = import_module("ministack.core.iam_actions")
    untaught_context, untaught_checks = actions.dynamodb_service_context, actions.dynamodb_transaction_checks

    def service_context(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = untaught_context(body)
        try:
            keys = leading_keys(_object(body))
        except (AttributeError, KeyError, StopIteration, TypeError):
            keys = []  # malformed: the handler refuses it, and no key means no permission
        return {**context, "dynamodb:LeadingKeys": keys} if keys else context

    def checks(iam_action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
        if iam_action.removeprefix("dynamodb:") not in PARTIQL:
            return untaught_checks(iam_action, body, region, account)
        return partiql_checks(_object(body), lambda name: actions._dynamodb_table_arn(name, region, account))

    actions.dynamodb_service_context = service_context
    actions.dynamodb_transaction_checks = checks
