"""The local cache of objects: apart by tenant, bounded, whole, and useful while S3 is away."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from fixtures.stores import Cloud
from tenantscope_core.results.errors import InvalidArgument, NotPermitted, Unavailable
from tenantscope_core.stores.aws import OtherTenant
from tenantscope_core.stores.manifests import ObjectRef
from tenantscope_core.stores.object_cache import ObjectCache, ObjectChanged

KILOBYTE = 1024


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ObjectCache]:
    cache = ObjectCache(tmp_path / "cache", max_bytes=4 * KILOBYTE)
    yield cache
    cache.close()


def _put(cloud: Cloud, bucket: str, tenant: str | None, name: str, content: bytes = b"x" * KILOBYTE) -> ObjectRef:
    folder = f"datasets/usage/tenant_id={tenant}" if tenant else "fleet/usage"
    key = f"{folder}/month=2026-09/run=r1/{name}.parquet"
    etag = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=content)["ETag"].strip('"')
    return ObjectRef(key, len(content), etag, 1)


async def test_an_object_is_fetched_once_also_when_many_want_it_at_the_same_time(
    cloud: Cloud, bucket: str, cache: ObjectCache
):
    acme = cloud.tenant("acme")
    ref = _put(cloud, bucket, "acme", "a", b"content")

    async def use() -> None:
        async with cache.pinned(acme, bucket, [ref]) as files:
            assert files[ref.key].read_bytes() == b"content"

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(use)
    assert len(acme.calls) == 1


async def test_what_one_tenant_s_session_fetched_is_in_no_other_s_folder(cloud: Cloud, bucket: str, cache: ObjectCache):
    ref = _put(cloud, bucket, "acme", "a")
    acme, fleet = cloud.tenant("acme"), cloud.fleet()
    async with cache.pinned(acme, bucket, [ref]) as own, cache.pinned(fleet, bucket, [ref]) as provider:
        assert own[ref.key].parent.name == "tenant=acme"
        assert provider[ref.key].parent.name == "fleet"
    assert len(acme.calls) == len(fleet.calls) == 1


async def test_our_filter_refuses_another_tenant_s_object_before_aws_is_asked(
    cloud: Cloud, bucket: str, cache: ObjectCache
):
    acme = cloud.tenant("acme")
    for tenant in ("globex", "acme2", None):
        with pytest.raises(OtherTenant):
            async with cache.pinned(acme, bucket, [_put(cloud, bucket, tenant, "a")]):
                pass
    assert acme.calls == []


async def test_around_our_filter_aws_refuses_another_tenant_s_object(cloud: Cloud, bucket: str, cache: ObjectCache):
    ref = _put(cloud, bucket, "globex", "a")
    async with cache.pinned(cloud.tenant("globex"), bucket, [ref]):
        pass
    cache.discard(next(iter(cache._sizes)))  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(NotPermitted):
        async with cache.pinned(cloud.tenant("globex", signed_as="acme"), bucket, [ref]):
            pass


async def test_the_least_recently_used_goes_first_and_what_is_pinned_stays(
    cloud: Cloud, bucket: str, cache: ObjectCache
):
    fleet = cloud.fleet()
    refs = [_put(cloud, bucket, None, str(number)) for number in range(6)]
    for ref in refs[:4]:
        async with cache.pinned(fleet, bucket, [ref]):
            pass
    async with cache.pinned(fleet, bucket, [refs[0]]) as files:
        async with cache.pinned(fleet, bucket, refs[4:6]):
            assert cache.held_bytes <= 4 * KILOBYTE
        assert files[refs[0].key].exists()
    before = len(fleet.calls)
    async with cache.pinned(fleet, bucket, [refs[0], refs[3]]):
        pass
    assert len(fleet.calls) == before  # 1 and 2 went


async def test_more_than_fits_is_refused_and_more_than_is_free_is_unavailable(
    cloud: Cloud, bucket: str, cache: ObjectCache
):
    fleet = cloud.fleet()
    refs = [_put(cloud, bucket, None, str(number)) for number in range(5)]
    with pytest.raises(InvalidArgument):
        async with cache.pinned(fleet, bucket, refs):
            pass
    async with cache.pinned(fleet, bucket, refs[:3]):
        with pytest.raises(Unavailable):
            async with cache.pinned(fleet, bucket, refs[3:]):
                pass
    async with cache.pinned(fleet, bucket, refs[3:]):
        pass


@pytest.mark.parametrize("wrong", ["size", "etag", "gone"])
async def test_an_object_that_is_not_what_the_manifest_says_is_refused(
    wrong: str, cloud: Cloud, bucket: str, cache: ObjectCache, tmp_path: Path
):
    ref = _put(cloud, bucket, "acme", "a")
    named = {
        "size": ObjectRef(ref.key, ref.size + 1, ref.etag, 1),
        "etag": ObjectRef(ref.key, ref.size, "0" * 32, 1),
        "gone": ObjectRef(ref.key.replace("/a.", "/b."), ref.size, ref.etag, 1),
    }
    with pytest.raises(ObjectChanged):
        async with cache.pinned(cloud.tenant("acme"), bucket, [named[wrong]]):
            pass
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file() and file.name != "lock"]


async def test_a_large_object_comes_in_ranges_of_the_same_version(
    cloud: Cloud, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tenantscope_core.stores.object_cache._RANGE_BYTES", 1000)
    cache = ObjectCache(tmp_path / "large", max_bytes=10 * KILOBYTE)
    content = bytes(number % 251 for number in range(2500))
    ref = _put(cloud, bucket, "acme", "a", content)
    acme = cloud.tenant("acme")
    async with cache.pinned(acme, bucket, [ref]) as files:
        assert files[ref.key].read_bytes() == content
    assert len(acme.calls) == 3
    cache.close()


async def test_while_s3_is_down_what_is_here_still_serves(cloud: Cloud, bucket: str, cache: ObjectCache):
    here, absent = (_put(cloud, bucket, "acme", name) for name in "ab")
    acme = cloud.tenant("acme")
    async with cache.pinned(acme, bucket, [here]):
        pass
    with cloud.control.faults({"service": "s3", "kind": "error"}):
        async with cache.pinned(acme, bucket, [here]) as files:
            assert files[here.key].exists()
        with pytest.raises(Unavailable):
            async with cache.pinned(acme, bucket, [absent]):
                pass


async def test_it_survives_a_restart_and_clears_what_a_crash_left(cloud: Cloud, bucket: str, tmp_path: Path):
    first = ObjectCache(tmp_path / "kept", max_bytes=4 * KILOBYTE)
    ref = _put(cloud, bucket, "acme", "a")
    acme = cloud.tenant("acme")
    async with first.pinned(acme, bucket, [ref]) as files:
        left = files[ref.key].with_suffix(".1234.partial")
        left.write_bytes(b"half")
    first.close()
    again = ObjectCache(tmp_path / "kept", max_bytes=4 * KILOBYTE)
    async with again.pinned(acme, bucket, [ref]):
        assert not left.exists()
    assert len(acme.calls) == 1
    again.close()


async def test_two_processes_with_one_root_keep_apart(tmp_path: Path):
    first, second = (ObjectCache(tmp_path / "both", max_bytes=KILOBYTE) for _ in range(2))
    assert first._folder != second._folder  # pyright: ignore[reportPrivateUsage]
    first.close()
    second.close()


async def test_a_cancelled_download_leaves_nothing_pinned_and_nothing_behind(
    cloud: Cloud, bucket: str, cache: ObjectCache, tmp_path: Path
):
    ref = _put(cloud, bucket, "acme", "a")
    acme = cloud.tenant("acme")
    with cloud.control.faults({"service": "s3", "kind": "hang", "seconds": 20.0}):
        with anyio.move_on_after(0.2) as scope:
            async with cache.pinned(acme, bucket, [ref]):
                pass
    assert scope.cancelled_caught
    assert cache.held_bytes == 0
    async with cache.pinned(acme, bucket, [ref]):
        pass
    assert cache.held_bytes == KILOBYTE
