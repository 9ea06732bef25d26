"""What every part of the session has: a client of a server as a host starts it, and words for the screen."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent
from prepare import BINARIES, say
from tenantscope_sandbox import Sandbox

MONTH = "2026-10"
CENT = Decimal("0.01")
_MOST_SHOWN = 80


class Difference(Exception):
    """The session's answer is not what it should be."""


def ask(who: str, question: str) -> None:
    """Print who asks what."""
    say(f"\n{who}: {question}")


@asynccontextmanager
async def connected(sandbox: Sandbox, server: str, tenant: str | None, **settings: str) -> AsyncGenerator[Client]:
    """A client of a server that runs with a token of a tenant, or of the provider when none is named."""
    environment = sandbox.server_env(server, tenant, tier="growth" if tenant else None, provider=tenant is None)
    async with started(server, environment | settings) as client:
        yield client


@asynccontextmanager
async def started(server: str, environment: Mapping[str, str]) -> AsyncGenerator[Client]:
    """A client of a server that runs with these settings."""
    command = StdioServerParameters(
        command=str(BINARIES / f"tenantscope-{server}"), env={**environment, "TENANTSCOPE_LOG_LEVEL": "ERROR"}
    )
    async with Client(command) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool, after showing the call."""
    begun = time.perf_counter()
    result = await client.call_tool(tool, arguments, progress_callback=_progress)
    shown = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
    say(f"  → {tool}({shown})  {(time.perf_counter() - begun) * 1000:.0f} ms")
    if result.is_error or result.structured_content is None:
        raise Difference(f"{tool} failed: {text_of(result)}")
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """What a model reads of a call that must be refused."""
    result = await client.call_tool(tool, arguments)
    require(bool(result.is_error), f"{tool} was answered, and should have been refused")
    return text_of(result)


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    if message:
        say(f"    {progress:>2g}/{total or 0:g}  {message}")


def _short(value: Any) -> str:
    """A value as it is shown; what nobody reads, such as a confirmation, is cut."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 2]}…'"


def text_of(result: CallToolResult) -> str:
    """What a model reads of a result."""
    return " ".join(block.text for block in result.content if isinstance(block, TextContent))


def require(same: bool, what: str) -> None:
    """Go on if it is so.

    Raises:
        Difference: It is not.
    """
    if not same:
        raise Difference(what)


def cents(value: str) -> Decimal:
    """An amount of the truth, in cents."""
    return Decimal(value).quantize(CENT)
