"""Nearest-neighbour queries of one tenant, made right with pgvector."""

import math
from collections.abc import Sequence
from typing import Final, LiteralString

from tenantscope_core.stores.postgres import Statement

INDEXED_DIMENSIONS: Final = (256, 384, 512, 1024)
"""The lengths of vectors that tables have an index for."""

VECTOR_SETTINGS: Final[Sequence[Statement]] = (
    Statement(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), "
        "set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '100', true)"
    ),
)
"""Put first in a transaction that looks for neighbours; they end with it."""

_CASTS: Final[dict[int, LiteralString]] = {
    256: "vector(256)",
    384: "vector(384)",
    512: "vector(512)",
    1024: "vector(1024)",
}
_LENGTHS: Final[dict[int, LiteralString]] = {256: "256", 384: "384", 512: "512", 1024: "1024"}


def vector_literal(values: Sequence[float]) -> str:
    """A vector as pgvector reads it, to be bound as a parameter and cast: `%s::vector`.

    Raises:
        ValueError: It is empty, or has a value that is no finite number.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError("not a vector of finite numbers")
    return f"[{','.join(map(repr, values))}]"


def distance(dimensions: int) -> LiteralString:
    """The cosine distance, 0 to 2, of column `embedding` from parameter `%(vector)s`, as the indexes spell it.

    Raises:
        ValueError: There is no index for such vectors.
    """
    return f"(embedding::{_of(_CASTS, dimensions)} <=> %(vector)s::{_of(_CASTS, dimensions)})"


def comparable(dimensions: int) -> LiteralString:
    """The condition that belongs to every query by `distance`: rows of this tenant, embedder and length.

    Its parameters are `%(tenant)s` and `%(embedder)s`.

    Raises:
        ValueError: There is no index for such vectors.
    """
    return (
        f"tenant_id = %(tenant)s AND embedder = %(embedder)s AND vector_dims(embedding) = {_of(_LENGTHS, dimensions)}"
    )


def _of(words: dict[int, LiteralString], dimensions: int) -> LiteralString:
    if dimensions not in words:
        raise ValueError(f"vectors of {dimensions} dimensions have no index; {INDEXED_DIMENSIONS} have")
    return words[dimensions]
