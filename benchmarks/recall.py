"""Recall over many tenants' memories, embedding excluded, and how much of what is nearest it finds."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any

import numpy as np
import psycopg
from tenantscope_core.stores.migrations import migrate, read_migrations
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.vectors import vector_literal
from tenantscope_memory.sources.embedding import Embedding
from tenantscope_memory.sources.recall import asked_scope, recalled
from tenantscope_memory.sources.search import CANDIDATES, Search
from tenantscope_sandbox.parts import postgres

from benchmarks import ROOT
from benchmarks.figures import Figure, say
from benchmarks.parts import sandbox

RECORDS, TENANTS, TURN_SHARE = 30_000, 200, 0.8
MOST_OF_AN_ACTOR, ONE_ACTOR_TENANTS = 500, 1
QUERIES, DIMENSIONS, TOPICS = 200, 384, 400
VOCABULARY, WORDS_A_TEXT, WORDS_A_QUESTION = 8_000, 18, 7
TAG, SCHEMA, ACTOR = "bench", "memory_bench", "somebody"
MIGRATIONS = ROOT / "servers/memory/src/tenantscope_memory/migrations"
NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
MOST_MILLISECONDS, LEAST_RECALL = 25, 0.99


class Company:
    """Tenants with Zipf-distributed numbers of memories of one actor each: texts of Zipf-distributed words, of a topic."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        self._numbers = np.random.default_rng(7)
        self._topics = self._numbers.normal(size=(TOPICS, DIMENSIONS))
        self._words = [f"word{number}" for number in range(VOCABULARY)]
        self._word_weights = list(itertools.accumulate(1 / (rank + 5) for rank in range(VOCABULARY)))
        weights = np.array([1 / (rank + 1) for rank in range(TENANTS)])
        self.sizes = np.maximum(20, weights / weights.sum() * RECORDS).astype(int)

    def text(self, words: int) -> str:
        return " ".join(self._random.choices(self._words, cum_weights=self._word_weights, k=words))

    def vectors(self, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        made = self._topics[self._numbers.integers(0, TOPICS, count)] + self._numbers.normal(size=(count, DIMENSIONS))
        return made / np.linalg.norm(made, axis=1, keepdims=True)


class Given:
    """An embedder that was asked before."""

    tag, dimensions, asymmetric = TAG, DIMENSIONS, False

    def __init__(self, vector: Sequence[float]) -> None:
        self._vector = list(vector)

    async def embed(self, aws: object, texts: Sequence[str], *, purpose: str) -> list[list[float]]:
        """The vector, for each text."""
        return [self._vector for _ in texts]


def measure() -> Iterator[Figure]:
    """Fill the tables, and ask for tenants in proportion to what they have, and for all alike."""
    state, port = sandbox().state, sandbox().port("postgres")
    owner, superuser = postgres.dsn(state, port, postgres.OWNER), postgres.dsn(state, port, postgres.SUPERUSER)
    asyncio.run(migrate(owner, read_migrations(MIGRATIONS), schema=SCHEMA, login=postgres.APPLICATION))
    company = Company()
    _fill(superuser, company)
    times, kept = asyncio.run(_asked(sandbox().postgres_dsn, superuser, company))
    p95 = quantiles(times, n=20)[-1]
    yield Figure(
        f"recall over {RECORDS:,} memories of {TENANTS} tenants, p50 and p95",
        f"{median(times):.1f} ms, {p95:.1f} ms",
        "embedding excluded",
        f"<= {MOST_MILLISECONDS} ms of 1 M",
        p95 <= MOST_MILLISECONDS,
    )
    yield Figure(
        "nearest 10 among its candidates", f"{kept:.4f}", "exact search", f">= {LEAST_RECALL}", kept >= LEAST_RECALL
    )


def _fill(superuser: str, company: Company) -> None:
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"SET search_path = {SCHEMA}, public")
        connection.execute("DROP INDEX passage_vector_384")  # made at once, it takes a tenth of the time
        for number, size in enumerate(company.sizes):
            _fill_tenant(connection, company, f"bench-{number:03d}", int(size))
            if number in (0, 10, 50, TENANTS - 1):
                say(f"recall: tenant {number + 1} of {TENANTS} filled")
        connection.execute("SET maintenance_work_mem = '256MB'")
        connection.execute(
            "CREATE INDEX passage_vector_384 ON passage USING hnsw ((embedding::vector(384)) vector_cosine_ops) "
            "WHERE vector_dims(embedding) = 384"
        )
        connection.execute("VACUUM ANALYZE passage")
        connection.execute("VACUUM ANALYZE event")
    say("recall: indexed")


def _fill_tenant(connection: psycopg.Connection, company: Company, tenant: str, size: int) -> None:
    turns = int(size * TURN_SHARE)
    sessions = [f"s{number // 50}" for number in range(turns)]
    texts = [company.text(WORDS_A_TEXT) for _ in range(size)]
    times = [NOW - timedelta(hours=size - number) for number in range(size)]
    vectors = [vector_literal(one) for one in company.vectors(size).tolist()]
    places = [number % 50 + 1 for number in range(turns)]
    common = {"tenant": tenant, "actor": ACTOR, "now": NOW, "tag": TAG}
    connection.execute(
        "INSERT INTO session SELECT %(tenant)s, %(actor)s, s, 50, %(now)s, %(now)s "
        "FROM unnest(%(sessions)s::text[]) AS s",
        {**common, "sessions": sorted(set(sessions))},
    )
    connection.execute(
        "INSERT INTO branch SELECT %(tenant)s, %(actor)s, s, 'main', NULL, NULL, 0, 50, 'x' "
        "FROM unnest(%(sessions)s::text[]) AS s",
        {**common, "sessions": sorted(set(sessions))},
    )
    connection.execute(
        "INSERT INTO event (tenant_id, actor, session, seq, branch, position, key, digest, role, text, size, at, "
        "recorded_at) SELECT %(tenant)s, %(actor)s, session, seq, 'main', seq, seq::text, 'x', 'user', text, 100, at, at "
        "FROM unnest(%(sessions)s::text[], %(seqs)s::int[], %(texts)s::text[], %(times)s::timestamptz[]) "
        "AS one (session, seq, text, at)",
        {**common, "sessions": sessions, "seqs": places, "texts": texts[:turns], "times": times[:turns]},
    )
    connection.execute(
        "INSERT INTO passage (tenant_id, actor, kind, session, seq, branch, position, at, recorded_at, importance, "
        "length, words, embedder, embedding) SELECT %(tenant)s, %(actor)s, 'turn', session, seq, 'main', seq, at, at, "
        "0.3, length(words), words, %(tag)s, vector::vector FROM (SELECT *, to_tsvector('english', text) AS words "
        "FROM unnest(%(sessions)s::text[], %(seqs)s::int[], %(texts)s::text[], %(times)s::timestamptz[], "
        "%(vectors)s::text[]) AS one (session, seq, text, at, vector)) AS one",
        {**common, "sessions": sessions, "seqs": places, "texts": texts[:turns], "times": times[:turns],
         "vectors": vectors[:turns]},
    )  # fmt: skip
    connection.execute(
        "WITH one AS MATERIALIZED (SELECT gen_random_uuid() AS id, * FROM "
        "unnest(%(texts)s::text[], %(times)s::timestamptz[], %(vectors)s::text[]) AS one (text, at, vector)), "
        "made AS (INSERT INTO record (tenant_id, id, actor, namespace, kind, text, importance, digest, valid_from, "
        "recorded_at) SELECT %(tenant)s, id, %(actor)s, 'default', 'fact', text, 0.5, '', at, at FROM one) "
        "INSERT INTO passage (tenant_id, actor, kind, namespace, record, at, recorded_at, importance, length, words, "
        "embedder, embedding) SELECT %(tenant)s, %(actor)s, 'fact', 'default', id, at, at, 0.5, "
        "length(words), words, %(tag)s, vector::vector "
        "FROM (SELECT *, to_tsvector('english', text) AS words FROM one) AS one",
        {**common, "texts": texts[turns:], "times": times[turns:], "vectors": vectors[turns:]},
    )


async def _asked(application: str, superuser: str, company: Company) -> tuple[list[float], float]:
    times: list[float] = []
    kept: list[float] = []
    choices = random.Random(11)
    limits = PostgresLimits(connections=4, statement_seconds=20)
    with psycopg.connect(superuser, autocommit=True) as exact:
        exact.execute(f"SET search_path = {SCHEMA}, public; SET enable_indexscan = off")
        async with PostgresStore(application, schema=SCHEMA, limits=limits) as store:
            search = Search(store, text_config="english")
            for number in range(QUERIES):
                by_size = number % 2 == 0
                chosen = choices.choices(range(TENANTS), company.sizes.tolist() if by_size else None)[0]
                tenant, vector = f"bench-{chosen:03d}", company.vectors(1)[0].tolist()
                embedding = Embedding(Given(vector), wait_seconds=5.0)
                scope = asked_scope(
                    tenant, ACTOR, kinds=None, namespace=None, since=None, as_of=None, known_at=None, now=NOW
                )
                question = company.text(WORDS_A_QUESTION)
                started = time.perf_counter()
                await recalled(search, embedding, Nobody(), scope, question, limit=8, now=NOW)
                times.append((time.perf_counter() - started) * 1e3)
                near = set((await search.by_meaning(scope, TAG, vector))[:CANDIDATES])
                rows = exact.execute(
                    "SELECT id::text FROM passage WHERE tenant_id = %s ORDER BY (embedding <=> %s::vector) + 0 LIMIT 10",
                    (tenant, vector_literal(vector)),
                ).fetchall()
                kept.append(sum(id in near for (id,) in rows) / len(rows))
    return times[10:], sum(kept) / len(kept)


class Nobody:
    """A session that is not used."""

    tenant = None

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Nothing is asked of AWS."""
        raise NotImplementedError
