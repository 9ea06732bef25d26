"""One call of each tool that works: a tool that needs arguments states them here, and where its handles come from."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool import ShownTo, Tool

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "lookup_answer": {"prompt": "What is the refund window for annual plans?"},
    "store_answer": {"prompt": "What is the refund window for annual plans?", "answer": "Thirty days."},
    "add_events": {
        "session": "trip-7",
        "events": [
            {"role": "user", "text": "We never fly with Blue Falcon Air again, whatever it costs.", "key": "1"},
            {"role": "assistant", "text": "Understood: I leave their flights out from now on.", "key": "2"},
        ],
    },
    "get_conversation": {"session": "trip-7"},
    "remember": {"text": "Avoids Blue Falcon Air.", "kind": "preference", "subject": "airline to avoid"},
    "create_tenant": {"tenant_id": "newcomer", "name": "Newcomer", "tier": "growth"},
    "update_tenant": {"version": 0, "tags": {"owner": "acme", "seen": "yes"}},
    "update_tenant_config": {"version": 0, "patch": {"theme": "dark"}},
    "set_tenant_status": {"action": "offboard", "dry_run": True},
    "manage_tenant_user": {"action": "change_role", "user_id": "no-such-user", "role": "member"},
}
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
    "list_audit_events": {"cursor": Handle("list_audit_events", "next_cursor", {"limit": 1})},
    "list_tenant_users": {"cursor": Handle("list_tenant_users", "next_cursor", {"limit": 2})},
    "manage_tenant_user": {"user_id": Handle("list_tenant_users", "users.0.user_id", {"role": "member"})},
    "list_tenant_resources": {"cursor": Handle("list_tenant_resources", "next_cursor", {"limit": 2})},
    "rank_tenants_by_cost": {"cursor": Handle("rank_tenants_by_cost", "next_cursor", {"limit": 2})},
    "get_margins": {"cursor": Handle("get_margins", "next_cursor", {"limit": 2})},
    "list_tenant_activity": {"cursor": Handle("list_tenant_activity", "next_cursor", {"limit": 2})},
    "get_conversation": {
        "cursor": Handle("get_conversation", "next_cursor", {"part": "whole", "max_tokens": 60}),
        "session": Handle("add_events", "session"),
    },
}
"""By tool and parameter: what stands for something that was given to one caller, and opens nothing for another.

A parameter within another is written as its path there, such as `events.0.parent_id`.
"""

MADE: Mapping[str, Mapping[str, Handle]] = {
    "update_tenant": {"version": Handle("get_tenant", "version")},
    "update_tenant_config": {"version": Handle("get_tenant", "version")},
}
"""By tool and parameter: what another tool tells, and is no secret of anybody's."""

_OWN_NAME = "a name that the caller gives in its own memory; the same name is another's in another's"
PLAIN: Mapping[str, Mapping[str, str]] = {
    "add_events": {"session": _OWN_NAME, "branch": _OWN_NAME, "events.0.key": _OWN_NAME},
    "get_conversation": {"branch": _OWN_NAME},
    "remember": {"key": _OWN_NAME},
    "create_tenant": {"request_key": "a name that the provider gives to one request about the tenant that it names"},
}
"""By tool and parameter: what is named like a handle and is none, with the reason."""

PREPARED: Mapping[str, str] = {"get_conversation": "add_events", "list_audit_events": "update_tenant_config"}
"""By tool: another of its server, whose example gives its own something to tell."""

Ask = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Calls a tool by name as one caller; gives the structured answer of a call that worked."""


def arguments_for(tool: Tool, audience: Audience) -> dict[str, Any]:
    """Arguments that pass a tool's own checks for a caller of an audience; its handles stand for nothing real."""
    required = tool.listed(audience).input_schema.get("required", [])
    handles = {name: "no-such-handle" for name in HANDLES.get(tool.name, {}) if name in required}
    arguments = {**handles, **EXAMPLES.get(tool.name, {})}
    if audience is Audience.PROVIDER and tool.names_tenant == "required":
        arguments.setdefault("tenant_id", "acme")
    return arguments


async def working_arguments(spec: ServerSpec[Any, Any], tool: Tool, audience: Audience, ask: Ask) -> dict[str, Any]:
    """Arguments with which a tool answers a caller of an audience, the handles that it needs made by that caller."""
    arguments = arguments_for(tool, audience)
    for before in [one for one in spec.tools if one.name == PREPARED.get(tool.name)]:
        await ask(before.name, await working_arguments(spec, before, audience, ask))
    for path, handle in HANDLES.get(tool.name, {}).items():
        if path.partition(".")[0] in arguments:
            arguments = put(arguments, path, await made(spec, handle, audience, ask))
    for name, handle in MADE.get(tool.name, {}).items():
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


def put(arguments: Any, path: str, value: Any) -> Any:
    """Arguments with another value at a path; nothing given is changed."""
    step, _, rest = path.partition(".")
    if isinstance(arguments, list):
        items = list(cast(list[Any], arguments))
        items[int(step)] = put(items[int(step)], rest, value) if rest else value
        return items
    return {**arguments, step: put(arguments[step], rest, value) if rest else value}


def some_call(spec: ServerSpec[Any, Any]) -> str:
    """A tool that a tenant's caller may call with no arguments; every server has one."""
    for tool in audiences(spec, Audience.TENANT):
        if not tool.listed(Audience.TENANT).input_schema.get("required") and tool.name not in EXAMPLES:
            return tool.name
    raise LookupError(f"{spec.name} has no tool that a tenant can call without arguments")


def audiences(spec: ServerSpec[Any, Any], audience: Audience) -> list[Tool]:
    """The tools of a server that an audience may call."""
    return [tool for tool in spec.tools if tool.shown_to in (ShownTo.BOTH, audience.value)]
