"""Reading JSON schemas: what is named in them, what takes text, and what they refer to in its place."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from tenantscope_core.identity.caller import Audience
from tenantscope_core.tool import Tool


def input_of(tool: Tool, audience: Audience) -> dict[str, Any]:
    """A tool's arguments as an audience is shown them, with what the schema refers to in its place."""
    schema = tool.listed(audience).input_schema
    return resolved(schema, schema.get("$defs", {}))


def output_of(tool: Tool) -> dict[str, Any]:
    """A tool's answer as it is declared, with what the schema refers to in its place."""
    schema = tool.listed(Audience.TENANT).output_schema
    assert schema is not None
    return resolved(schema, schema.get("$defs", {}))


def resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema with what it refers to in its place; none of ours refers to itself."""
    if isinstance(schema, list):
        return [resolved(item, definitions) for item in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    node = cast(dict[str, Any], schema)
    if "$ref" in node:
        beside = {name: value for name, value in node.items() if name != "$ref"}
        return {**resolved(definitions[node["$ref"].rpartition("/")[2]], definitions), **beside}
    return {name: resolved(value, definitions) for name, value in node.items() if name != "$defs"}


def inside(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema within a schema with its path, itself first; `0` is any item of a list, `*` any value of a map."""
    yield path, schema
    for name, inner in cast(Mapping[str, Any], schema.get("properties", {})).items():
        yield from inside(inner, f"{path}.{name}".lstrip("."))
    for keyword, step in (("items", "0"), ("additionalProperties", "*")):
        if isinstance(schema.get(keyword), Mapping):
            yield from inside(schema[keyword], f"{path}.{step}".lstrip("."))
    for option in cast(list[Mapping[str, Any]], [*schema.get("anyOf", []), *schema.get("oneOf", [])]):
        yield from inside(option, path)


def names(schema: Mapping[str, Any]) -> set[str]:
    """Every property name in a schema, however deep."""
    return {name for _, inner in inside(schema) for name in inner.get("properties", {})}


def texts(schema: Mapping[str, Any]) -> set[str]:
    """The path of everything in a schema that takes text of any form, however deep."""
    return {
        path for path, inner in inside(schema)
        if inner.get("type") == "string" and "enum" not in inner and "const" not in inner
    }  # fmt: skip
