"""Vectors of texts, as far as they can be had in time: nothing here keeps a call from being answered without them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import anyio
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.embeddings import Embedder, Purpose
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.vectors import vector_literal

log = logging.getLogger(__name__)

EMBEDDED_CHARACTERS: Final = 2_000
"""Of a text, from its beginning: what every model takes. Words are found in the whole of it."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of texts by one embedder."""

    tag: str
    dimensions: int
    by_text: dict[str, list[float]]

    def literal(self, text: str) -> str | None:
        """The vector of a text as PostgreSQL reads it."""
        vector = self.by_text.get(text)
        return None if vector is None else vector_literal(vector)


FIRST_SECONDS: Final = 10.0
"""How long the first call of a process waits at least: a local model is read from disk then."""


class Embedding:
    """An embedder with a bound on how long it is waited for."""

    def __init__(self, embedder: Embedder, *, wait_seconds: float) -> None:
        self._embedder = embedder
        self._usual_seconds = wait_seconds
        self._wait_seconds = max(wait_seconds, FIRST_SECONDS)

    @property
    def tag(self) -> str:
        """The embedder's."""
        return self._embedder.tag

    @property
    def dimensions(self) -> int:
        """The embedder's."""
        return self._embedder.dimensions

    async def vectors(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> Vectors | None:
        """Vectors of all these texts, or None where the model failed or took too long."""
        wanted = [text for text in dict.fromkeys(texts) if text.strip()]
        if not wanted:
            return Vectors(self.tag, self.dimensions, {})
        wait_seconds, self._wait_seconds = self._wait_seconds, self._usual_seconds
        with anyio.move_on_after(wait_seconds):
            try:
                short = [text[:EMBEDDED_CHARACTERS] for text in wanted]
                found = await self._embedder.embed(aws, short, purpose=purpose)
            except (ToolFailure, AwsError) as failure:
                log.warning("nothing was embedded: %s", getattr(failure, "code", type(failure).__name__))
                return None
            return Vectors(self.tag, self.dimensions, dict(zip(wanted, found, strict=True)))
        log.warning("nothing was embedded within %.1f s", wait_seconds)
        return None
