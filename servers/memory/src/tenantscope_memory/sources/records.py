"""Long-term records in PostgreSQL: written once, superseded by rows beside them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tenantscope_core.results.errors import Conflict, NotFound
from tenantscope_core.stores.postgres import PostgresStore, Statement, TenantTransaction
from tenantscope_core.stores.vectors import VECTOR_SETTINGS, near, nearest

from tenantscope_memory.records import NEAR_DUPLICATE, NewRecord, Source, Standing, Succession, succession
from tenantscope_memory.sources.embedding import Vectors

MAX_SIMILAR: Final = 3

# One writer a key and a subject at a time; where two share a lock, one waits for the other and nothing else.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))"
_KEY_LOCK: Final = """
SELECT pg_advisory_xact_lock(hashtextextended(%(key_lock)s, 1)) WHERE %(key)s::text IS NOT NULL
"""
# Records of one subject never hold at once, so those that matter are its last that begins by then and its next one.
_STANDING: Final = """
WITH known AS NOT MATERIALIZED (
    SELECT id, text, digest, valid_from, recorded_at,
           LEAST(valid_to, (SELECT min(later.valid_from) FROM supersession AS later
                             WHERE later.tenant_id = %(tenant)s AND later.record = record.id)) AS valid_to
      FROM record
     WHERE tenant_id = %(tenant)s AND actor = %(actor)s AND namespace = %(namespace)s AND kind = %(kind)s AND {same}
)
SELECT id::text AS id, text, digest, valid_from, valid_to FROM (
    (SELECT * FROM known WHERE valid_from <= %(from)s AND (valid_to IS NULL OR valid_to > valid_from)
      ORDER BY valid_from DESC, recorded_at DESC LIMIT 1)
    UNION ALL
    (SELECT * FROM known WHERE valid_from > %(from)s AND (valid_to IS NULL OR valid_to > valid_from)
      ORDER BY valid_from, id LIMIT 1)
) AS nearest
 WHERE valid_to IS NULL OR valid_to > %(from)s
"""
_STANDING_OF_SUBJECT: Final = _STANDING.format(same="subject = %(subject)s")
_STANDING_OF_NONE: Final = _STANDING.format(same="subject IS NULL AND digest = %(digest)s")
_KEYED: Final = """
SELECT record.id::text AS id, digest, valid_from
  FROM record_key JOIN record ON record.tenant_id = record_key.tenant_id AND record.id = record_key.record
 WHERE record_key.tenant_id = %(tenant)s AND record_key.actor = %(actor)s AND key = %(key)s
"""
_KEY: Final = """
INSERT INTO record_key (tenant_id, actor, key, record) SELECT %(tenant)s, %(actor)s, %(key)s::text, %(id)s::uuid
 WHERE %(key)s::text IS NOT NULL
"""
_SOURCES: Final = """
SELECT count(*) AS there FROM event JOIN unnest(%(sessions)s::text[], %(seqs)s::bigint[]) AS wanted (session, seq)
    ON event.session = wanted.session AND event.seq = wanted.seq
 WHERE event.tenant_id = %(tenant)s AND event.actor = %(owner)s
"""
_RECORD: Final = """
INSERT INTO record (tenant_id, actor, namespace, kind, subject, text, importance, digest, valid_from, valid_to,
                    recorded_at)
VALUES (%(tenant)s, %(actor)s, %(namespace)s, %(kind)s, %(subject)s, %(text)s, %(importance)s, %(digest)s,
        %(valid_from)s, %(valid_to)s, %(now)s)
RETURNING id::text AS id
"""
_SUPERSEDE: Final = """
INSERT INTO supersession (tenant_id, record, superseded_by, valid_from, recorded_at)
SELECT %(tenant)s, record::uuid, superseded_by::uuid, valid_from, %(now)s
  FROM unnest(%(ended)s::text[], %(by)s::text[], %(from)s::timestamptz[]) AS pair (record, superseded_by, valid_from)
"""
_SOURCED: Final = """
INSERT INTO record_source (tenant_id, record, actor, session, seq)
SELECT %(tenant)s, %(id)s::uuid, %(owner)s, * FROM unnest(%(sessions)s::text[], %(seqs)s::bigint[])
"""
_SEARCHABLE: Final = """
INSERT INTO passage (tenant_id, actor, kind, namespace, record, at, valid_to, recorded_at, importance, length, words,
                     embedder, embedding)
SELECT %(tenant)s, %(actor)s, %(kind)s, %(namespace)s, %(id)s::uuid, %(valid_from)s, %(valid_to)s, %(now)s,
       %(importance)s, length(words), words, %(embedder)s::text, %(vector)s::public.vector
  FROM to_tsvector(%(config)s::regconfig, concat_ws(' ', %(subject)s::text, %(text)s::text)) AS words
"""
_HOLDING: Final = """
    record IS NOT NULL AND actor = %(actor)s AND namespace = %(namespace)s AND kind = %(kind)s
    AND (valid_to IS NULL OR valid_to > %(now)s)
    AND NOT EXISTS (SELECT FROM supersession AS later
                     WHERE later.tenant_id = %(tenant)s AND later.record = passage.record)
"""
_TEXTS: Final = "SELECT id::text AS id, text FROM record WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[])"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What came of remembering. A record known before comes back with when it began to hold."""

    id: str
    new: bool
    valid_from: datetime
    succession: Succession


@dataclass(frozen=True, slots=True)
class Similar:
    """A record that may say the same."""

    id: str
    text: str
    similarity: float


class Records:
    """Writes records, and finds those that they take over from."""

    def __init__(self, postgres: PostgresStore, *, text_config: str) -> None:
        self._postgres = postgres
        self._config = text_config

    async def remember(
        self, tenant: str, owner: str, record: NewRecord, sources: Sequence[Source], vectors: Vectors | None, *,
        key: str | None, now: datetime,
    ) -> Remembered:  # fmt: skip
        """Write a record unless it stands already, and what it supersedes. `owner` is the actor of its sources.

        A `key` that is known already is that of a call sent again, and changes nothing.

        Raises:
            Conflict: The key names a record that says something else.
            NotFound: A source is no event of that actor.
            Unavailable: PostgreSQL does not answer.
        """
        valid_from = record.valid_from or now
        subject = {
            "tenant": tenant, "actor": record.actor, "namespace": record.namespace, "kind": record.kind,
            "subject": record.subject, "digest": record.digest, "owner": owner, "now": now,
            "from": valid_from, "key": key, "key_lock": json.dumps([tenant, record.actor, key]),
            "sessions": [one.session for one in sources], "seqs": [one.seq for one in sources],
        }  # fmt: skip
        subject["lock"] = json.dumps([tenant, record.actor, record.namespace, record.kind, record.subject])
        async with self._postgres.tenant(tenant) as transaction:
            standing_sql = _STANDING_OF_NONE if record.subject is None else _STANDING_OF_SUBJECT
            _, _, keyed, there, sourced = await transaction.run(
                [Statement(text, subject) for text in (_KEY_LOCK, _LOCK, _KEYED, standing_sql, _SOURCES)]
            )
            for one in keyed.rows:
                if one["digest"] != record.digest:
                    raise Conflict(
                        "This key names another record of this actor already; give what is new a key of its own.",
                        parameter="key",
                    )
                return Remembered(one["id"], False, one["valid_from"], Succession((), None))
            if sourced.rows[0]["there"] != len(sources):
                raise NotFound("One of the sources is no event of this actor.", parameter="sources")
            standing = [Standing(**row) for row in there.rows]
            for one in standing:
                if one.digest == record.digest:
                    if key is not None:
                        await transaction.run([Statement(_KEY, {**subject, "id": one.id})], commit=True)
                    return Remembered(one.id, False, one.valid_from, Succession((), None))
            if record.subject is None:
                standing = []
            after = succession(standing, valid_from, record.valid_to)
            id = await self._write(transaction, subject, record, valid_from, after, vectors)
        return Remembered(id, True, valid_from, after)

    async def _write(
        self, transaction: TenantTransaction, subject: Mapping[str, Any], record: NewRecord, valid_from: datetime,
        after: Succession, vectors: Vectors | None,
    ) -> str:  # fmt: skip
        row = {
            **subject, "text": record.text, "importance": record.importance, "valid_from": valid_from,
            "valid_to": record.valid_to, "config": self._config, "vector": None, "embedder": None,
        }  # fmt: skip
        if vectors is not None and (vector := vectors.literal(record.text)) is not None:
            row |= {"vector": vector, "embedder": vectors.tag}
        row["id"] = id = str((await transaction.run([Statement(_RECORD, row)]))[0].rows[0]["id"])
        pairs = [(one.id, id, valid_from) for one in after.supersedes]
        if after.superseded_by is not None:
            pairs.append((id, after.superseded_by.id, after.superseded_by.valid_from))
        row |= {"ended": [one[0] for one in pairs], "by": [one[1] for one in pairs], "from": [one[2] for one in pairs]}
        await transaction.run([Statement(text, row) for text in (_SEARCHABLE, _SUPERSEDE, _SOURCED, _KEY)], commit=True)
        return id

    async def similar(
        self, tenant: str, record: NewRecord, vectors: Vectors, *, besides: Sequence[str], now: datetime
    ) -> list[Similar]:
        """Records of the same actor, namespace and kind that hold and are nearly the same in meaning, nearest first."""
        vector = vectors.by_text.get(record.text)
        if vector is None:
            return []
        parameters = {
            **near(tenant, vectors.tag, vector, limit=MAX_SIMILAR + len(besides)),
            "actor": record.actor, "namespace": record.namespace, "kind": record.kind, "now": now,
        }  # fmt: skip
        query = nearest("passage", "record::text AS id", vectors.dimensions, where=_HOLDING)
        *_, found = await self._postgres.run(tenant, [*VECTOR_SETTINGS, Statement(query, parameters)])
        close = {
            str(row["id"]): 1 - float(row["distance"])
            for row in found.rows
            if row["id"] not in besides and 1 - row["distance"] >= NEAR_DUPLICATE
        }
        if not close:
            return []
        rows = await self._postgres.fetch(tenant, _TEXTS, {"tenant": tenant, "ids": list(close)})
        texts = {row["id"]: str(row["text"]) for row in rows}
        return [Similar(id, texts[id], value) for id, value in close.items() if id in texts][:MAX_SIMILAR]
