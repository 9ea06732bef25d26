"""Nearest-neighbour queries of one tenant, made right with pgvector.

A table of vectors that many tenants share looks like this in its migration (pgvector is in the schema `public`):

    CREATE TABLE thing (
        tenant_id text NOT NULL, id uuid NOT NULL, embedder text NOT NULL, embedding public.vector NOT NULL,
        PRIMARY KEY (tenant_id, id)
    ) PARTITION BY HASH (tenant_id);
    CREATE INDEX thing_by_embedder ON thing (tenant_id, embedder);
    CREATE INDEX thing_near_384 ON thing USING hnsw ((embedding::public.vector(384)) public.vector_cosine_ops)
        WHERE public.vector_dims(embedding) = 384;      -- and so for 256, 512 and 1024
    ALTER TABLE thing ALTER embedding SET STORAGE MAIN; -- long vectors stay in their row, not a look-up each
    SELECT protect('thing');
    DO $$ BEGIN
        FOR n IN 0..15 LOOP
            EXECUTE format('CREATE TABLE thing_%s PARTITION OF thing FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n);
            PERFORM protect(format('thing_%s', n)::regclass);
        END LOOP;
    END $$;

The column has no length of its own, so that vectors of several embedders lie in it while one replaces another; an index
is for vectors of one length. It is shared by the tenants of a partition and filtered only after it was asked, so that
alone it finds nothing of a small tenant beside a large one. What makes a query right is all here: `nearest` compares
what belongs to a tenant and embedder one by one as long as that is little; VECTOR_SETTINGS let the index go on until
enough is found, and let no prepared plan made for one tenant serve another (psycopg prepares what it has run five
times); and tenant and embedder are named in each query, beside row-level security.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, LiteralString

from pgvector import Vector

from tenantscope_core.stores.postgres import Statement

INDEXED_DIMENSIONS: Final = (256, 384, 512, 1024)
"""The lengths of vectors that tables have an index for."""

VECTOR_SETTINGS: Final[Sequence[Statement]] = (
    Statement(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), "
        "set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '200', true)"
    ),
)
"""Put first in a transaction that looks for neighbours; they end with it."""

_EXACT_ROWS: LiteralString = "2000"
"""Up to so many rows each is compared, which takes milliseconds and misses nothing."""

_TYPES: Final[dict[int, LiteralString]] = {
    256: "public.vector(256)",
    384: "public.vector(384)",
    512: "public.vector(512)",
    1024: "public.vector(1024)",
}
_NUMBERS: Final[dict[int, LiteralString]] = {256: "256", 384: "384", 512: "512", 1024: "1024"}


def vector_literal(values: Sequence[float]) -> str:
    """A vector as pgvector reads it, to be bound as a parameter and cast: `%s::public.vector`.

    Raises:
        ValueError: It is empty, or has a value that is no finite number.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError("not a vector of finite numbers")
    return Vector(list(values)).to_text()


def distance(dimensions: int) -> LiteralString:
    """The cosine distance, 0 to 2, of column `embedding` from parameter `%(vector)s`, as the indexes spell it.

    Raises:
        ValueError: There is no index for such vectors.
    """
    kind = _of(_TYPES, dimensions)
    return f"(embedding::{kind} OPERATOR(public.<=>) %(vector)s::{kind})"


def comparable(dimensions: int) -> LiteralString:
    """The condition that belongs to every query by `distance`: rows of this tenant, embedder and length.

    Raises:
        ValueError: There is no index for such vectors.
    """
    number = _of(_NUMBERS, dimensions)
    return f"tenant_id = %(tenant)s AND embedder = %(embedder)s AND public.vector_dims(embedding) = {number}"


def nearest(
    table: LiteralString, columns: LiteralString, dimensions: int, *, where: LiteralString = "true"
) -> LiteralString:
    """A query for `columns` and `distance` of the rows nearest to a vector, the nearest first.

    It is run after VECTOR_SETTINGS, with the parameters of `near` and those of `where`, a further condition on the
    table. Where 2,000 rows or fewer meet the conditions, they are compared one by one; else the index finds them,
    approximately. All parts are ours; `table` has the columns of this module's pattern.

    Raises:
        ValueError: There is no index for such vectors.
    """
    condition: LiteralString = f"{comparable(dimensions)} AND ({where})"
    near: LiteralString = distance(dimensions)
    # `+ 0` keeps an order from being taken from the index: of rows to be compared, or nearly in order as it gives them.
    return f"""
        WITH few AS MATERIALIZED (
            SELECT count(*) <= {_EXACT_ROWS} AS so FROM (
                SELECT FROM {table} WHERE {condition} LIMIT {_EXACT_ROWS} + 1
            ) AS found
        )
        SELECT * FROM (
        (SELECT {columns}, {near} AS distance FROM {table}
          WHERE {condition} AND NOT (SELECT so FROM few) ORDER BY {near} LIMIT %(limit)s)
        UNION ALL
        (SELECT {columns}, {near} AS distance FROM {table}
          WHERE {condition} AND (SELECT so FROM few) ORDER BY {near} + 0 LIMIT %(limit)s)
        ) AS near ORDER BY distance + 0
    """


def near(tenant: str, embedder: str, vector: Sequence[float], *, limit: int) -> dict[str, Any]:
    """The parameters of `nearest`: whose rows, of which embedder's tag, near what, and how many."""
    return {"tenant": tenant, "embedder": embedder, "vector": vector_literal(vector), "limit": limit}


def _of(words: dict[int, LiteralString], dimensions: int) -> LiteralString:
    if dimensions not in words:
        raise ValueError(f"vectors of {dimensions} dimensions have no index; {INDEXED_DIMENSIONS} have")
    return words[dimensions]
