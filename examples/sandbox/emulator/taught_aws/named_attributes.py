"""`dynamodb:Attributes`: the top-level attributes that a request names, whether to read, to compare or to write.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .documents import as_list, as_object
from .partiql import parsed_statement, statement_attributes, statements

EXPRESSIONS = (
    "ConditionExpression", "FilterExpression", "KeyConditionExpression", "ProjectionExpression", "UpdateExpression",
)  # fmt: skip
BY_NAME = ("Key", "Item", "AttributeUpdates", "Expected", "KeyConditions", "QueryFilter", "ScanFilter")
OPERATORS = {"AND", "OR", "NOT", "BETWEEN", "IN"}
CLAUSES = {"SET", "REMOVE", "ADD", "DELETE"}


def _in_expression(expression: str, aliases: dict[str, Any], keywords: set[str]) -> Iterator[str]:
    """The first segment of each path, read by the tokenizer that the emulator evaluates with."""
    tokens = import_module("ministack.services.dynamodb")._tokenize(expression)
    before = ""
    for (kind, text), (after, _) in zip(tokens, [*tokens[1:], ("EOF", "")], strict=True):
        if before != "DOT":
            if kind == "NAME_REF":
                yield str(aliases.get(text, text))
            elif kind == "IDENT" and text.upper() not in keywords and after != "LPAREN":  # before ( stands a function
                yield text
        before = kind


def _of_one(request: dict[str, Any]) -> Iterator[str]:
    for member in BY_NAME:
        yield from as_object(request.get(member))
    for key in as_list(request.get("Keys")):
        yield from as_object(key)
    yield from map(str, as_list(request.get("AttributesToGet")))
    aliases = as_object(request.get("ExpressionAttributeNames"))
    for name in EXPRESSIONS:
        keywords = OPERATORS | CLAUSES if name == "UpdateExpression" else OPERATORS
        yield from _in_expression(str(request.get(name) or ""), aliases, keywords)


def named_attributes(request: dict[str, Any]) -> list[str]:
    """Return the attributes that a request names, of all its items; a read of whole items names its keys alone."""
    found = set(_of_one(request))
    for entry in as_object(request.get("RequestItems")).values():
        if isinstance(entry, list):
            for write in as_list(entry):
                found.update(as_object(as_object(write.get("PutRequest")).get("Item")))
                found.update(as_object(as_object(write.get("DeleteRequest")).get("Key")))
        else:
            found.update(_of_one(as_object(entry)))
    for parsed in filter(None, map(parsed_statement, statements(request))):
        found.update(statement_attributes(parsed))
    return sorted(found)
