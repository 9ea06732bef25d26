"""What the tools read from and write to, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.open_stores import open_stores
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.stores.resting import Resting

from tenantscope_semantic_cache.settings import Settings
from tenantscope_semantic_cache.sources.cache import Cache
from tenantscope_semantic_cache.sources.counting import Counting
from tenantscope_semantic_cache.sources.exact import ExactTier
from tenantscope_semantic_cache.sources.reading import Reading
from tenantscope_semantic_cache.sources.writing import Writing

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
    async with open_stores(settings, wait_seconds=WAIT_SECONDS) as stores:
        counting = Counting(stores.postgres, clock=runtime.clock)
        async with counting.written_behind():
            cache = Cache(
                ExactTier(stores.valkey, Resting()),
                Reading(stores.postgres),
                Writing(stores.postgres, most=settings.entries_per_tenant),
                stores.embedder,
                copy_seconds=settings.copy_seconds,
            )
            yield Sources(cache, counting, settings.similarity_threshold, settings.answer_ttl_seconds)
