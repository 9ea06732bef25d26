"""What recall may find, from PostgreSQL: candidates by words and by meaning, and the turns around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from tenantscope_core.stores.postgres import PostgresStore, Statement
from tenantscope_core.stores.vectors import VECTOR_SETTINGS, distance, near, nearest, vector_literal

from tenantscope_memory.ranking import CHUNK_TURNS, Candidate, Matched, Place
from tenantscope_memory.recollection import Text
from tenantscope_memory.sources.embedding import EMBEDDED_CHARACTERS, Vectors

MAX_TERMS: Final = 24
MAX_HITS: Final = 2_000
"""Matches in words that are looked at, newest first; more than that tell little apart."""
CANDIDATES: Final = 100
"""By words, and as many by meaning."""
CENTRAL: Final = 40
"""Of each, the best, whose surroundings are looked at too."""
CAUGHT_UP_AT_ONCE: Final = 64
MAX_COUNTED: Final = 1_000
CLOCK_LEEWAY: Final = timedelta(minutes=1)
"""How far another process's clock may be ahead, so that what it just wrote is found."""

_IN_SCOPE: Final = """
    actor = ANY(%(actors)s) AND kind = ANY(%(kinds)s) AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(known_at)s::timestamptz IS NULL OR recorded_at <= %(known_at)s)
    AND CASE WHEN kind = 'turn' THEN %(until)s::timestamptz IS NULL OR at <= %(until)s
             ELSE at <= %(as_of)s AND (valid_to IS NULL OR valid_to > %(as_of)s) AND NOT EXISTS (
                 SELECT FROM supersession AS later
                  WHERE later.tenant_id = %(tenant)s AND later.record = passage.record AND later.valid_from <= %(as_of)s
                    AND (%(known_at)s::timestamptz IS NULL OR later.recorded_at <= %(known_at)s)) END
"""
_BY_WORDS: Final = f"""
WITH asked AS MATERIALIZED (
    SELECT query_terms(%(config)s::regconfig, %(question)s, %(terms)s) AS terms
), whole AS MATERIALIZED (
    SELECT any_of(term) AS query FROM asked, unnest(terms) AS term
), hit AS MATERIALIZED (
    SELECT id, words, at FROM passage
     WHERE tenant_id = %(tenant)s AND words @@ (SELECT query FROM whole) AND {_IN_SCOPE}
     ORDER BY at DESC LIMIT %(hits)s
)
SELECT asked.terms::text[] AS terms, (SELECT count(*) FROM hit) AS hits,
       ARRAY(SELECT count(hit.id) FROM unnest(asked.terms) WITH ORDINALITY AS one (term, place)
               LEFT JOIN hit ON hit.words @@ term GROUP BY place ORDER BY place) AS texts_with_term,
       ARRAY(SELECT id::text FROM hit ORDER BY ts_rank(words, (SELECT query FROM whole)) DESC, at DESC, id
              LIMIT %(candidates)s) AS ids
  FROM asked
"""
_UNASKED: Final = f"""
(SELECT id::text AS id FROM passage WHERE tenant_id = %(tenant)s AND kind <> 'turn' AND {_IN_SCOPE}
  ORDER BY importance DESC, at DESC LIMIT %(candidates)s)
UNION ALL
(SELECT id::text FROM passage WHERE tenant_id = %(tenant)s AND kind = 'turn' AND {_IN_SCOPE}
  ORDER BY at DESC LIMIT %(candidates)s)
"""
# Each place is looked up by itself: asked for together, a large tenant's places would be found by reading all it has.
_AROUND: Final = """
WITH candidate AS MATERIALIZED (
    SELECT * FROM passage WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[])
), place AS (
    SELECT DISTINCT actor, session, branch, beside
      FROM candidate, generate_series(GREATEST(1, LEAST(position - 1, (position - 1) / %(chunk)s * %(chunk)s + 1)),
                                      (position - 1) / %(chunk)s * %(chunk)s + %(chunk)s) AS beside
     WHERE session IS NOT NULL AND id = ANY(%(central)s::uuid[])
    EXCEPT SELECT actor, session, branch, position FROM candidate
), known AS (
    SELECT true AS candidate, candidate.* FROM candidate
    UNION ALL
    SELECT false, passage.* FROM place CROSS JOIN LATERAL (
        SELECT * FROM passage
         WHERE tenant_id = %(tenant)s AND actor = place.actor AND session = place.session AND branch = place.branch
           AND position = place.beside AND seq IS NOT NULL LIMIT 1) AS passage
)
SELECT id::text AS id, candidate, session, branch, position, speaker, at, importance, length,
       {similarity} AS similarity,
       ARRAY(SELECT words @@ term FROM unnest(%(terms)s::text[]::tsquery[]) WITH ORDINALITY AS asked (term, place)
              ORDER BY place) AS has
  FROM known
"""
_TEXTS: Final = """
SELECT passage.id::text AS id, passage.kind, passage.namespace, passage.actor, passage.session, passage.seq,
       passage.branch, passage.record::text AS record, passage.at, event.role, event.name, record.subject,
       COALESCE(event.text, record.text) AS text, LEAST(passage.valid_to, (
           SELECT min(later.valid_from) FROM supersession AS later
            WHERE later.tenant_id = %(tenant)s AND later.record = passage.record)) AS until
  FROM passage
  LEFT JOIN event ON event.tenant_id = passage.tenant_id AND event.actor = passage.actor
                 AND event.session = passage.session AND event.seq = passage.seq
  LEFT JOIN record ON record.tenant_id = passage.tenant_id AND record.id = passage.record
 WHERE passage.tenant_id = %(tenant)s AND passage.id = ANY(%(ids)s::uuid[])
"""
_NOT_EMBEDDED: Final = """
    passage.tenant_id = %(tenant)s AND passage.actor = ANY(%(actors)s)
    AND (embedder IS NULL OR embedder < %(embedder)s OR embedder > %(embedder)s)
"""
_PENDING: Final = f"""
SELECT passage.id::text AS id, left(COALESCE(event.text, record.text), %(characters)s) AS text
  FROM (SELECT * FROM passage WHERE {_NOT_EMBEDDED} ORDER BY at DESC LIMIT %(limit)s) AS passage
  LEFT JOIN event ON event.tenant_id = passage.tenant_id AND event.actor = passage.actor
                 AND event.session = passage.session AND event.seq = passage.seq
  LEFT JOIN record ON record.tenant_id = passage.tenant_id AND record.id = passage.record
"""
_COUNT_PENDING: Final = f"""
SELECT count(*) AS pending FROM (SELECT FROM passage WHERE {_NOT_EMBEDDED} LIMIT %(limit)s) AS found
"""
_EMBED: Final = """
UPDATE passage SET embedding = made.vector::public.vector, embedder = %(embedder)s
  FROM unnest(%(ids)s::text[], %(vectors)s::text[]) AS made (id, vector)
 WHERE passage.tenant_id = %(tenant)s AND passage.id = made.id::uuid
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be found: whose, of which kinds and namespace, holding when, known when, said since and until when."""

    tenant: str
    actors: list[str]
    kinds: list[str]
    namespace: str | None
    as_of: datetime
    known_at: datetime | None
    since: datetime | None
    until: datetime | None

    @property
    def parameters(self) -> dict[str, Any]:
        """As statements take it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ByWords:
    """Candidates by words: the question's terms, how many texts have each, how many have any, and the best of them."""

    terms: list[str]
    texts_with_term: list[int]
    hits: int
    ids: list[str]


class Search:
    """Finds candidates within a scope, in bounded queries of one tenant."""

    def __init__(self, postgres: PostgresStore, *, text_config: str) -> None:
        self._postgres = postgres
        self._config = text_config

    async def by_words(self, scope: Scope, question: str) -> ByWords:
        """What has any word of the question."""
        parameters = {
            **scope.parameters, "config": self._config, "question": question, "terms": MAX_TERMS, "hits": MAX_HITS,
            "candidates": CANDIDATES,
        }  # fmt: skip
        (row,) = await self._postgres.fetch(scope.tenant, _BY_WORDS, parameters)
        return ByWords(row["terms"], row["texts_with_term"], row["hits"], row["ids"])

    async def by_meaning(self, scope: Scope, tag: str, vector: Sequence[float]) -> list[str]:
        """What is nearest to the question's vector."""
        query = nearest("passage", "id::text AS id", len(vector), where=_IN_SCOPE)
        parameters = {**scope.parameters, **near(scope.tenant, tag, vector, limit=CANDIDATES)}
        *_, found = await self._postgres.run(scope.tenant, [*VECTOR_SETTINGS, Statement(query, parameters)])
        return [row["id"] for row in found.rows]

    async def unasked(self, scope: Scope) -> list[str]:
        """The most important records and the newest turns."""
        rows = await self._postgres.fetch(scope.tenant, _UNASKED, {**scope.parameters, "candidates": CANDIDATES})
        return [row["id"] for row in rows]

    async def around(
        self, tenant: str, ids: Sequence[str], terms: Sequence[str], *, central: Sequence[str], tag: str,
        vector: Sequence[float] | None,
    ) -> tuple[list[Candidate], dict[Place, Matched]]:  # fmt: skip
        """The candidates, and the turns beside the central ones, as the ranking takes them."""
        similarity: LiteralString = "NULL::float8"
        if vector is not None:
            similarity = f"CASE WHEN embedder = %(embedder)s THEN 1 - {distance(len(vector))} END"
        parameters = {
            "tenant": tenant, "ids": list(ids), "central": list(central), "terms": list(terms), "chunk": CHUNK_TURNS,
            "embedder": tag, "vector": vector_literal(vector) if vector is not None else None,
        }  # fmt: skip
        rows = await self._postgres.fetch(tenant, _AROUND.replace("{similarity}", similarity), parameters)
        candidates: list[Candidate] = []
        around: dict[Place, Matched] = {}
        for row in rows:
            matched = Matched(tuple(row["has"]), row["length"], row["similarity"])
            place = Place(row["session"], row["branch"], row["position"]) if row["session"] is not None else None
            if row["candidate"]:
                candidates.append(Candidate(row["id"], matched, row["at"], row["importance"], row["speaker"], place))
            elif place is not None:
                around[place] = matched
        return candidates, around

    async def texts(self, tenant: str, ids: Sequence[str]) -> dict[str, Text]:
        """What these show, by id."""
        rows = await self._postgres.fetch(tenant, _TEXTS, {"tenant": tenant, "ids": list(ids)})
        return {row["id"]: Text(**row) for row in rows}

    async def pending(self, scope: Scope, tag: str) -> dict[str, str]:
        """Some of the texts that have no vector by this embedder yet, newest first, by id."""
        parameters = _unembedded(scope, tag, CAUGHT_UP_AT_ONCE) | {"characters": EMBEDDED_CHARACTERS}
        return {row["id"]: row["text"] for row in await self._postgres.fetch(scope.tenant, _PENDING, parameters)}

    async def count_pending(self, scope: Scope, tag: str) -> int:
        """How many there are, at most a thousand."""
        (row,) = await self._postgres.fetch(scope.tenant, _COUNT_PENDING, _unembedded(scope, tag, MAX_COUNTED))
        return row["pending"]

    async def embed(self, scope: Scope, pending: Mapping[str, str], vectors: Vectors) -> int:
        """Keep the vectors of pending texts; how many there were."""
        made = {id: literal for id, text in pending.items() if (literal := vectors.literal(text)) is not None}
        parameters = {
            "tenant": scope.tenant, "embedder": vectors.tag, "ids": list(made), "vectors": list(made.values()),
        }  # fmt: skip
        return await self._postgres.execute(scope.tenant, _EMBED, parameters)


def _unembedded(scope: Scope, tag: str, limit: int) -> dict[str, Any]:
    return {"tenant": scope.tenant, "actors": scope.actors, "embedder": tag, "limit": limit}
