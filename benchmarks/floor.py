"""The floor: a bare server on the same SDK with boto3 at hand, no identity, no limits, one tool that answers at once.

`floor.py` serves stdio, `floor.py PORT` serves HTTP in the form in which our servers do.
"""

import json
import sys
from typing import Any

import anyio
import boto3  # noqa: F401 # pyright: ignore[reportUnusedImport] # what every server on AWS loads
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

# What our `whoami` answers, so that both write as many bytes.
ANSWER: dict[str, Any] = {
    "audience": "tenant",
    "tenant_id": "crowd-000",
    "tier": "growth",
    "subject": "user@crowd-000",
    "acting_agents": [],
    "scopes": ["tenants:read"],
    "token_expires": "2026-11-21T12:00:00Z",
    "expires_in_seconds": 43_199,
    "tools": ["whoami", "get_tenant"],
    "isolation": ["x" * 160] * 7,
}
TOOL = types.Tool(name="whoami", description="Who the caller is.", input_schema={"type": "object", "properties": {}})


async def list_tools(_: ServerRequestContext[Any, Any], __: Any) -> types.ListToolsResult:
    """The one tool."""
    return types.ListToolsResult(tools=[TOOL])


async def call_tool(_: ServerRequestContext[Any, Any], __: types.CallToolRequestParams) -> types.CallToolResult:
    """Its answer."""
    text = json.dumps(ANSWER, separators=(",", ":"))
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=ANSWER)


SERVER = Server[Any]("floor", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_stdio() -> None:
    """One host over stdin and stdout."""
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (received, sent):
        await SERVER.run(received, sent, SERVER.create_initialization_options())


def serve_http(port: int) -> None:
    """Stateless streamable HTTP on the loopback."""
    import uvicorn

    app = SERVER.streamable_http_app(streamable_http_path="/mcp", stateless_http=True, json_response=False)
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_http(int(sys.argv[1]))
    else:
        anyio.run(serve_stdio)
