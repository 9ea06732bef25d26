"""Both ways into a server, so that one test holds both to the same refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fixtures.serving import Served
from mcp import Client
from mcp.types import CallToolResult


class Door(Protocol):
    """A way in, for a caller with a token."""

    async def call(self, token: str | None, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """The result of a call that gets as far as the tool's own path."""
        ...


@dataclass(frozen=True)
class HttpDoor:
    """Streamable HTTP, one client a call."""

    served: Served

    async def call(self, token: str | None, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call with the token in the header."""
        async with self.served.client(token, mode="legacy") as client:
            return await client.call_tool(tool, dict(arguments))


@dataclass(frozen=True)
class StdioDoor:
    """One process on stdio whose token file is rewritten for each call."""

    client: Client
    token_file: Path
    log: Path

    async def call(self, token: str | None, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call with the token in the file; None takes the file away."""
        self.give(token)
        return await self.client.call_tool(tool, dict(arguments))

    def give(self, token: str | None) -> None:
        """Put a token in place, whole."""
        if token is None:
            self.token_file.unlink(missing_ok=True)
            return
        beside = self.token_file.with_suffix(".new")
        beside.write_text(token, encoding="utf-8")
        beside.replace(self.token_file)
