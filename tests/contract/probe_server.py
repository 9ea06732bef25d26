"""A server whose tools wait, fail and boast on demand, built as every other is, on another server's policy."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict, Field
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import DataFault
from tenantscope_core.serving.settings import CoreSettings
from tenantscope_core.serving.spec import Runtime, ServerSpec
from tenantscope_core.tool import READ, Call, ShownTo, Tool, tool

ARN = "arn:aws:iam::111122223333:role/secret-role"
SQL = "SELECT secret FROM tenants"

SourcesT = TypeVar("SourcesT")


class Waits:
    """What a test sees of the one call that waits."""

    def __init__(self) -> None:
        self.started = anyio.Event()
        self.released = anyio.Event()
        self.cancelled = anyio.Event()


class Answer(BaseModel):
    """Some text."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str = Field(description="Text.")


@tool(shown_to=ShownTo.BOTH, scopes=set(), effects=READ)
async def wait_for_release(
    call: Call[Waits], steps: Annotated[int, Field(ge=0, le=100, description="Steps to report.")] = 0
) -> Answer:
    """Report some steps, then wait until the test lets go."""
    for step in range(1, steps + 1):
        await call.report_progress(step, steps, f"step {step}")
    call.sources.started.set()
    try:
        await call.sources.released.wait()
    except BaseException:
        call.sources.cancelled.set()
        raise
    return Answer(text="released")


@tool(shown_to=ShownTo.BOTH, scopes=set(), effects=READ)
async def fail(
    call: Call[Waits],
    how: Annotated[Literal["bug", "group", "aws", "damage", "wordy"], Field(description="In which way.")],
) -> Answer:
    """Fail in a way that is asked for."""
    match how:
        case "bug":
            raise RuntimeError(f"{SQL} as {ARN}")
        case "group":
            async with anyio.create_task_group() as group:
                group.start_soon(_fail, ARN)
        case "aws":
            raise AwsError("ValidationException", "query")
        case "damage":
            raise DataFault("The usage of 2026-09 is damaged.")
        case "wordy":
            return Answer(text="x" * 30_000)
    return Answer(text="never")


async def _fail(words: str) -> None:
    raise KeyError(words)


def probe_server(waits: Waits) -> ServerSpec[CoreSettings, Waits]:
    """The server, over waits that the test holds."""
    return server_of("Waits and fails.", (wait_for_release, fail), waits)


def server_of(instructions: str, tools: Sequence[Tool], sources: SourcesT) -> ServerSpec[CoreSettings, SourcesT]:
    """A server of some tools over some sources, on the policy of one that stands."""

    @asynccontextmanager
    async def open_sources(_: Runtime[Any]) -> AsyncGenerator[SourcesT]:
        yield sources

    return ServerSpec(
        name="tenant-management",
        version="0.0.1",
        title="Probe",
        instructions=instructions,
        package="tenantscope_memory",
        tools=tools,
        settings=CoreSettings,
        open_sources=open_sources,
    )
