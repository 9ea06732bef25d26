"""Either store killed and brought back: what is served meanwhile, what is said, that nothing acknowledged is lost."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync
from fixtures.stores import RunningPart
from fixtures.tcp_proxy import TcpProxy
from semantic_cache.asking import COPY_SECONDS, Parts, User
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.resting import Resting
from tenantscope_core.stores.valkey import ValkeyStore
from tenantscope_sandbox.parts import valkey
from tenantscope_semantic_cache.entries import Copy, version_mark
from tenantscope_semantic_cache.scope import Scope, fingerprint
from tenantscope_semantic_cache.sources.cache import CLOCKS_APART
from tenantscope_semantic_cache.sources.exact import COPY_WITHIN_SECONDS, NAMESPACE, ExactTier

mended = pytest.mark.usefixtures("mended")

PROMPT = "How do I get a refund for my annual plan?"
PARAPHRASE = "How can I get a refund for my annual plan?"


def named(degraded: list[str]) -> list[str]:
    return [one.partition(":")[0] for one in degraded]


@asynccontextmanager
async def behind(parts: Parts, part: RunningPart) -> AsyncGenerator[tuple[TcpProxy, Parts]]:
    """The same stores, but a way to Valkey of one's own that can be cut."""
    async with TcpProxy(part.port) as proxy, ValkeyStore(valkey.url(part.state, proxy.port)) as store:
        yield proxy, replace(parts, valkey=store)


@pytest.mark.requirement("degrades-by-choice")
@mended
async def test_without_valkey_both_tiers_answer_from_postgresql_and_say_so(parts: Parts, valkey_part: RunningPart):
    ann = parts.user()
    await ann.store(PROMPT, "old")
    await run_sync(valkey_part.kill)
    exact, semantic = await ann.look_up(PROMPT), await ann.look_up(PARAPHRASE)
    assert (exact.tier, exact.answer, named(exact.degraded)) == ("exact", "old", ["valkey"])
    assert (semantic.tier, semantic.answer, named(semantic.degraded)) == ("semantic", "old", ["valkey"])
    other = await ann.store("Which plans include single sign-on?", "Business.")
    assert (other.outcome, named(other.degraded)) == ("stored", ["valkey"])
    await run_sync(valkey_part.start)
    back = await ann.look_up("Which plans include single sign-on?")
    assert (back.answer, back.degraded) == ("Business.", [])


@pytest.mark.requirement("degrades-by-choice")
@mended
async def test_without_postgresql_copies_serve_and_a_store_is_refused_for_now(parts: Parts, postgres_part: RunningPart):
    ann = parts.user()
    stored = await ann.store(PROMPT, "kept")
    await run_sync(postgres_part.kill)
    found = await ann.look_up(PROMPT)
    assert (found.tier, found.answer, found.entry_id, found.degraded) == ("exact", "kept", stored.entry_id, [])
    missed = await ann.look_up(PARAPHRASE)
    assert (missed.hit, named(missed.degraded)) == (False, ["postgresql"])
    assert missed.semantic.startswith("skipped: no_database")
    with pytest.raises(Unavailable) as refused:
        await ann.store(PROMPT, "new")
    assert refused.value.remedy.retry_after_seconds
    assert (await ann.look_up(PROMPT)).answer == "kept"
    await run_sync(postgres_part.start)
    assert (await until_stored(ann, PROMPT, "new")).outcome == "replaced"
    assert (await ann.look_up(PROMPT)).answer == "new"


@pytest.mark.requirement("degrades-by-choice")
@mended
async def test_without_either_a_look_up_is_a_miss_that_says_so(
    parts: Parts, postgres_part: RunningPart, valkey_part: RunningPart
):
    ann = parts.user()
    await ann.store(PROMPT, "kept")
    await run_sync(valkey_part.kill)
    await run_sync(postgres_part.kill)
    missed = await ann.look_up(PROMPT)
    assert (missed.hit, named(missed.degraded)) == (False, ["valkey", "postgresql"])
    await run_sync(valkey_part.start)
    await run_sync(postgres_part.start)
    with anyio.fail_after(10):
        while not (found := await ann.look_up(PROMPT)).hit:
            assert found.degraded
    assert found.answer == "kept"


@pytest.mark.requirement("nothing-acknowledged-lost")
@mended
async def test_nothing_acknowledged_is_lost_when_postgresql_is_killed_under_load(
    parts: Parts, postgres_part: RunningPart
):
    sources = parts.sources()
    acknowledged: dict[tuple[str, int], str] = {}

    async def store(tenant: str) -> None:
        user = parts.user(tenant, sources=sources).within(tools="no comparing")
        for number in range(10_000):
            try:
                await user.store(f"question number {number}", f"{tenant} {number}")
            except Unavailable:
                return
            acknowledged[tenant, number] = f"{tenant} {number}"

    async with anyio.create_task_group() as group:
        for tenant in ("acme", "globex", "acme_corp"):
            group.start_soon(store, tenant)
        while len(acknowledged) < 60:
            await anyio.sleep(0.005)
        await run_sync(postgres_part.kill)
    await run_sync(postgres_part.start)
    parts.flush()
    await until_stored(parts.user("globex", sources=sources), PROMPT, "up again")
    for (tenant, number), answer in acknowledged.items():
        user = parts.user(tenant, sources=sources).within(tools="no comparing")
        assert (await user.look_up(f"question number {number}")).answer == answer


@mended
async def test_a_valkey_that_comes_back_with_what_it_knew_serves_no_former_answer(
    parts: Parts, valkey_part: RunningPart
):
    ann = parts.user()
    await ann.store(PROMPT, "old")
    await run_sync(valkey_part.kill)
    with pytest.raises(Unavailable) as refused:
        await ann.store(PROMPT, "new")
    assert refused.value.remedy.retry_after_seconds == COPY_SECONDS + CLOCKS_APART.total_seconds()
    parts.clock.advance(COPY_SECONDS + CLOCKS_APART.total_seconds())
    assert (await ann.store(PROMPT, "new")).outcome == "renewed"
    await run_sync(valkey_part.start)
    for _ in range(3):
        assert (await ann.look_up(PROMPT)).answer == "new"


async def test_a_replica_cut_off_from_valkey_leaves_no_former_answer_to_the_others(
    parts: Parts, valkey_part: RunningPart
):
    async with behind(parts, valkey_part) as (proxy, cut_off):
        ann, elsewhere = cut_off.user(), parts.user()
        await elsewhere.store(PROMPT, "old")
        proxy.silent = True
        with pytest.raises(Unavailable):
            await ann.store(PROMPT, "new")
        assert (await elsewhere.look_up(PROMPT)).answer == "old", "nothing is acknowledged yet"
        proxy.silent = False
        proxy.cut()
        assert (await ann.store(PROMPT, "new")).outcome == "renewed"
        assert (await elsewhere.look_up(PROMPT)).answer == "new"


async def test_a_cut_off_replica_may_answer_once_no_copy_is_trusted_any_more(parts: Parts, valkey_part: RunningPart):
    async with behind(parts, valkey_part) as (proxy, cut_off):
        ann, elsewhere = cut_off.user(), parts.user()
        await elsewhere.store(PROMPT, "old")
        proxy.silent = True
        with pytest.raises(Unavailable):
            await ann.store(PROMPT, "new")
        parts.clock.advance(COPY_SECONDS + CLOCKS_APART.total_seconds())
        assert named((await ann.store(PROMPT, "new")).degraded) == ["valkey"]
        assert (await elsewhere.look_up(PROMPT)).answer == "new"


async def test_a_look_up_vouches_for_a_copy_anew_and_a_replacement_waits_for_that_one_too(
    parts: Parts, valkey_part: RunningPart
):
    async with behind(parts, valkey_part) as (proxy, cut_off):
        ann, elsewhere = cut_off.user(), parts.user()
        await elsewhere.store(PROMPT, "old")
        parts.clock.advance(COPY_SECONDS - 1)
        parts.flush()
        await elsewhere.look_up(PROMPT)
        parts.clock.advance(CLOCKS_APART.total_seconds() + 1)
        proxy.silent = True
        with pytest.raises(Unavailable):
            await ann.store(PROMPT, "new")
        assert (await elsewhere.look_up(PROMPT)).answer == "old"


async def test_an_evicted_entry_may_have_left_a_copy_and_its_place_is_not_taken_blindly(
    parts: Parts, valkey_part: RunningPart
):
    async with behind(parts, valkey_part) as (proxy, cut_off):
        ann, elsewhere = cut_off.user(most=2), parts.user(most=2)
        await elsewhere.store(PROMPT, "old", ttl_seconds=50)
        for number in range(3):
            await elsewhere.store(f"question number {number}", "x")
        assert await parts.postgres.fetch("acme", "SELECT FROM entry WHERE prompt = %s", (PROMPT,)) == []
        proxy.silent = True
        with pytest.raises(Unavailable):
            await ann.store(PROMPT, "new")
        parts.clock.advance(COPY_SECONDS + CLOCKS_APART.total_seconds())
        await ann.store(PROMPT, "new")
        assert (await elsewhere.look_up(PROMPT)).answer == "new"


async def test_a_shorter_expiry_holds_at_once(parts: Parts, valkey_part: RunningPart):
    async with behind(parts, valkey_part) as (proxy, cut_off):
        ann, elsewhere = cut_off.user(), parts.user()
        await elsewhere.store(PROMPT, "same")
        proxy.silent = True
        with pytest.raises(Unavailable):
            await ann.store(PROMPT, "same", ttl_seconds=10)
        proxy.silent = False
        proxy.cut()
        await ann.store(PROMPT, "same", ttl_seconds=10)
        parts.clock.advance(10)
        assert not (await elsewhere.look_up(PROMPT)).hit


class _Late(ExactTier):
    """A look-up's way to Valkey, held up between reading PostgreSQL and leaving a copy; `waited` in seconds."""

    def __init__(self, store: ValkeyStore) -> None:
        super().__init__(store, Resting(), monotonic=lambda: self.waited)
        self.read, self.go_on = anyio.Event(), anyio.Event()
        self.waited = 0.0

    async def put(self, copy: Copy, fingerprint: bytes, now: datetime, **options: Any) -> bool:
        self.read.set()
        await self.go_on.wait()
        return await super().put(copy, fingerprint, now, **options)


async def test_a_copy_that_comes_late_does_not_take_the_place_of_a_newer_one(parts: Parts):
    ann = parts.user()
    await ann.store(PROMPT, "old")
    parts.flush()
    late = _Late(parts.valkey)
    slow = parts.user(exact=late)
    async with anyio.create_task_group() as group:
        group.start_soon(slow.look_up, PROMPT)
        await late.read.wait()
        await ann.store(PROMPT, "new")
        late.go_on.set()
    assert (await ann.look_up(PROMPT)).answer == "new"


async def test_a_copy_that_comes_late_is_not_kept_where_valkey_has_forgotten_the_newer_one(parts: Parts):
    ann = parts.user()
    await ann.store(PROMPT, "old")
    parts.flush()
    late = _Late(parts.valkey)
    slow = parts.user(exact=late)
    async with anyio.create_task_group() as group:
        group.start_soon(slow.look_up, PROMPT)
        await late.read.wait()
        await ann.store(PROMPT, "new")
        parts.flush()
        late.waited = COPY_WITHIN_SECONDS + 0.1
        late.go_on.set()
    assert (await ann.look_up(PROMPT)).answer == "new"


async def test_a_store_whose_copy_would_be_late_leaves_it_to_a_look_up_and_calls_nothing_degraded(parts: Parts):
    ann, elsewhere = parts.user(), parts.user()
    await elsewhere.store(PROMPT, "old")
    seconds = count(0.0, COPY_WITHIN_SECONDS + 0.1)
    slow = parts.user(exact=ExactTier(parts.valkey, Resting(), monotonic=lambda: next(seconds)))
    stored = await slow.store(PROMPT, "new")
    assert (stored.outcome, stored.degraded) == ("replaced", [])
    assert await bytes_kept(parts, ann) == len(version_mark(0)), "a mark only, which keeps the former one out"
    assert (await elsewhere.look_up(PROMPT)).answer == "new"
    assert await bytes_kept(parts, ann) > len(version_mark(0))


async def test_an_answer_that_expires_soon_keeps_former_ones_out_for_as_long_as_they_may_be_trusted(parts: Parts):
    ann = parts.user()
    await ann.store(PROMPT, "old")
    parts.flush()
    late = _Late(parts.valkey)
    slow = parts.user(exact=late)
    async with anyio.create_task_group() as group:
        group.start_soon(slow.look_up, PROMPT)
        await late.read.wait()
        await ann.store(PROMPT, "new", ttl_seconds=1)
        left = await parts.valkey.tenant(ann.tenant, NAMESPACE).seconds_left(place_of(ann))
        assert left is not None
        assert left > COPY_SECONDS, "and the time by which clocks may differ"
        parts.clock.advance(1)
        late.go_on.set()
    assert not (await ann.look_up(PROMPT)).hit


async def test_without_a_valkey_at_all_answers_are_stored_and_replaced_and_nothing_is_called_degraded(parts: Parts):
    ann = parts.user(with_valkey=False)
    await ann.store(PROMPT, "old")
    replaced = await ann.store(PROMPT, "new")
    assert (replaced.outcome, replaced.degraded) == ("replaced", [])
    found = await ann.look_up(PROMPT)
    assert (found.tier, found.answer, found.degraded) == ("exact", "new", [])


async def test_a_copy_of_what_is_shared_never_hides_a_users_own_answer(parts: Parts, valkey_part: RunningPart):
    async with behind(parts, valkey_part) as (proxy, cut_off):
        ann, elsewhere, bob = cut_off.user(), parts.user(), parts.user(subject="bob")
        await bob.store(PROMPT, "shared", shared=True)
        assert (await elsewhere.look_up(PROMPT)).answer == "shared"
        proxy.silent = True
        with pytest.raises(Unavailable):
            await ann.store(PROMPT, "own")
        with pytest.raises(Unavailable):
            await ann.store(PROMPT, "own again")
        proxy.silent = False
        proxy.cut()
        await ann.store(PROMPT, "own")
        await forgotten(parts, ann)
        assert (await elsewhere.look_up(PROMPT)).answer == "own"
        await forgotten(parts, ann)
        assert (await bob.look_up(PROMPT)).answer == "shared"
        assert (await elsewhere.look_up(PROMPT)).answer == "own", (
            "the copy of the shared one says that there are others"
        )


async def forgotten(parts: Parts, user: User) -> None:
    """Let Valkey forget the copy of a user's own answer, as it does when its memory is full."""
    await parts.valkey.tenant(user.tenant, NAMESPACE).delete(place_of(user))


async def bytes_kept(parts: Parts, user: User) -> int:
    """How much Valkey has in the place of a user's own answer."""
    return len(await parts.valkey.tenant(user.tenant, NAMESPACE).get(place_of(user)) or b"")


def place_of(user: User) -> str:
    """Where the copy of a user's own answer is."""
    return f"x/{fingerprint(Scope().digest(user.tenant, user.subject), PROMPT).hex()}"


async def until_stored(user: User, prompt: str, answer: str):
    """Store, again while PostgreSQL is not yet reached."""
    with anyio.fail_after(15):
        while True:
            try:
                return await user.store(prompt, answer)
            except Unavailable:
                await anyio.sleep(0.05)
