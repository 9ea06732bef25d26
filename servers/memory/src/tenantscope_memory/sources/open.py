"""What the tools read from and write to, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.embeddings import CachedEmbedder, open_embedder
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.valkey import ValkeyStore

from tenantscope_memory.settings import Settings
from tenantscope_memory.sources.conversations import Conversations
from tenantscope_memory.sources.embedding import Embedding
from tenantscope_memory.sources.hot_tail import HotTails
from tenantscope_memory.sources.records import Records
from tenantscope_memory.sources.search import Search

_EMBEDDINGS_KEPT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Short-term and long-term memory, what embeds, and whether a caller is held to its own."""

    conversations: Conversations
    records: Records
    search: Search
    embedding: Embedding
    pinned: bool


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; PostgreSQL may be down meanwhile."""
    settings = runtime.settings
    async with AsyncExitStack() as stack:
        valkey = None
        if settings.valkey_url is not None:
            valkey = await stack.enter_async_context(ValkeyStore(settings.valkey_url.get_secret_value()))
        postgres = await stack.enter_async_context(
            PostgresStore(
                settings.postgres_dsn.get_secret_value(),
                schema=settings.postgres_schema,
                limits=PostgresLimits(connections=settings.postgres_connections),
            )
        )
        plain = await stack.enter_async_context(open_embedder(settings))
        cached = CachedEmbedder(plain, valkey, expire_seconds=_EMBEDDINGS_KEPT_SECONDS)
        yield Sources(
            conversations=Conversations(postgres, HotTails(valkey), text_config=settings.memory_language),
            records=Records(postgres, text_config=settings.memory_language),
            search=Search(postgres, text_config=settings.memory_language),
            embedding=Embedding(cached, wait_seconds=settings.memory_embed_seconds),
            pinned=settings.memory_actor_from == "subject",
        )
