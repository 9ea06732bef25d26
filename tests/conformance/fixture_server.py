"""The server that the official suite asks for by the names of its tools, on the same core as every other."""

import anyio
from contract.probe_server import server_of
from pydantic import BaseModel, ConfigDict, Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.serving.settings import CoreSettings
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool import READ, Call, ShownTo, tool


class Text(BaseModel):
    """Some text."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str = Field(description="Text.")


@tool(shown_to=ShownTo.BOTH, scopes={"suite:read"}, effects=READ)
async def test_simple_text(call: Call[None]) -> Text:
    """Answer with a text."""
    return Text(text="This is a simple text response for testing.")


@tool(shown_to=ShownTo.BOTH, scopes={"suite:read"}, effects=READ)
async def test_error_handling(call: Call[None]) -> Text:
    """Fail as every tool fails."""
    raise InvalidArgument("This tool intentionally returns an error for testing.")


@tool(shown_to=ShownTo.BOTH, scopes={"suite:read"}, effects=READ)
async def test_tool_with_progress(call: Call[None]) -> Text:
    """Report progress, then answer."""
    for done in (0, 50, 100):
        await call.report_progress(done, 100, None)
        await anyio.lowlevel.checkpoint()
    return Text(text="done")


def fixture_server() -> ServerSpec[CoreSettings, None]:
    """The server."""
    tools = (test_simple_text, test_error_handling, test_tool_with_progress)
    return server_of("Answers what the official conformance suite asks.", tools, None)
