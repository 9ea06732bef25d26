"""A tool's arguments: a closed model made from its signature, a flat schema, and refusals that name the way out."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from tenantscope_core.results.errors import InvalidArgument

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a decimal number",
    "bool": "true or false",
    "string": "text",
    "date": "a date, YYYY-MM-DD",
    "datetime": "a time with its offset, e.g. 2026-09-01T12:00:00Z",
    "list": "a list",
    "dict": "an object",
}


def arguments_model(function: Callable[..., Awaitable[object]]) -> type[BaseModel]:
    """The model of a tool's arguments: every parameter of `function` after the first, which is the call itself.

    Raises:
        TypeError: A parameter has no annotation, or is positional-only or variadic.
    """
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD or parameter.name not in hints:
            raise TypeError(f"{function.__name__}: {parameter.name} must be a plain, annotated parameter")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return create_model(f"{function.__name__}_arguments", __config__=ConfigDict(extra="forbid", frozen=True), **fields)


def validated(model: type[BaseModel], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the tool takes them.

    Raises:
        InvalidArgument: The first of them that is wrong, with what would be right. Never quotes the value.
    """
    unknown = next((name for name in arguments if name not in model.model_fields), None)
    if unknown is not None:
        raise _unknown(unknown, model)
    try:
        accepted = model.model_validate(dict(arguments))
    except ValidationError as error:
        raise _as_failure(error.errors(include_url=False, include_input=False)[0]) from None
    return {name: getattr(accepted, name) for name in model.model_fields}


def _unknown(name: str, model: type[BaseModel]) -> InvalidArgument:
    parameter = name if _NAME.fullmatch(name) else None
    asked = f"named {name!r} here" if parameter else "of that name here"
    known = ", ".join(model.model_fields) or "none"
    return InvalidArgument(f"There is no argument {asked}; this tool's arguments are: {known}.", parameter=parameter)


def _as_failure(detail: ErrorDetails) -> InvalidArgument:
    name, *inner = detail["loc"]
    place = "".join(_step(part) for part in inner)
    return InvalidArgument(f"{name}{place} {_demand(detail)}.", parameter=str(name))


def _step(part: int | str) -> str:
    """A place within an argument; a name that the caller made up is not repeated."""
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if _NAME.fullmatch(part) else ".?"


def _demand(detail: ErrorDetails) -> str:
    """What the argument must be, from the kind of error and the limits that we declared ourselves."""
    kind, limits = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind in ("literal_error", "enum"):
        return f"must be one of {limits['expected']}"
    if kind in _BOUNDS:
        limit, words = _BOUNDS[kind]
        return f"must be {words} {limits[limit]}"
    if kind in ("string_too_long", "too_long"):
        return f"must have at most {limits['max_length']} characters or items"
    if kind in ("string_too_short", "too_short") and limits["min_length"] == 1:
        return "may not be empty"
    if kind in ("string_too_short", "too_short"):
        return f"must have at least {limits['min_length']} characters or items"
    if kind == "string_pattern_mismatch":
        return f"must match {limits['pattern']}"
    return f"must be {_KINDS.get(kind.split('_')[0], 'of the form that its description gives')}"


def flat_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model without what costs the model's attention: generated titles and unions with null."""
    return cast(dict[str, Any], _flattened(model.model_json_schema(by_alias=True)))


def _flattened(node: object, *, names_fields: bool = False) -> object:
    if isinstance(node, list):
        return [_flattened(item) for item in cast(list[object], node)]
    if not isinstance(node, dict):
        return node
    schema = dict(cast(dict[str, object], node))
    if names_fields:  # a mapping from field names, where "title" would be a field
        return {name: _flattened(value) for name, value in schema.items()}
    schema.pop("title", None)
    options = [
        option for option in cast(list[dict[str, object]], schema.get("anyOf", [])) if option != {"type": "null"}
    ]
    if len(options) == 1:
        schema.pop("anyOf")
        schema = {**options[0], **schema}
        schema.pop("title", None)
    if schema.get("default", ...) is None:
        schema.pop("default")
    return {
        key: value
        if key in ("enum", "const", "default", "required")
        else _flattened(value, names_fields=key in ("properties", "$defs"))
        for key, value in schema.items()
    }
