"""Entries written to PostgreSQL, in one round trip and one transaction each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from tenantscope_core.stores.postgres import PostgresStore, Statement
from tenantscope_core.stores.vectors import vector_literal

from tenantscope_semantic_cache.entries import Entry
from tenantscope_semantic_cache.found import Former

EXPIRED_AT_ONCE: Final = 100
"""Rows that one write clears away at most, of what expired and of what is too much."""

# The first statement keeps the tenant's other writes out until this one is done; each later one sees what they did.
_BEGIN: LiteralString = """
INSERT INTO ledger AS l (tenant_id, version, entries, evicted_until) VALUES (%(tenant)s, 1, 0, to_timestamp(0))
ON CONFLICT (tenant_id) DO UPDATE SET version = l.version + 1 RETURNING evicted_until
"""
_FORMER: LiteralString = """
SELECT encode(entry_id, 'hex') AS entry_id, stored_at, subject, agent, shared FROM entry
 WHERE tenant_id = %(tenant)s AND fingerprint = %(fingerprint)s AND expires_at > %(stored_at)s
"""
# A copy of what is shared is found in one round trip, without asking whether the user has an answer of its own: so
# from the first such answer on, a copy has to say that there are some, and copies that do not are former ones.
_SHADOW: LiteralString = """
UPDATE entry AS e SET shadowed = true, version = l.version,
       stale_until = CASE WHEN e.shadowed THEN e.stale_until ELSE GREATEST(e.stale_until, e.copied_until) END
  FROM ledger AS l
 WHERE l.tenant_id = %(tenant)s AND e.tenant_id = %(tenant)s AND e.fingerprint = %(among_all)s
   AND e.shared AND NOT %(shared)s::boolean
RETURNING e.stale_until
"""
_ANSWER: LiteralString = """
INSERT INTO answer AS a (tenant_id, answer_id, text, uses) VALUES (%(tenant)s, %(answer_id)s, %(text)s, 1)
ON CONFLICT (tenant_id, answer_id) DO UPDATE SET uses = a.uses + 1
"""
_FORMER_ANSWER: LiteralString = """
UPDATE answer AS a SET uses = a.uses - 1 FROM entry AS e
 WHERE e.tenant_id = %(tenant)s AND e.fingerprint = %(fingerprint)s
   AND a.tenant_id = %(tenant)s AND a.answer_id = e.answer_id
"""
_COUNT: LiteralString = """
UPDATE ledger SET entries = entries + 1 WHERE tenant_id = %(tenant)s AND NOT EXISTS (
  SELECT FROM entry WHERE tenant_id = %(tenant)s AND fingerprint = %(fingerprint)s)
"""
_ENTRY: LiteralString = """
INSERT INTO entry AS e (
  tenant_id, fingerprint, among_all, shadowed, scope, entry_id, answer_id, version, prompt, embedder, embedding, model,
  subject, agent, shared, tokens_in, tokens_out, cost, currency, latency_ms, stored_at, expires_at, copied_until,
  stale_until)
SELECT %(tenant)s, %(fingerprint)s, %(among_all)s, %(shared)s AND EXISTS (
         SELECT FROM entry WHERE tenant_id = %(tenant)s AND among_all = %(among_all)s AND NOT shared),
       %(scope)s, decode(%(entry_id)s, 'hex'), %(answer_id)s, l.version, %(prompt)s,
       %(embedder)s, %(vector)s::public.vector, %(model)s, %(subject)s, %(agent)s, %(shared)s, %(tokens_in)s::bigint,
       %(tokens_out)s::bigint, %(cost)s::numeric, %(currency)s, %(latency_ms)s::bigint, %(stored_at)s, %(expires_at)s,
       %(copied_until)s, l.evicted_until
  FROM ledger AS l WHERE l.tenant_id = %(tenant)s
ON CONFLICT (tenant_id, fingerprint) DO UPDATE SET
  shadowed = excluded.shadowed, version = excluded.version,
  entry_id = excluded.entry_id, answer_id = excluded.answer_id,
  embedder = coalesce(excluded.embedder, e.embedder), embedding = coalesce(excluded.embedding, e.embedding),
  subject = excluded.subject, agent = excluded.agent, tokens_in = excluded.tokens_in,
  tokens_out = excluded.tokens_out, cost = excluded.cost, currency = excluded.currency,
  latency_ms = excluded.latency_ms, stored_at = excluded.stored_at, expires_at = excluded.expires_at,
  copied_until = GREATEST(e.copied_until, excluded.copied_until),
  stale_until = CASE WHEN e.entry_id = excluded.entry_id AND e.expires_at <= excluded.expires_at THEN e.stale_until
                     ELSE GREATEST(e.stale_until, e.copied_until) END
RETURNING version, shadowed, stale_until
"""
# Of what is too much, first what was not looked up lately, and of that first what expires first.
_CLEAR: LiteralString = """
WITH expired AS (
  SELECT fingerprint FROM entry WHERE tenant_id = %(tenant)s AND expires_at <= %(stored_at)s
   ORDER BY expires_at LIMIT %(at_once)s),
surplus AS (
  SELECT fingerprint FROM entry
   WHERE (SELECT entries FROM ledger WHERE tenant_id = %(tenant)s) - (SELECT count(*) FROM expired) > %(most)s
     AND tenant_id = %(tenant)s AND fingerprint <> %(fingerprint)s AND expires_at > %(stored_at)s
   ORDER BY copied_until > %(stored_at)s, expires_at LIMIT %(surplus_at_once)s),
gone AS (
  DELETE FROM entry WHERE tenant_id = %(tenant)s
     AND fingerprint IN (SELECT fingerprint FROM expired UNION ALL SELECT fingerprint FROM surplus)
  RETURNING answer_id, GREATEST(copied_until, stale_until) AS trusted_until),
freed AS (
  UPDATE answer AS a SET uses = a.uses - g.uses
    FROM (SELECT answer_id, count(*) AS uses FROM gone GROUP BY answer_id) AS g
   WHERE a.tenant_id = %(tenant)s AND a.answer_id = g.answer_id)
UPDATE ledger SET entries = entries - (SELECT count(*) FROM gone),
       evicted_until = GREATEST(evicted_until, (SELECT max(trusted_until) FROM gone))
 WHERE tenant_id = %(tenant)s AND EXISTS (SELECT FROM gone)
"""
_DROP_UNUSED: LiteralString = "DELETE FROM answer WHERE tenant_id = %(tenant)s AND uses = 0"


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be kept, whatever its version will be. `vector` is None where it is not to be found by meaning."""

    entry: Entry
    fingerprint: bytes
    among_all: bytes
    scope: bytes
    answer_id: bytes
    prompt: str
    embedder: str | None
    vector: Sequence[float] | None


@dataclass(frozen=True, slots=True)
class Written:
    """An entry that is durable, and until when copies may be trusted that it makes former ones.

    Those under its own fingerprint until `stale_until`; and, where it is a user's own, those of what is shared, which
    do not know of it, until `unaware_until`.
    """

    version: int
    shadowed: bool
    former: Former | None
    stale_until: datetime
    unaware_until: datetime


class Writing:
    """Writes one tenant's entries, at most `most` of them kept."""

    def __init__(self, store: PostgresStore, *, most: int) -> None:
        self._store = store
        self._most = most

    async def put(self, tenant: str, new: NewEntry, *, copied_until: datetime) -> Written:
        """Keep an entry in the place of what its fingerprint had, and clear away some of what is past or too much.

        Raises:
            Unavailable: PostgreSQL is down, slow or overloaded; whether the entry is kept is not known.
        """
        parameters = self._parameters(tenant, new, copied_until)
        statements = (_BEGIN, _FORMER, _SHADOW, _ANSWER, _FORMER_ANSWER, _COUNT, _ENTRY, _CLEAR, _DROP_UNUSED)
        answers = await self._store.run(tenant, [Statement(text, parameters) for text in statements])
        (begun,), former, shadowed, (kept,) = (answers[at].rows for at in (0, 1, 2, 6))
        unaware = [begun["evicted_until"], *(row["stale_until"] for row in shadowed)]
        return Written(
            kept["version"],
            kept["shadowed"],
            Former(**former[0]) if former else None,
            kept["stale_until"],
            max(unaware),
        )

    def _parameters(self, tenant: str, new: NewEntry, copied_until: datetime) -> dict[str, Any]:
        entry = new.entry
        return {
            "tenant": tenant,
            "fingerprint": new.fingerprint,
            "among_all": new.among_all,
            "scope": new.scope,
            "entry_id": entry.entry_id,
            "answer_id": new.answer_id,
            "text": entry.answer,
            "prompt": new.prompt,
            "embedder": new.embedder,
            "vector": None if new.vector is None else vector_literal(new.vector),
            "model": entry.model,
            "subject": entry.subject,
            "agent": entry.agent,
            "shared": entry.shared,
            "tokens_in": entry.work.tokens_in,
            "tokens_out": entry.work.tokens_out,
            "cost": entry.work.cost,
            "currency": entry.work.currency,
            "latency_ms": entry.work.latency_ms,
            "stored_at": entry.stored_at,
            "expires_at": entry.expires_at,
            "copied_until": copied_until,
            "most": self._most,
            "at_once": EXPIRED_AT_ONCE,
            "surplus_at_once": max(1, min(EXPIRED_AT_ONCE, self._most // 20)),
        }
