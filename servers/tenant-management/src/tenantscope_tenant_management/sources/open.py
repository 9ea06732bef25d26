"""What the tools read from and write to, opened once for the life of the server."""

import random
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.spec import Runtime
from tenantscope_core.tool import Tool

from tenantscope_tenant_management.events import Plane
from tenantscope_tenant_management.isolation import Broker
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.cognito_directory import CognitoDirectory
from tenantscope_tenant_management.sources.directory import Directory
from tenantscope_tenant_management.sources.event_bus import EventBus
from tenantscope_tenant_management.sources.external_directory import ExternalDirectory
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.recording import Recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable
from tenantscope_tenant_management.sources.turns import Turns
from tenantscope_tenant_management.sources.user_changes import UserChanges


@dataclass(frozen=True, slots=True)
class Sources:
    """The registry and its journal, the tenants' users, and what `whoami` says of this server."""

    registry: RegistryTable
    journal: Journal
    bus: EventBus
    recorder: Recorder
    directory: Directory
    turns: Turns
    user_changes: UserChanges
    broker: Broker
    tools: Sequence[Tool]


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    settings = runtime.settings
    registry, journal = RegistryTable(settings.tenants_table), Journal(settings.journal_table)
    planes = {Plane.CONTROL: settings.control_plane_source, Plane.APPLICATION: settings.application_plane_source}
    bus = EventBus(journal, bus=settings.event_bus, sources=planes)
    recorder = Recorder(registry, journal, bus, new_salt=_random_text, jitter=random.random)
    directory = directory_of(settings)
    turns = Turns(journal, lease_seconds=settings.workflow_lease_seconds, new_holder=_random_text, jitter=random.random)
    yield Sources(
        registry=registry,
        journal=journal,
        bus=bus,
        recorder=recorder,
        directory=directory,
        turns=turns,
        user_changes=UserChanges(registry, recorder, directory, turns),
        broker=settings.broker,
        tools=runtime.tools,
    )


def directory_of(settings: Settings) -> Directory:
    """Where the settings say that tenants' users are."""
    if settings.user_pool_id is None:
        return ExternalDirectory()
    staff = [settings.provider_group] if settings.provider_group else []
    return CognitoDirectory(settings.user_pool_id, staff=staff)


def _random_text() -> str:
    return secrets.token_hex(16)
