"""The protocol's side of a server: lists tools to the caller that asks, and sends calls down their path."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from tenantscope_core.identity.caller import Audience
from tenantscope_core.identity.refusal import Reason, TokenRefused
from tenantscope_core.identity.verifier import Identity
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool.outcome import as_failure
from tenantscope_core.tool.path import ToolPath

IDENTITY = "tenantscope.identity"  # where the HTTP gate leaves a verified identity, in the request's ASGI scope

Identify = Callable[[], Awaitable[Identity]]
Path = ToolPath[Any]
Context = ServerRequestContext[Path, Request]


def protocol_server(
    spec: ServerSpec[Any, Any],
    open_path: Callable[[], AbstractAsyncContextManager[Path]],
    identify_process: Identify,
    *,
    open_discovery: bool,
) -> Server[Path]:
    """The MCP server of a spec. `identify_process` says who calls where there is no HTTP request: on stdio."""

    def identify(context: Context) -> Identify:
        request = context.request
        if request is None:
            return identify_process

        async def from_request() -> Identity:
            identity = request.scope.get(IDENTITY)
            if not isinstance(identity, Identity):
                raise TokenRefused(Reason.MISSING, "There is no token; a call needs a bearer token.")
            return identity

        return from_request

    async def list_tools(context: Context, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        if open_discovery:
            return types.ListToolsResult(tools=[tool.listed(Audience.TENANT) for tool in spec.tools])
        try:
            tools = await context.lifespan_context.offered(await identify(context)())
        except Exception as error:
            failure = as_failure(error, server=spec.name, tool="tools/list")
            raise MCPError(types.INVALID_REQUEST, f"{failure.code}: {failure.sentence}", failure.as_fields()) from None
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        return await context.lifespan_context.call(
            params.name,
            params.arguments or {},
            identify=identify(context),
            report_progress=context.session.report_progress,
        )

    @asynccontextmanager
    async def lifespan(_: Server[Path]) -> AsyncGenerator[Path]:
        async with open_path() as path:
            yield path

    return Server(
        spec.name,
        title=spec.title,
        version=spec.version,
        instructions=spec.instructions,
        lifespan=lifespan,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
