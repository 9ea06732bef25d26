"""What the tools read from, opened once for the life of the server."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.spec import Runtime
from tenantscope_core.tool import Tool

from tenantscope_tenant_management.isolation import Broker
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.registry_table import RegistryTable


@dataclass(frozen=True, slots=True)
class Sources:
    """The registry, and what `whoami` says of this server."""

    registry: RegistryTable
    broker: Broker
    tools: Sequence[Tool]


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    settings = runtime.settings
    yield Sources(
        registry=RegistryTable(settings.tenants_table),
        broker=settings.broker,
        tools=runtime.tools,
    )
