"""One call of each tool that works: a tool that needs arguments states them here."""

from collections.abc import Mapping
from typing import Any

from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool import ShownTo, Tool

EXAMPLES: Mapping[str, Mapping[str, Any]] = {}
"""Arguments of the tools that cannot be called with none."""


def arguments_for(tool: Tool, audience: Audience) -> dict[str, Any]:
    """Arguments with which a tool answers a caller of an audience."""
    arguments = dict(EXAMPLES.get(tool.name, {}))
    if audience is Audience.PROVIDER and tool.names_tenant == "required":
        arguments["tenant_id"] = "acme"
    return arguments


def some_call(spec: ServerSpec[Any, Any]) -> str:
    """A tool that a tenant's caller may call with no arguments."""
    return next(tool.name for tool in spec.tools if tool.shown_to.value != "provider" and tool.name not in EXAMPLES)


def audiences(spec: ServerSpec[Any, Any], audience: Audience) -> list[Tool]:
    """The tools of a server that an audience may call."""
    return [tool for tool in spec.tools if tool.shown_to in (ShownTo.BOTH, audience.value)]
