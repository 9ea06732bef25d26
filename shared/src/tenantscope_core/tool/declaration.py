"""The one way a tool is written: `@tool(...)` around an async function whose first parameter is the call."""

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Concatenate, Literal, ParamSpec, cast, get_type_hints

from mcp import types
from pydantic import BaseModel

from tenantscope_core.identity.caller import Audience, Caller, is_tenant_id
from tenantscope_core.results.errors import InsufficientScope, InvalidArgument, NotPermitted
from tenantscope_core.tool.arguments import arguments_model, flat_schema, validated
from tenantscope_core.tool.call import Call
from tenantscope_core.tool.effects import Effects

P = ParamSpec("P")

MAX_NAME_CHARS = 30  # hosts prefix names, and model providers cap the sum at 64
TENANT_PARAMETER = "tenant_id"
_NAME = re.compile(r"[a-z][a-z_]*")
_TENANT_SCHEMA = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
    "description": "The tenant to ask about.",
}


class ShownTo(StrEnum):
    """Whom a tool is for."""

    BOTH = "both"
    TENANT = "tenant"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Tool:
    """A declared tool: its function with everything that hosts are told and callers are held to."""

    name: str
    title: str
    description: str
    shown_to: ShownTo
    scopes: frozenset[str]
    effects: Effects
    names_tenant: Literal["no", "optional", "required"]
    arguments: type[BaseModel]
    output: type[BaseModel]
    function: Callable[..., Awaitable[BaseModel]]

    def required_scopes(self, provider_scope: str) -> frozenset[str]:
        """Every scope that a caller needs, the provider's own included for a provider's tool."""
        of_the_provider = {provider_scope} if self.shown_to is ShownTo.PROVIDER else set[str]()
        return self.scopes | of_the_provider

    def is_for(self, caller: Caller) -> bool:
        """Whether the caller is shown this tool."""
        return self.shown_to in (ShownTo.BOTH, caller.audience.value) and self.scopes <= caller.scopes

    def authorise(self, caller: Caller, *, provider_scope: str = "provider") -> None:
        """Let the caller pass, or refuse.

        Raises:
            InsufficientScope: A scope is short; all that are needed are listed.
            NotPermitted: The tool is for tenants and the caller is the provider.
        """
        if self.shown_to is ShownTo.TENANT and caller.is_provider:
            raise NotPermitted("This tool answers a tenant's own callers only; the provider cannot use it.")
        needed = self.required_scopes(provider_scope)
        wrong_audience = self.shown_to is ShownTo.PROVIDER and not caller.is_provider
        if wrong_audience or not self.scopes <= caller.scopes:
            listed = sorted(needed)
            raise InsufficientScope(
                f"This tool needs a token with the scopes {', '.join(listed)}; this token has not all of them.", listed
            )

    def tenant_of(self, caller: Caller, arguments: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Whose data the call is about, and the arguments that are left for the tool.

        Raises:
            InvalidArgument: A tenant's caller names a tenant, even its own; or the provider names none where one is
                needed, or something that is no tenant id.
        """
        rest = dict(arguments)
        if not caller.is_provider:
            if TENANT_PARAMETER in rest:
                raise InvalidArgument(
                    "tenant_id is not an argument for a tenant: the tenant comes from the token. Leave it out.",
                    parameter=TENANT_PARAMETER,
                )
            return caller.tenant, rest
        if self.names_tenant == "no":
            return None, rest
        named = rest.pop(TENANT_PARAMETER, None)
        if named is None and self.names_tenant == "optional":
            return None, rest
        if named is None:
            raise InvalidArgument("tenant_id is required; list_tenants gives the ids.", parameter=TENANT_PARAMETER)
        if not is_tenant_id(named):
            raise InvalidArgument(
                "tenant_id must be a tenant id as list_tenants gives it: 1 to 63 letters, digits, '_' or '-'.",
                parameter=TENANT_PARAMETER,
            )
        return cast(str, named), rest

    def bound(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them.

        Raises:
            InvalidArgument: One is unknown, missing or wrong.
        """
        return validated(self.arguments, arguments)

    @functools.cache  # noqa: B019  (tools live as long as the process, and schemas take long to make)
    def listed(self, audience: Audience) -> types.Tool:
        """The tool as `tools/list` shows it to an audience; only the provider is shown a tenant parameter."""
        schema = flat_schema(self.arguments)
        schema.setdefault("properties", {})
        if audience is Audience.PROVIDER and self.names_tenant != "no":
            words = "" if self.names_tenant == "required" else " Leave out for the whole fleet."
            tenant = {**_TENANT_SCHEMA, "description": _TENANT_SCHEMA["description"] + words}
            schema["properties"] = {TENANT_PARAMETER: tenant, **schema["properties"]}
            if self.names_tenant == "required":
                schema["required"] = [TENANT_PARAMETER, *schema.get("required", [])]
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=schema,
            output_schema=flat_schema(self.output),
            annotations=self.effects.annotations(self.title),
        )


def tool(
    *,
    shown_to: ShownTo,
    scopes: frozenset[str] | set[str],
    effects: Effects,
    names_tenant: Literal["no", "optional", "required"] = "no",
    title: str | None = None,
) -> Callable[[Callable[Concatenate[Call[Any], P], Awaitable[BaseModel]]], Tool]:
    """Declare a tool. Name, description, arguments and output come from the function itself.

    Args:
        shown_to: Tenants, the provider, or both.
        scopes: What the caller's token must hold, beside the provider's scope for a provider's tool.
        effects: What the call does to the world; there is no default.
        names_tenant: Whether the provider may or must name one tenant in `tenant_id`. The function never sees it as an
            argument: `call.tenant` is validated, and `call.aws` is already that tenant's.
        title: For people; made from the name when left out.

    Raises:
        TypeError: The function lacks a docstring, annotations, a described parameter or a model as its return type,
            or its name is not one that every host can show.
    """

    def declare(function: Callable[Concatenate[Call[Any], P], Awaitable[BaseModel]]) -> Tool:
        name = function.__name__
        if _NAME.fullmatch(name) is None or len(name) > MAX_NAME_CHARS:
            raise TypeError(f"{name}: a tool's name is at most {MAX_NAME_CHARS} of [a-z_]")
        description = inspect.getdoc(function)
        output = get_type_hints(function).get("return")
        if not description or not (isinstance(output, type) and issubclass(output, BaseModel)):
            raise TypeError(f"{name}: a tool needs a docstring and a model as its return type")
        arguments = arguments_model(function)
        for parameter, field in arguments.model_fields.items():
            if not field.description or parameter == TENANT_PARAMETER:
                raise TypeError(f"{name}: {parameter} needs a Field(description=...) and may not be the tenant")
        return Tool(
            name=name,
            title=title or name.replace("_", " ").capitalize(),
            description=description,
            shown_to=shown_to,
            scopes=frozenset(scopes),
            effects=effects,
            names_tenant=names_tenant,
            arguments=arguments,
            output=output,
            function=function,
        )

    return declare
