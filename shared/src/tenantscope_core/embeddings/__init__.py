"""Embeddings: on Bedrock or by a local model, behind one interface, and a cache of them."""

from tenantscope_core.embeddings.cached import CachedEmbedder
from tenantscope_core.embeddings.embedder import Embedder, Purpose
from tenantscope_core.embeddings.open import open_embedder

__all__ = ["CachedEmbedder", "Embedder", "Purpose", "open_embedder"]
