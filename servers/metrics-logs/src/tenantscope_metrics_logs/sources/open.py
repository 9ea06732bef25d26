"""What the tools read from and write to, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.spec import Runtime

from tenantscope_metrics_logs.settings import Settings


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources."""


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    yield Sources()
