"""What the tools read from and write to, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.embeddings import CachedEmbedder, open_embedder
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.resting import Resting
from tenantscope_core.stores.valkey import ValkeyStore

from tenantscope_semantic_cache.settings import Settings
from tenantscope_semantic_cache.sources.cache import Cache
from tenantscope_semantic_cache.sources.counting import Counting
from tenantscope_semantic_cache.sources.exact import ExactTier
from tenantscope_semantic_cache.sources.reading import Reading
from tenantscope_semantic_cache.sources.writing import Writing

VECTORS_KEPT_SECONDS = 86_400.0
WAIT_SECONDS = 1.0
"""For a connection: a cache that makes its caller wait longer saves nothing."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The cache, what is counted of it, and what calls are held to."""

    cache: Cache
    counting: Counting
    threshold: float
    ttl_seconds: int


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing heavy is loaded before the first call."""
    settings = runtime.settings
    limits = PostgresLimits(
        connections=settings.postgres_connections, connect_seconds=WAIT_SECONDS * 2, wait_seconds=WAIT_SECONDS
    )
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(
            PostgresStore(settings.postgres_dsn.get_secret_value(), schema=settings.postgres_schema, limits=limits)
        )
        valkey: ValkeyStore | None = None
        if settings.valkey_url is not None:
            valkey = await stack.enter_async_context(ValkeyStore(settings.valkey_url.get_secret_value()))
        plain = await stack.enter_async_context(open_embedder(settings))
        counting = Counting(postgres, clock=runtime.clock)
        await stack.enter_async_context(counting.written_behind())
        cache = Cache(
            ExactTier(valkey, Resting()),
            Reading(postgres),
            Writing(postgres, most=settings.entries_per_tenant),
            CachedEmbedder(plain, valkey, expire_seconds=VECTORS_KEPT_SECONDS),
            copy_seconds=settings.copy_seconds,
        )
        yield Sources(cache, counting, settings.similarity_threshold, settings.answer_ttl_seconds)
