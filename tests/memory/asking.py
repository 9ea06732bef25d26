"""Agents that remember and recall, past identity and credentials, which have tests of their own."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.embeddings import Embedder
from tenantscope_core.identity.caller import Audience, Caller
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.valkey import ValkeyLimits, ValkeyStore
from tenantscope_core.tool import Call
from tenantscope_core.tool.outcome import answered
from tenantscope_memory.sources.conversations import Conversations
from tenantscope_memory.sources.embedding import Embedding
from tenantscope_memory.sources.hot_tail import HotTails
from tenantscope_memory.sources.open import Sources
from tenantscope_memory.sources.records import Records
from tenantscope_memory.sources.search import Search
from tenantscope_memory.tools import TOOLS

SCHEMA = "memory_test"
NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
KEY = CursorKey(b"k" * 32)
BY_NAME = {tool.name: tool for tool in TOOLS}


@dataclass
class Clock:
    """A wall clock that moves when a test says so."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class NobodysSession:
    """What a call's AWS session tells of itself; nothing here asks AWS."""

    tenant: str


@dataclass(frozen=True)
class Places:
    """Where the stores are."""

    dsn: str
    valkey_url: str
    embedder: Embedder


@dataclass(frozen=True)
class Agent:
    """A caller of one process's tools."""

    sources: Sources
    clock: Clock = field(default_factory=Clock)
    tenant: str = "acme"
    subject: str = "agent-1"

    def as_(self, **changes: Any) -> "Agent":
        """The same process, asked by another."""
        return replace(self, **changes)

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a tool, in the form and within the bounds in which it leaves."""
        declared = BY_NAME[tool]
        caller = Caller(
            self.subject, Audience.TENANT, self.tenant, None, frozenset(declared.scopes), NOW + timedelta(days=999)
        )
        call = Call(
            caller=caller,
            tenant=self.tenant,
            aws=cast(TenantSession, NobodysSession(self.tenant)),
            sources=self.sources,
            now=self.clock(),
            cursors=KEY.bind(server="memory", tool=tool, tenant=self.tenant, subject=self.subject),
            report_progress=_silent,
        )
        result, _ = answered(await declared.function(call, **declared.bound(arguments)))
        return cast(dict[str, Any], result.structured_content)

    async def say(self, session: str, *texts: str, **more: Any) -> dict[str, Any]:
        """Append texts, by user and assistant in turn, each under its own words as its key."""
        events = [
            {"role": "assistant" if number % 2 else "user", "text": text, "key": text[:200]}
            for number, text in enumerate(texts)
        ]
        return await self.ask("add_events", session=session, events=events, **more)

    async def texts(self, session: str, **more: Any) -> list[str]:
        """What a conversation holds, the whole of it, page by page."""
        found: list[str] = []
        cursor: str | None = None
        while True:
            given = {"cursor": cursor} if cursor else {}
            page = await self.ask("get_conversation", session=session, part="whole", **given, **more)
            found += [event["text"] for event in page["events"]]
            cursor = page.get("next_cursor")
            if cursor is None:
                assert len(found) == page["event_count"]
                return found

    async def found(self, query: str | None, **more: Any) -> list[str]:
        """The texts that recall finds, best first."""
        answer = await self.ask("recall", **({"query": query} if query is not None else {}), **more)
        return [memory["text"] for memory in answer["memories"]]


async def _silent(progress: float, total: float | None, message: str | None) -> None:
    """Nobody watches."""


@asynccontextmanager
async def process(
    places: Places, *, pinned: bool = False, with_valkey: bool = True, embedder: Embedder | None = None,
    wait_seconds: float = 20.0, patience_seconds: float = 10.0,
) -> AsyncGenerator[Sources]:  # fmt: skip
    """What a server opens, of a process of its own: it shares nothing with another but the stores."""
    limits = PostgresLimits(connections=8, connect_seconds=2, wait_seconds=patience_seconds)
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(PostgresStore(places.dsn, schema=SCHEMA, limits=limits))
        valkey = None
        if with_valkey:
            waits = ValkeyLimits(timeout_seconds=2.0, connect_seconds=2.0, wait_seconds=2.0)
            valkey = await stack.enter_async_context(ValkeyStore(places.valkey_url, limits=waits))
        hot = HotTails(valkey, rest_seconds=0.0)
        yield Sources(
            conversations=Conversations(postgres, hot, text_config="english"),
            records=Records(postgres, text_config="english"),
            search=Search(postgres, text_config="english"),
            embedding=Embedding(embedder or places.embedder, wait_seconds=wait_seconds),
            pinned=pinned,
        )
