"""The cache: what one tenant had embedded is not embedded again, for it alone, and never because Valkey is down."""

import asyncio
import struct
from typing import Any

import anyio
import pytest
from core.embeddings.nobody import Nobody
from core.embeddings.recording import Recording
from fixtures.clock import Seconds
from fixtures.stores import RunningPart
from fixtures.tcp_proxy import TcpProxy
from tenantscope_core.embeddings import CachedEmbedder
from tenantscope_core.embeddings.cached import TEXTS_AT_ONCE, EmbeddingCounts
from tenantscope_core.embeddings.local import LocalEmbedder
from tenantscope_core.results.errors import InvalidArgument, Unavailable
from tenantscope_core.stores.valkey import ValkeyStore

ACME, GLOBEX = Nobody("acme"), Nobody("globex")
HOUR = 3_600.0


@pytest.fixture
async def model(local: LocalEmbedder) -> Recording:
    return Recording(local)


@pytest.fixture
def cached(model: Recording, valkey_store: ValkeyStore) -> CachedEmbedder:
    return CachedEmbedder(model, valkey_store, expire_seconds=HOUR)


async def test_a_text_is_embedded_once_for_all_processes_and_always_has_the_same_vector(
    cached: CachedEmbedder, model: Recording, valkey_store: ValkeyStore
):
    first = await cached.embed(ACME, ["reset my password", "refund"], purpose="query")
    other_process = CachedEmbedder(model, valkey_store, expire_seconds=HOUR)
    assert await other_process.embed(ACME, ["refund", "reset my password"], purpose="document") == first[::-1]
    assert model.texts == ["reset my password", "refund"]
    assert other_process.counts("acme") == EmbeddingCounts(hits=2)
    assert cached.counts("acme") == EmbeddingCounts(misses=2)
    assert cached.counts("globex") == EmbeddingCounts()


async def test_only_what_is_not_found_is_embedded(cached: CachedEmbedder, model: Recording):
    await cached.embed(ACME, ["b"], purpose="query")
    vectors = await cached.embed(ACME, ["a", "b", "c", "a"], purpose="query")
    assert model.asked == [("acme", ["b"]), ("acme", ["a", "c"])]
    assert vectors[0] == vectors[3] != vectors[1]
    assert cached.counts("acme") == EmbeddingCounts(hits=1, misses=3)


async def test_entries_are_a_tenants_own_and_lie_behind_its_prefix(
    cached: CachedEmbedder, model: Recording, valkey_admin: Any
):
    for session in (ACME, GLOBEX, Nobody("acme_corp")):
        await cached.embed(session, ["refund"], purpose="query")
    assert [tenant for tenant, _ in model.asked] == ["acme", "globex", "acme_corp"]
    prefixes = {key.split(b":embeddings:")[0] for key in valkey_admin.keys("*")}
    assert prefixes == {b"ts:{acme}", b"ts:{globex}", b"ts:{acme_corp}"}


async def test_neither_a_text_nor_its_length_can_be_read_from_a_key(cached: CachedEmbedder, valkey_admin: Any):
    await cached.embed(ACME, ["a secret of acme"], purpose="query")
    (key,) = valkey_admin.keys("*")
    assert b"secret" not in key
    assert len(valkey_admin.get(key)) == 4 * cached.dimensions


async def test_entries_of_one_model_are_not_anothers(
    cached: CachedEmbedder, valkey_store: ValkeyStore, local: LocalEmbedder
):
    await cached.embed(ACME, ["refund"], purpose="query")
    newer = Recording(local, tag="model-b")
    await CachedEmbedder(newer, valkey_store, expire_seconds=HOUR).embed(ACME, ["refund"], purpose="query")
    assert newer.texts == ["refund"]


async def test_a_purpose_is_told_apart_where_the_model_does(valkey_store: ValkeyStore, local: LocalEmbedder):
    model = Recording(local, asymmetric=True)
    cached = CachedEmbedder(model, valkey_store, expire_seconds=HOUR)
    for purpose in ("query", "document", "query"):
        await cached.embed(ACME, ["refund"], purpose=purpose)
    assert model.texts == ["refund", "refund"]


async def test_entries_end(cached: CachedEmbedder, valkey_admin: Any):
    await cached.embed(ACME, ["refund"], purpose="query")
    (key,) = valkey_admin.keys("*")
    assert HOUR - 60 < valkey_admin.ttl(key) <= HOUR


async def test_texts_are_looked_up_in_one_round_trip_and_kept_in_another(
    model: Recording, valkey_url: str, valkey_part: RunningPart, valkey_admin: Any
):
    texts = [f"text {number}" for number in range(30)]  # in one read of the proxy
    async with (
        TcpProxy(valkey_part.port) as proxy,
        ValkeyStore(valkey_url.replace(f":{valkey_part.port}", f":{proxy.port}")) as store,
    ):
        cached = CachedEmbedder(model, store, expire_seconds=HOUR)
        await cached.embed(ACME, ["connect"], purpose="query")
        before = proxy.round_trips
        await cached.embed(ACME, texts, purpose="query")
        assert proxy.round_trips - before == 2
        await cached.embed(ACME, texts, purpose="query")
        assert proxy.round_trips - before == 3
    assert len(model.asked) == 2


async def test_more_texts_than_are_taken_together_come_back_in_their_order(cached: CachedEmbedder, model: Recording):
    texts = [f"text {number}" for number in range(TEXTS_AT_ONCE + 3)]
    vectors = await cached.embed(ACME, texts, purpose="query")
    assert [len(asked) for _, asked in model.asked] == [TEXTS_AT_ONCE, 3]
    assert await cached.embed(ACME, texts[::-1], purpose="query") == vectors[::-1]
    assert len(model.asked) == 2


async def test_an_entry_that_is_damaged_is_none(cached: CachedEmbedder, model: Recording, valkey_admin: Any):
    first = await cached.embed(ACME, ["refund"], purpose="query")
    (key,) = valkey_admin.keys("*")
    valkey_admin.set(key, struct.pack("<3f", 1, 2, 3))
    assert await cached.embed(ACME, ["refund"], purpose="query") == first
    assert model.texts == ["refund", "refund"]


async def test_the_fleet_has_no_keys_and_is_embedded_for_all_the_same(
    cached: CachedEmbedder, model: Recording, valkey_admin: Any
):
    for _ in range(2):
        assert len(await cached.embed(Nobody(None), ["refund"], purpose="query")) == 1
    assert len(model.asked) == 2
    assert valkey_admin.keys("*") == []


async def test_callers_of_one_tenant_at_once_share_one_computation(cached: CachedEmbedder, model: Recording):
    model.go.clear()
    results: list[list[list[float]]] = []

    async def ask(*texts: str) -> None:
        results.append(await cached.embed(ACME, texts, purpose="query"))

    async with anyio.create_task_group() as group:
        group.start_soon(ask, "refund")
        await model.arrived.wait()
        for _ in range(9):
            group.start_soon(ask, "refund")
        group.start_soon(ask, "refund", "cancel")
        await _until(lambda: len(model.asked) == 2)
        model.go.set()
    assert sorted(model.texts) == ["cancel", "refund"]
    assert all(result[0] == results[0][0] for result in results)
    assert cached.counts("acme") == EmbeddingCounts(misses=2, joined=10)


async def test_tenants_at_once_share_nothing(cached: CachedEmbedder, model: Recording):
    async with anyio.create_task_group() as group:
        for session in (ACME, GLOBEX):
            group.start_soon(lambda session=session: cached.embed(session, ["refund"], purpose="query"))
    assert sorted(str(tenant) for tenant, _ in model.asked) == ["acme", "globex"]


async def test_who_waits_takes_over_from_one_who_is_cancelled(cached: CachedEmbedder, model: Recording):
    model.go.clear()
    first = asyncio.create_task(cached.embed(ACME, ["refund"], purpose="query"))
    await model.arrived.wait()
    waiting = [asyncio.create_task(cached.embed(ACME, ["refund"], purpose="query")) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    await _until(lambda: len(model.asked) == 2)
    model.go.set()
    assert len({tuple(vector) for (vector,) in await asyncio.gather(*waiting)}) == 1
    assert len(model.asked) == 2
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_model_that_is_down_is_asked_once_for_all_who_wait(cached: CachedEmbedder, model: Recording):
    model.go.clear()
    model.failure = Unavailable("The model is down.", retry_after_seconds=7)
    asking = [asyncio.create_task(cached.embed(ACME, ["refund"], purpose="query")) for _ in range(5)]
    await model.arrived.wait()
    await asyncio.sleep(0)
    model.go.set()
    for failure in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(failure, Unavailable)
        assert failure.remedy.retry_after_seconds == 7
    assert len(model.asked) == 1
    model.failure = None
    assert len(await cached.embed(ACME, ["refund"], purpose="query")) == 1


async def test_a_fault_of_one_callers_other_text_is_not_the_fault_of_who_waits(
    cached: CachedEmbedder, model: Recording
):
    model.go.clear()
    faulty = asyncio.create_task(cached.embed(ACME, ["refund", " "], purpose="query"))
    await model.arrived.wait()
    sound = asyncio.create_task(cached.embed(ACME, ["refund"], purpose="query"))
    await asyncio.sleep(0)
    model.go.set()
    with pytest.raises(InvalidArgument):
        await faulty
    assert len(await sound) == 1


async def test_while_valkey_is_down_texts_are_embedded_and_it_is_left_alone_for_a_while(
    model: Recording, valkey_url: str, valkey_part: RunningPart, valkey_admin: Any
):
    clock = Seconds()
    async with (
        TcpProxy(valkey_part.port) as proxy,
        ValkeyStore(valkey_url.replace(f":{valkey_part.port}", f":{proxy.port}")) as store,
    ):
        cached = CachedEmbedder(model, store, expire_seconds=HOUR, monotonic=clock)
        first = await cached.embed(ACME, ["refund"], purpose="query")
        proxy.silent = True
        assert await cached.embed(ACME, ["refund"], purpose="query") == first
        proxy.silent = False
        before = proxy.round_trips
        assert await cached.embed(ACME, ["refund"], purpose="query") == first
        assert proxy.round_trips == before, "it was not asked again so soon"
        assert len(model.asked) == 3
        clock.advance(5)
        assert await cached.embed(ACME, ["refund"], purpose="query") == first
        assert len(model.asked) == 3
        assert cached.counts("acme") == EmbeddingCounts(hits=1, misses=3)


async def test_without_a_valkey_it_embeds_and_still_shares_what_is_under_way(model: Recording):
    cached = CachedEmbedder(model, None, expire_seconds=HOUR)
    model.go.clear()
    asking = [asyncio.create_task(cached.embed(ACME, ["refund"], purpose="query")) for _ in range(3)]
    await model.arrived.wait()
    await asyncio.sleep(0)
    model.go.set()
    await asyncio.gather(*asking)
    assert len(model.asked) == 1
    assert (cached.tag, cached.dimensions, cached.asymmetric) == (model.tag, model.dimensions, False)


async def _until(condition: Any) -> None:
    with anyio.fail_after(10):
        while not condition():
            await asyncio.sleep(0)
