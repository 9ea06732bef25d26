"""Recall over many tenants' memories, embedding excluded, and how much of what is nearest it finds."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import mean, median, quantiles
from typing import Any

import numpy as np
import psycopg
from tenantscope_core.stores.migrations import migrate, read_migrations
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.vectors import vector_literal
from tenantscope_memory.sources.embedding import Embedding
from tenantscope_memory.sources.recall import asked_scope, recalled
from tenantscope_memory.sources.search import Scope, Search
from tenantscope_sandbox.parts import postgres

from benchmarks import ROOT
from benchmarks.figures import Figure, say
from benchmarks.parts import sandbox

RECORDS, TENANTS, TURN_SHARE = 30_000, 200, 0.8
MOST_OF_AN_ACTOR = 500
QUERIES, WARM_UP = 300, 10
DIMENSIONS, TOPICS = 384, 400
VOCABULARY, WORDS_A_TEXT, WORDS_A_QUESTION = 8_000, 18, 7
TAG, SCHEMA = "bench", "memory_bench"
MIGRATIONS = ROOT / "servers/memory/src/tenantscope_memory/migrations"
NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
MOST_MILLISECONDS, LEAST_RECALL = 25, 0.99


class Company:
    """Tenants with Zipf-distributed numbers of memories: texts of Zipf-distributed words, vectors around topics.

    An actor has 500 memories or fewer, but for that of the largest tenant, who has them all.
    """

    def __init__(self) -> None:
        self._random = random.Random(7)
        self._numbers = np.random.default_rng(7)
        self._topics = self._numbers.normal(size=(TOPICS, DIMENSIONS))
        self._words = [f"word{number}" for number in range(VOCABULARY)]
        self._word_weights = list(itertools.accumulate(1 / (rank + 5) for rank in range(VOCABULARY)))
        weights = np.array([1 / (rank + 1) for rank in range(TENANTS)])
        self.sizes: list[int] = np.maximum(20, weights / weights.sum() * RECORDS).astype(int).tolist()

    def actors(self, number: int) -> list[int]:
        """How many memories each actor of a tenant has."""
        size = self.sizes[number]
        if number == 0:
            return [size]
        whole, rest = divmod(size, MOST_OF_AN_ACTOR)
        return [MOST_OF_AN_ACTOR] * whole + [rest] * bool(rest)

    def text(self, words: int) -> str:
        """So many words."""
        return " ".join(self._random.choices(self._words, cum_weights=self._word_weights, k=words))

    def vectors(self, count: int) -> list[list[float]]:
        """Unit vectors, each near a topic, in three decimals."""
        made = self._topics[self._numbers.integers(0, TOPICS, count)] + self._numbers.normal(size=(count, DIMENSIONS))
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).round(3).tolist()


@dataclass(frozen=True)
class Asked:
    """A recall of an actor of the tenant of that number, and the share of its nearest ten among the candidates."""

    number: int
    milliseconds: float
    kept: float


class Given:
    """An embedder that was asked before."""

    tag, dimensions, asymmetric = TAG, DIMENSIONS, False

    def __init__(self, vector: Sequence[float]) -> None:
        self._vector = list(vector)

    async def embed(self, aws: object, texts: Sequence[str], *, purpose: str) -> list[list[float]]:
        """The vector, for each text."""
        return [self._vector for _ in texts]


def measure() -> Iterator[Figure]:
    """Fill the tables, then ask for actors, half in proportion to what their tenants have, half all tenants alike."""
    state, port = sandbox().state, sandbox().port("postgres")
    owner, superuser = postgres.dsn(state, port, postgres.OWNER), postgres.dsn(state, port, postgres.SUPERUSER)
    asyncio.run(migrate(owner, read_migrations(MIGRATIONS), schema=SCHEMA, login=postgres.APPLICATION))
    company = Company()
    _fill(superuser, company)
    asked = asyncio.run(_asked(sandbox().postgres_dsn, superuser, company))
    of_all = [one.milliseconds for one in asked if one.number > 0]
    of_one = [one.milliseconds for one in asked if one.number == 0]
    kept = mean(one.kept for one in asked)
    p95 = quantiles(of_all, n=20)[-1]
    total = sum(company.sizes)
    yield Figure(
        f"recall among {total:,} memories of {TENANTS} tenants, p50 and p95",
        f"{median(of_all):.1f} ms, {p95:.1f} ms",
        "embedding excluded",
        f"<= {MOST_MILLISECONDS} ms of 1 M",
        p95 <= MOST_MILLISECONDS,
    )
    yield Figure(f"recall of an actor with {company.sizes[0]:,} memories, p50", f"{median(of_one):.1f} ms")
    yield Figure(
        "nearest 10 among recall's candidates",
        f"{kept:.4f}",
        "exact search",
        f">= {LEAST_RECALL}",
        kept >= LEAST_RECALL,
    )


def _fill(superuser: str, company: Company) -> None:
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"SET search_path = {SCHEMA}, public")
        connection.execute("DROP INDEX passage_vector_384")  # made at once, it takes a tenth of the time
        for number in range(TENANTS):
            for actor, size in enumerate(company.actors(number)):
                _fill_actor(connection, company, _tenant(number), _actor(actor), size)
        say("recall: filled")
        connection.execute("SET maintenance_work_mem = '256MB'")
        connection.execute(
            "CREATE INDEX passage_vector_384 ON passage USING hnsw ((embedding::vector(384)) vector_cosine_ops) "
            "WHERE vector_dims(embedding) = 384"
        )
        connection.execute("VACUUM ANALYZE passage")
        connection.execute("VACUUM ANALYZE event")
    say("recall: indexed")


def _fill_actor(connection: psycopg.Connection, company: Company, tenant: str, actor: str, size: int) -> None:
    turns = int(size * TURN_SHARE)
    sessions = [f"s{number // 50}" for number in range(turns)]
    texts = [company.text(WORDS_A_TEXT) for _ in range(size)]
    times = [NOW - timedelta(hours=size - number) for number in range(size)]
    vectors = [vector_literal(one) for one in company.vectors(size)]
    places = [number % 50 + 1 for number in range(turns)]
    common = {"tenant": tenant, "actor": actor, "now": NOW, "tag": TAG}
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
        "recorded_at) SELECT %(tenant)s, %(actor)s, session, seq, 'main', seq, seq::text, 'x', 'user', text, 100, at, "
        "at FROM unnest(%(sessions)s::text[], %(seqs)s::int[], %(texts)s::text[], %(times)s::timestamptz[]) "
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


async def _asked(application: str, superuser: str, company: Company) -> list[Asked]:
    choices, asked = random.Random(11), list[Asked]()
    limits = PostgresLimits(connections=4, statement_seconds=20)
    with psycopg.connect(superuser, autocommit=True) as exact:
        exact.execute(f"SET search_path = {SCHEMA}, public")
        async with PostgresStore(application, schema=SCHEMA, limits=limits) as store:
            search = Search(store, text_config="english")
            for count in range(QUERIES + WARM_UP):
                number = choices.choices(range(TENANTS), company.sizes if count % 2 else None)[0]
                actor = _actor(choices.randrange(len(company.actors(number))))
                vector, question = company.vectors(1)[0], company.text(WORDS_A_QUESTION)
                scope = asked_scope(
                    _tenant(number), actor, kinds=None, namespace=None, since=None, as_of=None, known_at=None, now=NOW
                )
                embedding = Embedding(Given(vector), wait_seconds=5.0)
                started = time.perf_counter()
                await recalled(search, embedding, Nobody(), scope, question, limit=8, now=NOW)
                milliseconds = (time.perf_counter() - started) * 1e3
                near = await search.by_meaning(scope, TAG, vector)
                asked.append(Asked(number, milliseconds, _kept(exact, scope, vector, near)))
    return asked[WARM_UP:]


def _kept(exact: psycopg.Connection, scope: Scope, vector: Sequence[float], near: Sequence[str]) -> float:
    rows = exact.execute(
        "SELECT id::text FROM passage WHERE tenant_id = %s AND actor = %s "
        "ORDER BY (embedding <=> %s::vector) + 0 LIMIT 10",
        (scope.tenant, scope.actors[0], vector_literal(vector)),
    ).fetchall()
    return sum(id in near for (id,) in rows) / len(rows)


def _tenant(number: int) -> str:
    return f"bench-{number:03d}"


def _actor(number: int) -> str:
    return f"actor-{number}"


class Nobody:
    """A session that is not used."""

    tenant = None

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Nothing is asked of AWS."""
        raise NotImplementedError
