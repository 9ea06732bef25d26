"""PartiQL statements of a DynamoDB request, as the emulator itself reads them."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from .documents import as_list, as_object

OPERATIONS = {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}


def statements(request: dict[str, Any]) -> list[Any]:
    """Return the statements of a request, each with its parameters; empty when it has none."""
    nested = as_list(request.get("Statements") or request.get("TransactStatements"))
    return nested or ([request] if request.get("Statement") else [])


def parsed_statement(statement: Any) -> dict[str, Any] | None:
    """Return what a statement does, None when it cannot be read; of EXISTS, the SELECT within."""
    dynamodb: Any = import_module("ministack.services.dynamodb")
    try:
        parsed = dynamodb._parse_partiql(statement.get("Statement", ""), statement.get("Parameters", []))
    except ValueError:
        return None
    return parsed["select"] if parsed["op"] == "EXISTS" else parsed


def statement_attributes(parsed: dict[str, Any]) -> Iterator[str]:
    """Name the top-level attributes that a statement reads, compares or writes; `*` names none."""
    item = as_object(parsed.get("item"))
    yield from as_object(item["M"] if set(item) == {"M"} else item)
    for text in as_list(parsed.get("projections")):
        yield str(text).split(".")[0].split("[")[0]
    for path, value in as_list(parsed.get("assignments")):
        yield str(path[0])
        yield from _paths(value)
    for path in as_list(parsed.get("removes")):
        yield str(path[0])
    yield from _paths(parsed.get("where"))


def _paths(node: Any) -> Iterator[str]:
    parts = cast("list[Any]", node) if isinstance(node, tuple | list) else []
    if len(parts) > 1 and parts[0] == "path":
        yield str(parts[1][0])
        return
    for part in parts:
        yield from _paths(part)


def return_values(parsed: dict[str, Any]) -> str:
    """Return what `RETURNING` asks for, spelt as `dynamodb:ReturnValues`; NONE without it."""
    return str(parsed.get("returning") or "NONE").upper().strip(" *").replace(" ", "_").replace("MODIFIED", "UPDATED")
