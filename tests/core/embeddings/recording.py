"""The local model under a name of one's own, with a record of what it was asked."""

import asyncio
from collections.abc import Sequence

from tenantscope_core.embeddings.embedder import Embedder, Purpose
from tenantscope_core.stores.aws import AwsCaller


class Recording:
    """Passes on to another embedder what it is asked, once `go` is set; `failure` is raised in its place."""

    def __init__(self, embedder: Embedder, *, tag: str = "model-a", asymmetric: bool = False) -> None:
        self._embedder = embedder
        self.tag = tag
        self.asymmetric = asymmetric
        self.dimensions = embedder.dimensions
        self.asked: list[tuple[str | None, list[str]]] = []
        self.failure: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.arrived = asyncio.Event()

    @property
    def texts(self) -> list[str]:
        """Every text that it was asked for, in order."""
        return [text for _, texts in self.asked for text in texts]

    async def embed(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> list[list[float]]:
        self.asked.append((aws.tenant, list(texts)))
        self.arrived.set()
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        return await self._embedder.embed(aws, texts, purpose=purpose)
