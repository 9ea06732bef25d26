"""A migrated PostgreSQL, a Valkey and the real embedding model, behind the server's own sources."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from fixtures.stores import (
    Database,
    RunningPart,
)
from fixtures.stores import (
    database as database,
)
from fixtures.stores import (
    postgres_part as postgres_part,
)
from fixtures.stores import (
    stores_state as stores_state,
)
from fixtures.stores import (
    superuser as superuser,
)
from fixtures.stores import (
    valkey_part as valkey_part,
)
from memory.asking import SCHEMA, Agent, Places, process
from tenantscope_core.embeddings.local import LocalEmbedder
from tenantscope_core.stores.migrations import migrate, read_migrations
from tenantscope_sandbox.parts import valkey
from tenantscope_sandbox.state import REPOSITORY

MIGRATIONS = REPOSITORY / "servers/memory/src/tenantscope_memory/migrations"


@pytest.fixture(scope="session")
def embedder() -> LocalEmbedder:
    return LocalEmbedder()


@pytest.fixture
async def places(
    database: Database, valkey_part: RunningPart, embedder: LocalEmbedder, superuser: psycopg.Connection
) -> Places:
    """The stores, the tables empty."""
    await migrate(database.owner, read_migrations(MIGRATIONS), schema=SCHEMA, login="tenantscope_app")
    superuser.execute(f"TRUNCATE {SCHEMA}.session, {SCHEMA}.record CASCADE")
    return Places(database.application, valkey.url(valkey_part.state, valkey_part.port), embedder)


@pytest.fixture
async def agent(places: Places) -> AsyncIterator[Agent]:
    """An agent of one process."""
    async with process(places) as sources:
        yield Agent(sources)
