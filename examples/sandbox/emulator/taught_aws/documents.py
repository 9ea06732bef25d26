"""JSON of unknown shape, taken for what it should be or for nothing."""

import json
from typing import Any, cast


def as_object(value: Any) -> dict[str, Any]:
    """Return an object, empty if it is not one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list; a lone value is a list of one, as in IAM policies, and nothing is an empty list."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    return [] if value is None else [value]


def parsed_object(text: bytes | str) -> dict[str, Any]:
    """Return the object that a text holds, empty if it holds none."""
    try:
        return as_object(json.loads(text or "{}"))
    except ValueError:
        return {}
