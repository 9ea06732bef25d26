"""A migrated PostgreSQL, a Valkey and the real embedding model, behind the server's own sources."""

import asyncio
from collections.abc import AsyncIterator, Iterator

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
from semantic_cache.asking import SCHEMA, TABLES, Parts, wide_limits
from tenantscope_core.embeddings.local import LocalEmbedder
from tenantscope_core.stores.migrations import migrate, read_migrations
from tenantscope_core.stores.postgres import PostgresStore
from tenantscope_core.stores.valkey import ValkeyStore
from tenantscope_sandbox.parts import valkey
from tenantscope_sandbox.state import REPOSITORY

MIGRATIONS = REPOSITORY / "servers/semantic-cache/src/tenantscope_semantic_cache/migrations"


@pytest.fixture(scope="session")
def embedder() -> LocalEmbedder:
    return LocalEmbedder()


@pytest.fixture(scope="session")
def migrated(database: Database) -> Database:
    asyncio.run(migrate(database.owner, read_migrations(MIGRATIONS), schema=SCHEMA, login="tenantscope_app"))
    return database


@pytest.fixture
async def parts(
    migrated: Database, valkey_part: RunningPart, embedder: LocalEmbedder, superuser: psycopg.Connection
) -> AsyncIterator[Parts]:
    """Both stores, empty."""
    for table in TABLES:
        superuser.execute(f"DELETE FROM {SCHEMA}.{table}")
    admin = valkey.url(valkey_part.state, valkey_part.port, "admin")
    async with (
        PostgresStore(migrated.application, schema=SCHEMA, limits=wide_limits()) as postgres,
        ValkeyStore(valkey.url(valkey_part.state, valkey_part.port)) as store,
    ):
        made = Parts(postgres, store, embedder, admin)
        made.flush()
        yield made


@pytest.fixture
def mended(postgres_part: RunningPart, valkey_part: RunningPart) -> Iterator[None]:
    """Brings back what a test killed."""
    yield
    for part in (postgres_part, valkey_part):
        part.kill()
        part.start()
