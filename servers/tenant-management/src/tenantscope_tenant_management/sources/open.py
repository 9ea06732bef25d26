"""What the tools read from and write to, opened once for the life of the server."""

import json
import random
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tenantscope_core.serving.settings import PREFIX, WrongSettings
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.tool import Tool

from tenantscope_tenant_management.events import Plane
from tenantscope_tenant_management.isolation import Broker
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.audit_trail import Trail
from tenantscope_tenant_management.sources.event_bus import EventBus
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.quota_use import QuotaUse
from tenantscope_tenant_management.sources.recording import Recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.tier_table import TierTable


@dataclass(frozen=True, slots=True)
class Sources:
    """The registry and its journal, what hangs on them, and what `whoami` says of this server."""

    registry: RegistryTable
    journal: Journal
    recorder: Recorder
    tenants: Tenants
    tiers: TierTable
    trail: Trail
    use: QuotaUse
    config_schema: Mapping[str, Any] | None
    broker: Broker
    tools: Sequence[Tool]


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call.

    Raises:
        WrongSettings: The schema for tenants' settings cannot be used.
    """
    settings = runtime.settings
    registry, journal = RegistryTable(settings.tenants_table), Journal(settings.journal_table)
    recorder = open_recorder(settings, registry, journal)
    yield Sources(
        registry=registry,
        journal=journal,
        recorder=recorder,
        tenants=Tenants(registry, journal, recorder),
        tiers=TierTable(journal),
        trail=Trail(journal),
        use=QuotaUse(),
        config_schema=None if settings.config_schema is None else read_schema(settings.config_schema),
        broker=settings.broker,
        tools=runtime.tools,
    )


def open_recorder(settings: Settings, registry: RegistryTable, journal: Journal) -> Recorder:
    """What writes to both tables."""
    named = {Plane.CONTROL: settings.control_plane_source, Plane.APPLICATION: settings.application_plane_source}
    bus = EventBus(journal, bus=settings.event_bus, sources=named)
    return Recorder(registry, journal, bus, new_salt=lambda: secrets.token_hex(16), jitter=random.random)


def read_schema(path: Path) -> Mapping[str, Any]:
    """The JSON Schema in a file.

    Raises:
        WrongSettings: There is none.
    """
    import jsonschema

    library: Any = jsonschema
    try:
        schema: object = json.loads(path.read_text(encoding="utf-8"))
        library.Draft202012Validator.check_schema(schema)
    except (OSError, ValueError, library.SchemaError):
        raise WrongSettings([f"{PREFIX}CONFIG_SCHEMA must be a file with a JSON Schema"]) from None
    return cast(Mapping[str, Any], schema)
