"""Entries read from PostgreSQL: by fingerprint, and by meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from tenantscope_core.stores.postgres import PostgresStore, Statement
from tenantscope_core.stores.vectors import VECTOR_SETTINGS, vector_literal

from tenantscope_semantic_cache.entries import Entry, Work
from tenantscope_semantic_cache.found import Near

LOOKUP_SECONDS: Final = 1.5
"""A look-up that takes longer is no use to a caller who could ask the model meanwhile."""
CANDIDATES: Final = 5

_COLUMNS: LiteralString = (
    "encode(e.entry_id, 'hex') AS entry_id, e.fingerprint, e.version, e.model, e.subject, e.agent, e.shared, "
    "e.shadowed, e.stored_at, e.expires_at, e.tokens_in, e.tokens_out, e.cost, e.currency, e.latency_ms"
)
_CHOSEN: LiteralString = """
SELECT fingerprint FROM entry
 WHERE tenant_id = %(tenant)s AND fingerprint = ANY(%(fingerprints)s) AND expires_at > %(now)s
 ORDER BY fingerprint = %(first)s DESC LIMIT 1
"""
_SAME: LiteralString = """
e.tenant_id = %(tenant)s AND e.fingerprint = chosen.fingerprint
  AND a.tenant_id = %(tenant)s AND a.answer_id = e.answer_id
"""
_FIND: LiteralString = f"""
SELECT {_COLUMNS}, a.text FROM ({_CHOSEN}) AS chosen, entry AS e, answer AS a WHERE {_SAME}
"""
# Read and noted at once: whoever replaces the answer afterwards sees until when a copy of this one may be trusted.
_FIND_TO_COPY: LiteralString = f"""
WITH chosen AS ({_CHOSEN})
UPDATE entry AS e SET copied_until = GREATEST(e.copied_until, LEAST(%(copied_until)s, e.expires_at))
  FROM chosen, answer AS a WHERE {_SAME}
RETURNING {_COLUMNS}, a.text
"""
_NEAREST: LiteralString = f"""
SELECT {_COLUMNS}, e.prompt, near.similarity,
       CASE WHEN near.similarity >= %(threshold)s THEN a.text END AS text
  FROM (SELECT fingerprint, 1 - (embedding OPERATOR(public.<=>) %(vector)s::public.vector) AS similarity FROM entry
         WHERE tenant_id = %(tenant)s AND scope = ANY(%(scopes)s) AND embedder = %(embedder)s
           AND expires_at > %(now)s
         ORDER BY similarity DESC, shared LIMIT %(candidates)s) AS near
  JOIN entry AS e ON e.tenant_id = %(tenant)s AND e.fingerprint = near.fingerprint
  JOIN answer AS a ON a.tenant_id = %(tenant)s AND a.answer_id = e.answer_id
 ORDER BY near.similarity DESC, e.shared
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry and the fingerprint that it is kept by."""

    entry: Entry
    fingerprint: bytes


class Reading:
    """Reads one tenant's entries, each question in one round trip.

    Every method raises `Unavailable` while PostgreSQL is down, slow or overloaded.
    """

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def find(
        self, tenant: str, fingerprints: Sequence[bytes], now: datetime, *, copied_until: datetime | None
    ) -> Found | None:
        """The entry of the first of these fingerprints that has one; noted as copied until then, if a time is given."""
        parameters = {
            "tenant": tenant,
            "fingerprints": list(fingerprints),
            "first": fingerprints[0],
            "now": now,
            "copied_until": copied_until,
        }
        statement = Statement(_FIND if copied_until is None else _FIND_TO_COPY, parameters)
        rows = (await self._store.run(tenant, [statement], statement_seconds=LOOKUP_SECONDS))[0].rows
        return Found(_entry(rows[0]), rows[0]["fingerprint"]) if rows else None

    async def nearest(
        self,
        tenant: str,
        scopes: Sequence[bytes],
        vector: Sequence[float],
        embedder: str,
        now: datetime,
        *,
        threshold: float,
    ) -> list[Near]:
        """The entries of these scopes nearest to a vector of that embedder, nearest first, at most five.

        Every entry of the scopes is compared, and none of any other: the search is exact.
        """
        parameters = {
            "tenant": tenant,
            "scopes": list(scopes),
            "embedder": embedder,
            "vector": vector_literal(vector),
            "now": now,
            "threshold": threshold,
            "candidates": CANDIDATES,
        }
        answers = await self._store.run(
            tenant, [*VECTOR_SETTINGS, Statement(_NEAREST, parameters)], statement_seconds=LOOKUP_SECONDS
        )
        return [Near(_entry(row), row["prompt"], min(1.0, row["similarity"])) for row in answers[-1].rows]


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        entry_id=row["entry_id"],
        version=row["version"],
        answer=row["text"] or "",
        model=row["model"],
        subject=row["subject"],
        agent=row["agent"],
        shared=row["shared"],
        shadowed=row["shadowed"],
        stored_at=row["stored_at"],
        expires_at=row["expires_at"],
        work=Work(row["tokens_in"], row["tokens_out"], row["cost"], row["currency"], row["latency_ms"]),
    )
