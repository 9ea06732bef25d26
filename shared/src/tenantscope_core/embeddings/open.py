"""Opens the embedder that the settings name."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tenantscope_core.embeddings.embedder import Embedder

if TYPE_CHECKING:
    from tenantscope_core.serving.store_settings import EmbeddingSettings

_BEDROCK = "bedrock:"


@asynccontextmanager
async def open_embedder(settings: "EmbeddingSettings") -> AsyncGenerator[Embedder]:
    """The embedder for a block; what is heavy is loaded at its first `embed`.

    Where the server has a Valkey, wrap it, so that no text of a tenant is embedded twice:

        async with open_embedder(settings) as plain, ValkeyStore(url) as valkey:
            embedder = CachedEmbedder(plain, valkey, expire_seconds=86_400)
    """
    if settings.embedder.startswith(_BEDROCK):
        from tenantscope_core.embeddings.bedrock import BedrockEmbedder

        yield BedrockEmbedder(settings.embedder.removeprefix(_BEDROCK), dimensions=settings.embedding_dimensions)
    else:
        from tenantscope_core.embeddings.local import LocalEmbedder

        yield LocalEmbedder(threads=settings.embedding_threads)
