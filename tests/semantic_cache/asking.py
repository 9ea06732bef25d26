"""Users who look answers up and store them, past identity and credentials, which have tests of their own."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import valkey
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.embeddings import CachedEmbedder, Embedder
from tenantscope_core.identity.caller import Audience, Caller
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.resting import Resting
from tenantscope_core.stores.valkey import ValkeyStore
from tenantscope_core.tool import Call, Tool
from tenantscope_core.tool.outcome import answered
from tenantscope_semantic_cache.models import CacheStats, Lookup, Stored
from tenantscope_semantic_cache.sources.cache import Cache
from tenantscope_semantic_cache.sources.counting import Counting
from tenantscope_semantic_cache.sources.exact import ExactTier
from tenantscope_semantic_cache.sources.open import Sources
from tenantscope_semantic_cache.sources.reading import Reading
from tenantscope_semantic_cache.sources.writing import Writing
from tenantscope_semantic_cache.tools.get_cache_stats import get_cache_stats
from tenantscope_semantic_cache.tools.lookup_answer import lookup_answer
from tenantscope_semantic_cache.tools.store_answer import store_answer

SCHEMA = "semantic_cache_test"
TABLES = ("entry", "answer", "ledger", "usage_day", "counted_batch")
NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
COPY_SECONDS = 600.0


def wide_limits() -> PostgresLimits:
    """Patience for a machine under load, and none for a database that is not there."""
    return PostgresLimits(connections=8, connect_seconds=2, wait_seconds=2, statement_seconds=5)


@dataclass
class Clock:
    """A wall clock that moves when a test says so."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class NobodysSession:
    """What a call's AWS session tells of itself; nothing here asks AWS."""

    tenant: str


@dataclass(frozen=True)
class Parts:
    """The stores and the model of a server."""

    postgres: PostgresStore
    valkey: ValkeyStore
    embedder: Embedder
    valkey_admin: str
    clock: Clock = field(default_factory=Clock)

    def flush(self) -> None:
        """Empty Valkey."""
        with valkey.Valkey.from_url(self.valkey_admin) as client:  # pyright: ignore[reportUnknownMemberType]
            client.flushall()  # pyright: ignore[reportUnknownMemberType]

    def sources(
        self, *, most: int = 1_000, threshold: float = 0.95, exact: ExactTier | None = None, with_valkey: bool = True
    ) -> Sources:
        """What a server opens, of a process of its own."""
        store = self.valkey if with_valkey else None
        cache = Cache(
            exact or ExactTier(store, Resting(rest_seconds=0.0)),
            Reading(self.postgres),
            Writing(self.postgres, most=most),
            CachedEmbedder(self.embedder, store, expire_seconds=3_600),
            copy_seconds=COPY_SECONDS,
        )
        return Sources(cache, Counting(self.postgres, clock=self.clock), threshold, 86_400)

    def user(self, tenant: str = "acme", subject: str = "ann", sources: Sources | None = None, **given: Any) -> "User":
        """A user of a tenant, on a process of its own unless sources are given."""
        return User(sources or self.sources(**given), tenant, subject, self.clock)


@dataclass(frozen=True)
class User:
    """One caller and the process that answers."""

    sources: Sources
    tenant: str
    subject: str
    clock: Clock
    scope: dict[str, Any] = field(default_factory=dict[str, Any])
    actors: tuple[str, ...] = ()

    def within(self, **scope: Any) -> "User":
        """The same caller, in a scope."""
        return replace(self, scope=scope)

    async def look_up(self, prompt: str, **arguments: Any) -> Lookup:
        return await self.ask(lookup_answer, prompt=prompt, **{**self.scope, **arguments})

    async def store(self, prompt: str, answer: str, **arguments: Any) -> Stored:
        return await self.ask(store_answer, prompt=prompt, answer=answer, **{**self.scope, **arguments})

    async def stats(self, period: str = "latest") -> CacheStats:
        return await self.ask(get_cache_stats, period=period)

    async def ask(self, tool: Tool, **arguments: Any) -> Any:
        """The answer of a tool, which fits what a host may be sent."""
        call = Call(
            caller=Caller(
                self.subject,
                Audience.TENANT,
                self.tenant,
                None,
                tool.scopes,
                self.clock.now + timedelta(hours=1),
                self.actors,
            ),
            tenant=self.tenant,
            aws=cast(TenantSession, NobodysSession(self.tenant)),
            sources=self.sources,
            now=self.clock.now,
            cursors=CursorKey(b"k" * 32).bind(
                server="semantic-cache", tool=tool.name, tenant=self.tenant, subject=self.subject
            ),
            report_progress=_ignore,
        )
        answer = await tool.function(call, **tool.bound(arguments))
        answered(answer)
        return answer


async def _ignore(done: float, total: float | None, message: str | None) -> None:
    pass


WORK: dict[str, Any] = {"tokens_in": 1_200, "tokens_out": 340, "cost": "0.0087", "currency": "USD", "latency_ms": 2_400}
SAVED = Decimal("0.0087")
