"""What the tools read from and write to, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.open_stores import open_stores
from tenantscope_core.serving.spec import Runtime

from tenantscope_memory.settings import Settings
from tenantscope_memory.sources.conversations import Conversations
from tenantscope_memory.sources.embedding import Embedding
from tenantscope_memory.sources.hot_tail import HotTails
from tenantscope_memory.sources.records import Records
from tenantscope_memory.sources.search import Search


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
    async with open_stores(settings) as stores:
        yield Sources(
            conversations=Conversations(stores.postgres, HotTails(stores.valkey), text_config=settings.memory_language),
            records=Records(stores.postgres, text_config=settings.memory_language),
            search=Search(stores.postgres, text_config=settings.memory_language),
            embedding=Embedding(stores.embedder, wait_seconds=settings.memory_embed_seconds),
            pinned=settings.memory_actor_from == "subject",
        )
