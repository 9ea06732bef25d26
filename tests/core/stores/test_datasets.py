"""Datasets on S3: what is committed is read whole, by those it belongs to, also while things break."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from core.stores.datasets import commit, usage_row
from fixtures.clock import Clock
from fixtures.stores import Cloud, SignedCaller
from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.results.errors import DataFault, NotPermitted, ToolFailure, Unavailable
from tenantscope_core.stores.aws import OtherTenant
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.layout import manifest_key
from tenantscope_core.stores.schemas import USAGE

ROWS = {"acme": [usage_row("2026-09-01", "requests", "5")], "globex": [usage_row("2026-09-01", "requests", "7")]}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(cloud: Cloud, bucket: str, clock: Clock) -> DatasetWriter:
    return DatasetWriter(cloud.fleet(), bucket, clock=clock)


@pytest.fixture
def reader(bucket: str, clock: Clock) -> DatasetReader:
    return DatasetReader(bucket, clock=clock)


async def test_a_commit_is_read_by_each_tenant_and_by_the_fleet(
    cloud: Cloud, writer: DatasetWriter, reader: DatasetReader, tmp_path: Path
):
    assert await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    acme = (await reader.committed(cloud.tenant("acme"), "usage", "acme")).manifest
    fleet = (await reader.committed(cloud.fleet(), "usage", None)).manifest
    assert [ref.key for ref in acme.months["2026-09"].objects] == [
        "datasets/usage/tenant_id=acme/month=2026-09/run=r1/part-0.parquet"
    ]
    assert [ref.rows for ref in fleet.months["2026-09"].objects] == [2]


async def test_a_dataset_never_written_is_empty(cloud: Cloud, reader: DatasetReader):
    assert (await reader.committed(cloud.fleet(), "usage", None)).manifest.latest is None


async def test_the_same_inputs_are_committed_once_unless_forced(writer: DatasetWriter, tmp_path: Path):
    assert await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    assert not await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    assert await commit(writer, tmp_path, USAGE, "2026-09", ROWS, run="r2")


async def test_a_tenant_whose_rows_are_gone_is_committed_with_none(
    cloud: Cloud, writer: DatasetWriter, reader: DatasetReader, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-08", ROWS)
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    await commit(writer, tmp_path, USAGE, "2026-09", {"acme": ROWS["acme"]}, run="r2")
    months = (await reader.committed(cloud.tenant("globex"), "usage", "globex")).manifest.months
    assert [len(months[month].objects) for month in ("2026-08", "2026-09")] == [1, 0]


async def test_our_filter_refuses_another_tenant_s_manifest_before_aws_is_asked(cloud: Cloud, reader: DatasetReader):
    acme = cloud.tenant("acme")
    for tenant in ("globex", None):
        with pytest.raises(OtherTenant):
            await reader.committed(acme, "usage", tenant)
    assert acme.calls == []


async def test_around_our_filter_aws_refuses_another_tenant_s_manifest(
    cloud: Cloud, writer: DatasetWriter, reader: DatasetReader, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    with pytest.raises(NotPermitted):
        await reader.committed(cloud.tenant("globex", signed_as="acme"), "usage", "globex")


async def test_what_one_caller_read_is_not_handed_to_another(
    cloud: Cloud, writer: DatasetWriter, reader: DatasetReader, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    await reader.committed(cloud.fleet(), "usage", "globex")
    with pytest.raises(NotPermitted):
        await reader.committed(cloud.tenant("globex", signed_as="acme"), "usage", "globex")


async def test_a_manifest_is_kept_for_its_ttl_and_then_asked_for_by_etag(
    cloud: Cloud, writer: DatasetWriter, reader: DatasetReader, clock: Clock, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    acme = cloud.tenant("acme")
    first = await reader.committed(acme, "usage", "acme")
    await reader.committed(acme, "usage", "acme")
    assert len(acme.calls) == 1
    clock.advance(31)
    assert await reader.committed(acme, "usage", "acme") == first
    assert "IfNoneMatch" in acme.calls[1][1]
    await commit(writer, tmp_path, USAGE, "2026-10", ROWS)
    clock.advance(31)
    assert str((await reader.committed(acme, "usage", "acme")).manifest.latest) == "2026-10"


async def test_while_s3_is_down_the_last_manifest_serves_and_says_since_when_up_to_a_bound(
    cloud: Cloud, writer: DatasetWriter, reader: DatasetReader, clock: Clock, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    acme = cloud.tenant("acme")
    read = clock.now
    await reader.committed(acme, "usage", "acme")
    with cloud.control.faults({"service": "s3", "kind": "error"}):
        clock.advance(3600)
        assert (await reader.committed(acme, "usage", "acme")).stale_since == read
        clock.advance(6 * 3600)
        with pytest.raises(Unavailable):
            await reader.committed(acme, "usage", "acme")
    assert (await reader.committed(acme, "usage", "acme")).stale_since is None


async def test_a_refusal_is_never_papered_over_by_what_is_cached(
    cloud: Cloud, writer: DatasetWriter, reader: DatasetReader, clock: Clock, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    await reader.committed(cloud.tenant("acme"), "usage", "acme")
    clock.advance(31)
    revoked = cloud.tenant("acme", signed_as="globex")
    with pytest.raises(NotPermitted):
        await reader.committed(revoked, "usage", "acme")


async def test_a_damaged_manifest_is_named(cloud: Cloud, bucket: str, reader: DatasetReader):
    cloud.client("s3").put_object(Bucket=bucket, Key=manifest_key("usage", "acme"), Body=b'{"dataset": "us')
    with pytest.raises(DataFault, match="dataset usage of tenant acme"):
        await reader.committed(cloud.tenant("acme"), "usage", "acme")


class DyingCaller:
    """The fleet's caller, whose process dies at the n-th call to S3."""

    def __init__(self, caller: SignedCaller, dies_at: int) -> None:
        self._caller = caller
        self._left = dies_at

    @property
    def tenant(self) -> str | None:
        return None

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        if self._left == 0:
            raise AwsError("Unreachable", operation, Fault.UNREACHABLE)
        self._left -= 1
        return await self._caller.call(service, operation, **parameters)


async def test_a_run_that_dies_anywhere_leaves_whole_months_and_is_simply_run_again(
    cloud: Cloud, bucket: str, writer: DatasetWriter, clock: Clock, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    for dies_at in range(40):
        dying = DatasetWriter(DyingCaller(cloud.fleet(), dies_at), bucket, clock=clock)
        run = f"n{dies_at}"
        try:
            await commit(dying, tmp_path, USAGE, "2026-09", {"acme": ROWS["acme"]}, run=run)
        except ToolFailure:
            fleet_run, _ = await _runs(cloud, bucket, clock, None)
            assert fleet_run == "r1"  # the fleet changes last
            for tenant in ("acme", "globex"):
                found, objects = await _runs(cloud, bucket, clock, tenant)
                # old or new, and never a mixture: a new run of globex has no rows, any other has one object
                assert objects == (0 if tenant == "globex" and found != "r1" else 1)
        else:
            break
    else:
        pytest.fail("it never ended")
    assert dies_at > 8
    assert [await _runs(cloud, bucket, clock, who) for who in (None, "acme", "globex")] == [
        (run, 1),
        (run, 1),
        (run, 0),
    ]


async def _runs(cloud: Cloud, bucket: str, clock: Clock, tenant: str | None) -> tuple[str, int]:
    manifest = (await DatasetReader(bucket, clock=clock).committed(cloud.fleet(), "usage", tenant)).manifest
    entry = manifest.months["2026-09"]
    s3 = cloud.client("s3")
    for ref in entry.objects:
        assert s3.head_object(Bucket=bucket, Key=ref.key)["ContentLength"] == ref.size
    return entry.run, len(entry.objects)


async def test_a_commit_that_meets_another_keeps_both_months(
    cloud: Cloud, bucket: str, writer: DatasetWriter, reader: DatasetReader, clock: Clock, tmp_path: Path
):
    class Interfering(SignedCallerProxy):
        async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
            if operation == "put_object" and parameters["Key"] == manifest_key("usage", None) and not self.done:
                self.done = True
                await commit(writer, tmp_path, USAGE, "2026-08", ROWS)
            return await super().call(service, operation, **parameters)

    interfering = DatasetWriter(Interfering(cloud.fleet()), bucket, clock=clock)
    await commit(interfering, tmp_path, USAGE, "2026-09", ROWS)
    assert sorted((await reader.committed(cloud.fleet(), "usage", None)).manifest.months) == ["2026-08", "2026-09"]


class SignedCallerProxy:
    def __init__(self, caller: SignedCaller) -> None:
        self._caller = caller
        self.done = False

    @property
    def tenant(self) -> str | None:
        return self._caller.tenant

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        return await self._caller.call(service, operation, **parameters)


async def test_the_sweep_deletes_what_no_manifest_names_once_no_reader_can_want_it(
    cloud: Cloud, bucket: str, writer: DatasetWriter, clock: Clock, tmp_path: Path
):
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS)
    await commit(writer, tmp_path, USAGE, "2026-09", ROWS, run="r2")
    stored: Mapping[str, Any] = cloud.client("s3").list_objects_v2(Bucket=bucket)
    clock.now = max(item["LastModified"] for item in stored["Contents"]) + timedelta(hours=1)
    assert await writer.sweep("usage") == 0
    clock.advance(86_400)
    assert await writer.sweep("usage") == 3
    left = cloud.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert sum("run=r1" in item["Key"] for item in left) == 0
    assert sum("run=r2" in item["Key"] for item in left) == 3
    assert await writer.sweep("usage") == 0


def test_only_the_fleet_s_credentials_write(cloud: Cloud, bucket: str, clock: Clock):
    with pytest.raises(OtherTenant):
        DatasetWriter(cloud.tenant("acme"), bucket, clock=clock)
