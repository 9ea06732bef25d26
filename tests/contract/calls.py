"""One call of each tool that works: a tool that needs arguments states them here, and where its handles come from."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool import ShownTo, Tool

EXAMPLES: Mapping[str, Mapping[str, Any]] = {}
"""Arguments of the tools that cannot be called with none. Those in `HANDLES` may be left out."""


@dataclass(frozen=True)
class Handle:
    """Where a handle comes from: a tool of the same server that answers with it, called with its own example.

    `at` is its path in that answer, such as `entry_id` or `records.0.record_id`; `given` changes the example.
    """

    maker: str
    at: str
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])


HANDLES: Mapping[str, Mapping[str, Handle]] = {
    "list_tenants": {"cursor": Handle("list_tenants", "next_cursor", {"limit": 2})},
}
"""By tool and parameter: what stands for something that was given to one caller, and opens nothing for another."""

PLAIN: Mapping[str, Mapping[str, str]] = {}
"""By tool and parameter: what is named like a handle and is none, and why."""

Ask = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Calls a tool by name as one caller; gives the structured answer of a call that worked."""


def arguments_for(tool: Tool, audience: Audience) -> dict[str, Any]:
    """Arguments that pass a tool's own checks for a caller of an audience; its handles stand for nothing real."""
    required = tool.listed(audience).input_schema.get("required", [])
    handles = {name: "no-such-handle" for name in HANDLES.get(tool.name, {}) if name in required}
    arguments = {**handles, **EXAMPLES.get(tool.name, {})}
    if audience is Audience.PROVIDER and tool.names_tenant == "required":
        arguments["tenant_id"] = "acme"
    return arguments


async def working_arguments(spec: ServerSpec[Any, Any], tool: Tool, audience: Audience, ask: Ask) -> dict[str, Any]:
    """Arguments with which a tool answers a caller of an audience, the handles that it needs made by that caller."""
    arguments = arguments_for(tool, audience)
    for name, handle in HANDLES.get(tool.name, {}).items():
        if name in arguments:
            arguments[name] = await made(spec, handle, audience, ask)
    return arguments


async def made(spec: ServerSpec[Any, Any], handle: Handle, audience: Audience, ask: Ask) -> Any:
    """A handle, made by the caller."""
    (maker,) = [tool for tool in spec.tools if tool.name == handle.maker]
    given = await working_arguments(spec, maker, audience, ask)
    return found(await ask(maker.name, {**given, **handle.given}), handle.at)


def found(answer: Any, path: str) -> Any:
    """What stands at a path in an answer: names of fields and positions in lists, joined by dots."""
    for step in path.split("."):
        answer = answer[int(step) if isinstance(answer, list) else step]
    return answer


def some_call(spec: ServerSpec[Any, Any]) -> str:
    """A tool that a tenant's caller may call with no arguments; every server has one."""
    for tool in audiences(spec, Audience.TENANT):
        if not tool.listed(Audience.TENANT).input_schema.get("required") and tool.name not in EXAMPLES:
            return tool.name
    raise LookupError(f"{spec.name} has no tool that a tenant can call without arguments")


def audiences(spec: ServerSpec[Any, Any], audience: Audience) -> list[Tool]:
    """The tools of a server that an audience may call."""
    return [tool for tool in spec.tools if tool.shown_to in (ShownTo.BOTH, audience.value)]
