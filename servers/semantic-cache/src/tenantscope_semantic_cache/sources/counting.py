"""Look-ups counted in this process and added up in PostgreSQL, each once."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, LiteralString

import anyio
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.results.periods import Period
from tenantscope_core.stores.postgres import PostgresStore, Statement

from tenantscope_semantic_cache.usage import Counted, Holdings, Line, Sums

log = logging.getLogger(__name__)

WRITE_EVERY_SECONDS: Final = 5.0
LAST_WRITE_SECONDS: Final = 5.0
MAX_WAITING_LINES: Final = 50_000
MAX_TENANT_LINES: Final = 1_000
"""Lines of one tenant that wait; after that its models, whose names are its own, are counted as one."""
MANY_MODELS: Final = "(many models)"
LISTED_MODELS: Final = 8

# A batch whose answer got lost is sent again under its number, and counts if it did not before.
_ADD: LiteralString = """
WITH fresh AS (
  INSERT INTO counted_batch (tenant_id, batch, counted_at) VALUES (%(tenant)s, %(batch)s, %(now)s)
  ON CONFLICT DO NOTHING RETURNING tenant_id)
INSERT INTO usage_day AS u (
  tenant_id, day, model, outcome, skipped, currency, lookups, tokens_in, tokens_out, cost, latency_ms)
SELECT %(tenant)s, line.* FROM fresh, unnest(
  %(days)s::date[], %(models)s::text[], %(outcomes)s::text[], %(skipped)s::text[], %(currencies)s::text[],
  %(lookups)s::bigint[], %(tokens_in)s::bigint[], %(tokens_out)s::bigint[], %(costs)s::numeric[],
  %(latencies)s::bigint[]) AS line
ON CONFLICT (tenant_id, day, model, outcome, skipped, currency) DO UPDATE SET
  lookups = u.lookups + excluded.lookups, tokens_in = u.tokens_in + excluded.tokens_in,
  tokens_out = u.tokens_out + excluded.tokens_out, cost = u.cost + excluded.cost,
  latency_ms = u.latency_ms + excluded.latency_ms
"""
_FORGET_BATCHES: LiteralString = """
DELETE FROM counted_batch WHERE tenant_id = %(tenant)s AND batch IN (
  SELECT batch FROM counted_batch WHERE tenant_id = %(tenant)s AND counted_at < %(now)s - interval '1 day'
   ORDER BY counted_at LIMIT 100)
"""
_SUMS: LiteralString = """
WITH lines AS (
  SELECT model, outcome, skipped, currency, sum(lookups)::bigint AS lookups, sum(tokens_in)::bigint AS tokens_in,
         sum(tokens_out)::bigint AS tokens_out, sum(cost) AS cost, sum(latency_ms)::bigint AS latency_ms
    FROM usage_day WHERE tenant_id = %(tenant)s AND day >= %(start)s AND day < %(end)s GROUP BY 1, 2, 3, 4),
places AS (
  SELECT model, row_number() OVER (ORDER BY sum(lookups) DESC, model) AS place FROM lines GROUP BY model)
SELECT CASE WHEN place <= %(listed)s THEN model END AS model, outcome, skipped, currency,
       sum(lookups)::bigint AS lookups, sum(tokens_in)::bigint AS tokens_in,
       sum(tokens_out)::bigint AS tokens_out, sum(cost) AS cost,
       sum(latency_ms)::bigint AS latency_ms, (SELECT count(*) FROM places) AS models
  FROM lines JOIN places USING (model) GROUP BY 1, 2, 3, 4
"""
_LATEST: LiteralString = "SELECT max(day) AS day FROM usage_day WHERE tenant_id = %(tenant)s"
_HOLDINGS: LiteralString = """
SELECT count(*) AS entries, count(*) FILTER (WHERE shared) AS shared,
       coalesce(sum(octet_length(prompt) + coalesce(pg_column_size(embedding), 0)), 0)::bigint AS prompt_bytes,
       (SELECT coalesce(sum(octet_length(text)), 0)::bigint FROM answer AS a WHERE a.tenant_id = %(tenant)s
          AND EXISTS (SELECT FROM entry AS e WHERE e.tenant_id = %(tenant)s AND e.answer_id = a.answer_id
                         AND e.expires_at > %(now)s)) AS answer_bytes
  FROM entry WHERE tenant_id = %(tenant)s AND expires_at > %(now)s
"""


@dataclass(frozen=True, slots=True)
class _Batch:
    number: bytes
    lines: dict[Line, Sums]


class Counting:
    """Counts of all tenants, written every few seconds while `written_behind` runs.

    What one process has not written when it is killed is lost: at most the look-ups of the last seconds, and no more
    than those since PostgreSQL went down. What it has written is counted exactly once.
    """

    def __init__(self, store: PostgresStore, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._open: dict[str, dict[Line, Sums]] = {}
        self._sent: dict[str, _Batch] = {}
        self._lines = 0
        self._writing = anyio.Lock()

    def count(self, tenant: str, line: Line, sums: Sums) -> None:
        """Count look-ups; those that would be one line too many to wait for being written are not."""
        lines = self._open.setdefault(tenant, {})
        if line not in lines and len(lines) >= MAX_TENANT_LINES:
            line = replace(line, model=MANY_MODELS)
        if line not in lines:
            if len(lines) >= 2 * MAX_TENANT_LINES or self._lines >= MAX_WAITING_LINES:
                log.warning("too many counts wait to be written; some are not kept")
                return
            self._lines += 1
            lines[line] = Sums()
        lines[line].add(sums)

    async def write(self, tenant: str) -> None:
        """Write what is counted for a tenant.

        Raises:
            Unavailable: PostgreSQL is down, slow or overloaded; it is kept for the next time.
        """
        async with self._writing:
            for _ in range(2):  # a batch whose answer got lost, and what came since
                batch = self._sent.get(tenant) or self._new_batch(tenant)
                if batch is None:
                    return
                await self._store.run(tenant, self._statements(tenant, batch))
                del self._sent[tenant]
                self._lines -= len(batch.lines)

    async def write_all(self) -> None:
        """Write what is counted for everybody; what cannot be written now is kept."""
        for tenant in {**self._sent, **self._open}:
            try:
                await self.write(tenant)
            except ToolFailure:
                return  # one store for all: it is down for the others as well
            except Exception:  # a fault of ours about one tenant, which must not keep the others from being counted
                log.exception("counts could not be written")

    @asynccontextmanager
    async def written_behind(self) -> AsyncGenerator[None]:
        """Write every few seconds while the block runs, and once more at its end."""
        task = asyncio.create_task(self._write_again_and_again())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with anyio.move_on_after(LAST_WRITE_SECONDS, shield=True):
                await self.write_all()

    async def sums(self, tenant: str, period: Period) -> tuple[list[Counted], int]:
        """What is counted for a tenant in a period, the models with most look-ups by name, and how many there are."""
        parameters = {"tenant": tenant, "start": period.start, "end": period.end, "listed": LISTED_MODELS}
        rows = await self._store.fetch(tenant, _SUMS, parameters)
        return [_counted(row) for row in rows], rows[0]["models"] if rows else 0

    async def latest_day(self, tenant: str) -> Any:
        """The last day with a look-up, None where there is none."""
        return (await self._store.fetch(tenant, _LATEST, {"tenant": tenant}))[0]["day"]

    async def holdings(self, tenant: str, now: datetime) -> Holdings:
        """What a tenant has in the cache now."""
        (row,) = await self._store.fetch(tenant, _HOLDINGS, {"tenant": tenant, "now": now})
        return Holdings(row["entries"], row["shared"], row["prompt_bytes"] + row["answer_bytes"])

    async def _write_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_SECONDS)
            await self.write_all()

    def _new_batch(self, tenant: str) -> _Batch | None:
        lines = self._open.pop(tenant, None)
        if not lines:
            return None
        self._sent[tenant] = _Batch(secrets.token_bytes(16), lines)
        return self._sent[tenant]

    def _statements(self, tenant: str, batch: _Batch) -> Sequence[Statement]:
        lines, sums = list(batch.lines), list(batch.lines.values())
        parameters: dict[str, Any] = {
            "tenant": tenant,
            "batch": batch.number,
            "now": self._clock(),
            "days": [line.day for line in lines],
            "models": [line.model for line in lines],
            "outcomes": [line.outcome for line in lines],
            "skipped": [line.skipped for line in lines],
            "currencies": [line.currency for line in lines],
            "lookups": [one.lookups for one in sums],
            "tokens_in": [one.tokens_in for one in sums],
            "tokens_out": [one.tokens_out for one in sums],
            "costs": [one.cost for one in sums],
            "latencies": [one.latency_ms for one in sums],
        }
        return [Statement(_ADD, parameters), Statement(_FORGET_BATCHES, parameters)]


def _counted(row: dict[str, Any]) -> Counted:
    sums = Sums(row["lookups"], row["tokens_in"], row["tokens_out"], row["cost"], row["latency_ms"])
    return Counted(row["model"], row["outcome"], row["skipped"], row["currency"], sums)
