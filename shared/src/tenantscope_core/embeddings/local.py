"""Embeddings by all-MiniLM-L6-v2 in this process."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from tenantscope_core.embeddings.batches import batches
from tenantscope_core.embeddings.embedder import Purpose
from tenantscope_core.embeddings.errors import EmbedderNotInstalled
from tenantscope_core.embeddings.minilm_files import INSTALL, WEIGHTS_SHA256
from tenantscope_core.embeddings.texts import require_texts
from tenantscope_core.stores.aws import AwsCaller

if TYPE_CHECKING:
    from tenantscope_core.embeddings.minilm import MiniLm

DIMENSIONS: Final = 384
TAG: Final = f"all-minilm-l6-v2.{WEIGHTS_SHA256[:8]}.fp32.mean.{DIMENSIONS}"
_TOKENISED_AT_ONCE = 512


class LocalEmbedder:
    """all-MiniLM-L6-v2 on ONNX Runtime, in float32; English, loaded at the first text.

    A text is read up to 256 tokens, about 190 English words: what lies beyond has no part in its vector. Queries and
    documents are embedded alike. One batch runs at a time, on a worker thread and `threads` cores, and those who wait
    take turns by batch; a cancelled caller leaves after the batch that is running, about 0.3 s at most.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._model: MiniLm | None = None
        self._turns = anyio.CapacityLimiter(1)

    @property
    def tag(self) -> str:
        """Names the weights by the beginning of their SHA-256."""
        return TAG

    @property
    def dimensions(self) -> int:
        """384."""
        return DIMENSIONS

    @property
    def asymmetric(self) -> bool:
        """No."""
        return False

    async def embed(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> list[list[float]]:
        """As every embedder; neither the session nor the purpose is used.

        Raises:
            InvalidArgument: A text is empty.
            EmbedderNotInstalled: The extra or the weights are not installed, or the weights are not those meant.
        """
        require_texts(texts)
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _TOKENISED_AT_ONCE):
            vectors += await self._embed_some(texts[start : start + _TOKENISED_AT_ONCE])
        return vectors

    async def _embed_some(self, texts: Sequence[str]) -> list[list[float]]:
        model = await self._loaded()
        ids = await anyio.to_thread.run_sync(model.tokenise, texts, limiter=self._turns)
        found: dict[int, list[float]] = {}
        for batch in batches([len(own) for own in ids]):
            vectors = await anyio.to_thread.run_sync(model.run, [ids[index] for index in batch], limiter=self._turns)
            found.update(zip(batch, vectors, strict=True))
        return [found[index] for index in range(len(texts))]

    async def _loaded(self) -> "MiniLm":
        return self._model or await anyio.to_thread.run_sync(self._load, limiter=self._turns)

    def _load(self) -> "MiniLm":
        if self._model is None:  # whoever had the turn before may have loaded it
            try:
                from tenantscope_core.embeddings.minilm import MiniLm
            except ImportError as error:
                raise EmbedderNotInstalled(
                    "The local embedding model is not installed on this server; its operator runs: " + INSTALL
                ) from error
            self._model = MiniLm(self._threads)
        return self._model
