"""Random histories on two replicas whose ways to the stores are cut and mended, against a model of what may be said."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any, TypeVar

import psycopg
import pytest
from fixtures.stores import Database, RunningPart
from fixtures.tcp_proxy import TcpProxy
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from psycopg.conninfo import make_conninfo
from semantic_cache.asking import COPY_SECONDS, SCHEMA, TABLES, Clock, Parts, User
from tenantscope_core.embeddings.local import LocalEmbedder
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore
from tenantscope_core.stores.valkey import ValkeyLimits, ValkeyStore
from tenantscope_sandbox.parts import valkey
from tenantscope_sandbox.processes import free_port
from tenantscope_semantic_cache.models import Lookup

T = TypeVar("T")

PROMPT = "How do I get a refund for my annual plan?"
PARAPHRASE = "How can I get a refund for my annual plan?"
LIMITS = PostgresLimits(connections=2, connect_seconds=1, wait_seconds=0.2, statement_seconds=3)
PATIENT = ValkeyLimits(timeout_seconds=2)


@dataclass(frozen=True)
class Answer:
    """An answer that may stand in a place, until it expires."""

    text: str
    expires_at: datetime


Place = tuple[str, str | None]
"""A tenant, and a user or None for what its users share."""


@dataclass
class Replica:
    """One server process and its ways to the stores."""

    parts: Parts
    to_postgres: TcpProxy
    to_valkey: TcpProxy


class Histories(RuleBasedStateMachine):
    """`may_stand` has for each place what a look-up may find: one answer, or more while a store is not acknowledged."""

    make: Callable[[AsyncExitStack, Clock], Coroutine[Any, Any, list[Replica]]]
    ports: tuple[int, int]

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[Place, str] = {}
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.stack = AsyncExitStack()
        self.replicas = self.runner.run(type(self).make(self.stack, self.clock))
        self.may_stand: dict[Place, set[Answer | None]] = {}
        self.stored = 0

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    def user(self, replica: int, tenant: str, subject: str) -> User:
        return self.replicas[replica].parts.user(tenant, subject, most=1_000)

    @rule(event=st.deferred(lambda: st.sampled_from(EVENTS)))
    def happens(self, event: Callable[["Histories"], None]) -> None:
        event(self)

    def store(self, replica: int, tenant: str, subject: str, shared: bool, again: bool, ttl: int) -> None:
        self.stored += 1
        place = (tenant, None if shared else subject)
        text = f"{tenant}/{place[1]}/{self.stored}"
        text = self.last[place] = self.last.get(place, text) if again else text
        new = Answer(text, self.clock.now + timedelta(seconds=ttl))
        try:
            stored = self.run(self.user(replica, tenant, subject).store(PROMPT, text, shared=shared, ttl_seconds=ttl))
        except Unavailable:
            self.may_stand[place] = self.may_stand.get(place, {None}) | {new}
        else:
            assert stored.expires_at == new.expires_at
            self.may_stand[place] = {new}

    def look_up(self, replica: int, tenant: str, subject: str, prompt: str) -> None:
        found = self.run(self.user(replica, tenant, subject).look_up(prompt))
        self.hold(found, self.may_be_found(tenant, subject))

    def hold(self, found: Lookup, expected: set[Answer | None]) -> None:
        """Hold what was found against what may stand there."""
        if not found.hit:
            assert None in expected or found.degraded, (expected, found)
            return
        assert found.answer in {one.text for one in expected if one}, (expected, found)
        assert found.expires_at is not None
        assert self.clock.now < found.expires_at

    def may_be_found(self, tenant: str, subject: str) -> set[Answer | None]:
        own = self.alive((tenant, subject))
        return own if None not in own else own - {None} | self.alive((tenant, None))

    def alive(self, place: Place) -> set[Answer | None]:
        return {one if one and self.clock.now < one.expires_at else None for one in self.may_stand.get(place, {None})}

    def flush(self) -> None:
        self.replicas[0].parts.flush()

    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def cut(self, replica: int, store: str) -> None:
        self.run(self.lead(replica, store, free_port()))

    def mend(self, replica: int) -> None:
        self.run(self.lead(replica, "postgres", self.ports[0]))
        self.run(self.lead(replica, "valkey", self.ports[1]))
        self.run(self.reached(replica))

    async def lead(self, replica: int, store: str, port: int) -> None:
        one = self.replicas[replica]
        proxy = one.to_postgres if store == "postgres" else one.to_valkey
        proxy.retarget(port)
        proxy.cut()

    async def reached(self, replica: int) -> None:
        async with asyncio.timeout(10):
            while True:
                try:
                    await self.replicas[replica].parts.postgres.fetch("acme", "SELECT 1")
                except Unavailable:
                    continue
                return

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(doing)


def _events() -> Iterator[Callable[[Histories], None]]:
    """Whatever may happen, as often as it is to happen."""
    users = [("acme", "ann"), ("acme", "ann"), ("acme", "bob"), ("acme_corp", "ann")]
    for replica, (tenant, subject) in product((0, 1), users):
        for prompt in (PROMPT, PROMPT, PARAPHRASE):
            yield partial(Histories.look_up, replica=replica, tenant=tenant, subject=subject, prompt=prompt)
        for shared, again, ttl in ((True, False, 3_000), (True, False, 30), (False, False, 3_000), (True, True, 3_000)):
            yield partial(
                Histories.store, replica=replica, tenant=tenant, subject=subject, shared=shared, again=again, ttl=ttl
            )
    for replica in (0, 1):
        yield from [partial(Histories.cut, replica=replica, store="postgres")] * 2
        yield from [partial(Histories.cut, replica=replica, store="valkey")] * 3
        yield from [partial(Histories.mend, replica=replica)] * 3
    yield from (Histories.flush, partial(Histories.time_passes, seconds=20))
    yield from (partial(Histories.time_passes, seconds=COPY_SECONDS - by) for by in (1, -10))


EVENTS = list(_events())


@pytest.mark.requirement("any-history")
def test_no_history_brings_back_a_former_answer_or_anybody_elses(
    migrated: Database,
    postgres_part: RunningPart,
    valkey_part: RunningPart,
    embedder: LocalEmbedder,
):
    async def make(stack: AsyncExitStack, clock: Clock) -> list[Replica]:
        with psycopg.connect(migrated.superuser, autocommit=True) as superuser:
            for table in TABLES:
                superuser.execute(f"DELETE FROM {SCHEMA}.{table}")
        admin = valkey.url(valkey_part.state, valkey_part.port, "admin")
        made: list[Replica] = []
        for _ in range(2):
            to_postgres = await stack.enter_async_context(TcpProxy(postgres_part.port))
            to_valkey = await stack.enter_async_context(TcpProxy(valkey_part.port))
            dsn = make_conninfo(migrated.application, port=to_postgres.port)
            postgres = await stack.enter_async_context(PostgresStore(dsn, schema=SCHEMA, limits=LIMITS))
            url = valkey.url(valkey_part.state, to_valkey.port)
            store = await stack.enter_async_context(ValkeyStore(url, limits=PATIENT))
            made.append(Replica(Parts(postgres, store, embedder, admin, clock), to_postgres, to_valkey))
        made[0].parts.flush()
        return made

    class Bound(Histories):
        pass

    Bound.make, Bound.ports = staticmethod(make), (postgres_part.port, valkey_part.port)
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType]
        Bound,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
