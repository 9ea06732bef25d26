"""Hits of the answer cache: exact ones beside a round trip to Valkey, similar ones without embedding."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from statistics import median
from typing import Any

import numpy as np
import psycopg
from semantic_cache.asking import NOW, Clock, Parts, User
from tenantscope_core.embeddings.embedder import Embedder
from tenantscope_core.stores.migrations import migrate, read_migrations
from tenantscope_core.stores.postgres import PostgresStore
from tenantscope_core.stores.valkey import ValkeyStore
from tenantscope_core.stores.vectors import vector_literal
from tenantscope_sandbox.parts import postgres
from tenantscope_semantic_cache.scope import Scope, answer_id, entry_id, fingerprint
from tenantscope_semantic_cache.sources.reading import Reading

from benchmarks import ROOT
from benchmarks.figures import Figure, say
from benchmarks.parts import sandbox

TENANTS, ENTRIES, MOST_ENTRIES = 40, 1_000, 10_000
LOOKUPS, WARM_UP = 300, 20
DIMENSIONS, TOPICS = 384, 400
SCHEMA, TAG = "semantic_cache_test", "bench"
MIGRATIONS = ROOT / "servers/semantic-cache/src/tenantscope_semantic_cache/migrations"
ANSWER = "It depends on the plan. " * 85
SUBJECT = "ann"
EXACT_GOAL, SEMANTIC_GOAL = 1.0, 3.0


class Given:
    """An embedder whose vectors are made beforehand."""

    tag, dimensions, asymmetric = TAG, DIMENSIONS, False

    def __init__(self) -> None:
        self.vectors: dict[str, list[float]] = {}

    async def embed(self, aws: object, texts: Sequence[str], *, purpose: str) -> list[list[float]]:
        """The vector of each text."""
        return [self.vectors[text] for text in texts]


def measure() -> Iterator[Figure]:
    """Fill the tables as many stores would, then look up; the two sides of each ratio take turns."""
    state, port = sandbox().state, sandbox().port("postgres")
    owner, superuser = postgres.dsn(state, port, postgres.OWNER), postgres.dsn(state, port, postgres.SUPERUSER)
    asyncio.run(migrate(owner, read_migrations(MIGRATIONS), schema=SCHEMA, login=postgres.APPLICATION))
    kept = _fill(superuser)
    exact, trip, similar, nearest, large = asyncio.run(_looked_up(kept))
    beyond = median(exact) - median(trip)
    yield Figure(
        "exact hit of 2 KB beyond a round trip to Valkey, p50",
        f"{beyond:.2f} ms",
        f"{median(trip):.2f} ms the round trip",
        f"<= {EXACT_GOAL} ms",
        beyond <= EXACT_GOAL,
    )
    total = TENANTS * ENTRIES + MOST_ENTRIES
    yield Figure(
        f"similar hit among {ENTRIES:,} of a tenant's, {total:,} in all, p50",
        f"{median(similar):.2f} ms",
        f"{median(nearest):.2f} ms the comparing",
        f"<= {SEMANTIC_GOAL} ms of 1 M",
        median(similar) <= SEMANTIC_GOAL,
    )
    yield Figure(f"similar hit among {MOST_ENTRIES:,} of a tenant's, p50", f"{median(large):.2f} ms")


def _fill(superuser: str) -> dict[str, list[list[float]]]:
    """Entries of every tenant in one scope, each with a vector near a topic; gives the vectors."""
    say("filling the cache")
    random = np.random.default_rng(7)
    topics = random.normal(size=(TOPICS, DIMENSIONS))
    kept: dict[str, list[list[float]]] = {}
    answers = "COPY {}.answer (tenant_id, answer_id, text, uses) FROM STDIN"
    entries = (
        "COPY {}.entry (tenant_id, fingerprint, among_all, shadowed, scope, entry_id, answer_id, version, prompt, "
        "embedder, embedding, model, subject, shared, stored_at, expires_at, copied_until, stale_until) FROM STDIN"
    )
    with psycopg.connect(superuser, autocommit=True) as connection:
        for number in range(TENANTS + 1):
            tenant, size = f"bench-{number:02d}", ENTRIES if number else MOST_ENTRIES
            vectors = topics[random.integers(0, TOPICS, size)] + random.normal(size=(size, DIMENSIONS))
            kept[tenant] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).round(4).tolist()
            scope = Scope().digest(tenant, SUBJECT)
            answer = answer_id(scope, ANSWER)
            with connection.cursor().copy(answers.format(SCHEMA)) as copy:
                copy.write_row((tenant, answer, ANSWER, size))
            with connection.cursor().copy(entries.format(SCHEMA)) as copy:
                for place, vector in enumerate(kept[tenant]):
                    key = fingerprint(scope, _prompt(place))
                    copy.write_row((
                        tenant, key, key, False, scope, entry_id(key, answer), answer, 1, _prompt(place), TAG,
                        vector_literal(vector), "", SUBJECT, False, NOW, NOW + timedelta(days=1), NOW, NOW,
                    ))  # fmt: skip
        connection.execute(f"ANALYZE {SCHEMA}.entry")
    return kept


def _prompt(place: int) -> str:
    return f"How many seats does carriage {place} have for travellers with dogs?"


async def _looked_up(kept: dict[str, list[list[float]]]) -> tuple[list[float], ...]:
    """Milliseconds of exact hits, round trips, similar hits, the comparing in them, similar hits of the large one."""
    embedder = Given()
    async with PostgresStore(sandbox().postgres_dsn, schema=SCHEMA) as store, ValkeyStore(sandbox().valkey_url) as keys:
        parts = Parts(store, keys, _typed(embedder), "", Clock())
        exact, trip, similar, nearest, large = [list[float]() for _ in range(5)]
        user = parts.user("bench-01", SUBJECT)
        await user.look_up(_prompt(0))
        key = f"x/{fingerprint(Scope().digest('bench-01', SUBJECT), _prompt(0)).hex()}"
        for _ in range(WARM_UP + LOOKUPS):
            exact.append(await _milliseconds(_hit(user, _prompt(0))))
            trip.append(await _milliseconds(keys.tenant("bench-01", "semantic-cache").get(key)))
        for turn in range(WARM_UP + LOOKUPS):
            for number, times in ((0, large), (1 + turn % TENANTS, similar)):
                tenant = f"bench-{number:02d}"
                place = turn % len(kept[tenant])
                asked = f"{_prompt(place)} Please tell me."
                embedder.vectors[asked] = kept[tenant][place]
                asking = parts.user(tenant, SUBJECT, threshold=0.5)
                times.append(await _milliseconds(_hit(asking, asked)))
            scopes = [Scope().digest(tenant, who) for who in (SUBJECT, None)]
            vector = kept[tenant][place]
            comparing = Reading(store).nearest(tenant, scopes, vector, TAG, NOW, threshold=0.5)
            nearest.append(await _milliseconds(comparing))
        return tuple(one[WARM_UP:] for one in (exact, trip, similar, nearest, large))


async def _hit(user: User, prompt: str) -> None:
    if not (await user.look_up(prompt)).hit:
        raise RuntimeError("no hit")


async def _milliseconds(doing: Any) -> float:
    started = time.perf_counter()
    await doing
    return (time.perf_counter() - started) * 1_000


def _typed(embedder: Embedder) -> Embedder:
    return embedder
