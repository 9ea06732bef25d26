"""Opens what servers on PostgreSQL work with: the tables, Valkey where there is one, and what embeds."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.embeddings import CachedEmbedder, open_embedder
from tenantscope_core.serving.store_settings import VectorSettings
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.valkey import ValkeyStore

_VECTORS_KEPT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class OpenStores:
    """The stores of one server."""

    postgres: PostgresStore
    valkey: ValkeyStore | None
    embedder: CachedEmbedder


@asynccontextmanager
async def open_stores(settings: VectorSettings, *, wait_seconds: float = 3.0) -> AsyncGenerator[OpenStores]:
    """Open them for a block; they may be down meanwhile. `wait_seconds` is the longest wait for a connection."""
    limits = PostgresLimits(
        connections=settings.postgres_connections, connect_seconds=max(2.0, wait_seconds), wait_seconds=wait_seconds
    )
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(
            PostgresStore(settings.postgres_dsn.get_secret_value(), schema=settings.postgres_schema, limits=limits)
        )
        valkey = None
        if settings.valkey_url is not None:
            valkey = await stack.enter_async_context(ValkeyStore(settings.valkey_url.get_secret_value()))
        plain = await stack.enter_async_context(open_embedder(settings))
        yield OpenStores(postgres, valkey, CachedEmbedder(plain, valkey, expire_seconds=_VECTORS_KEPT_SECONDS))
