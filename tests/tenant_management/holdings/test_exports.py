"""An export read back is what was held: object by object, row by row, record by record."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tenant_management.holdings.test_leaving import in_small_steps
from tenant_management.holdings.world import LEAVER, PARTS, everything_but, ticking, versions, write_log
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import NotSetUp
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.holdings import Export, Exported
from tenantscope_tenant_management.sources.holdings.export_folder import MANIFEST, ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.holdings.logs import Logs

EXPORT = "w-1"


@pytest.fixture
def folder(town: Sandbox, aws: TenantSession) -> ExportFolder:
    return ExportFolder(aws, town.bucket, EXPORT)


def read(sandbox: Sandbox, name: str) -> bytes:
    key = f"exports/tenant_id={LEAVER}/{EXPORT}/{name}"
    return sandbox.client("s3").get_object(Bucket=sandbox.bucket, Key=key)["Body"].read()


def lines(sandbox: Sandbox, files: Iterator[Exported]) -> list[dict[str, Any]]:
    """What the files of one table or group hold, in their order."""
    texts = [gzip.decompress(read(sandbox, file.name)).decode() for file in files]
    return [json.loads(line, parse_float=Decimal) for text in texts for line in text.splitlines()]


def rows(sandbox: Sandbox, table: str) -> list[dict[str, Any]]:
    """A table's rows of the leaver, as the database itself shows them."""
    name = sql.Identifier(*table.split("."))
    query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t WHERE tenant_id = %s").format(name)
    with psycopg.connect(sandbox.postgres_admin_dsn) as connection:
        found = connection.execute(query, [LEAVER]).fetchall()
    return [json.loads(text, parse_float=Decimal) for (text,) in found]


def in_order(found: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in found)


async def in_calls(store: Holding, aws: TenantSession, folder: ExportFolder) -> tuple[Export, int]:
    """Export with no time at all, again and again."""
    calls = 1
    while not (export := await store.export(aws, LEAVER, folder, seconds=0)).done:
        calls += 1
        assert calls < 100
    return export, calls


@pytest.mark.parametrize("small", [False, True], ids=["at once", "in small steps"])
async def test_rows_read_back_are_those_that_were_held(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], folder: ExportFolder, small: bool
):
    store = in_small_steps(town, "database") if small else stores["database"]
    export, calls = await in_calls(store, aws, folder)
    assert (calls > len(PARTS["database"])) == small
    for table, count in PARTS["database"].items():
        files = [file for file in export.files if file.name.startswith(f"database/{table}/")]
        found = lines(town, iter(files))
        assert len(found) == count == sum(file.rows or 0 for file in files)
        assert in_order(found) == in_order(rows(town, table))
    assert (len(export.files) > len(PARTS["database"])) == small


async def test_objects_read_back_are_the_newest_versions_of_all_datasets(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], folder: ExportFolder
):
    export = await stores["objects"].export(aws, LEAVER, folder, seconds=30)
    assert export.done
    assert {file.name: (read(town, file.name), file.bytes) for file in export.files} == {
        "objects/usage/_manifest.json": (b'{"months": {}}', 14),
        "objects/usage/month=2026-08/run=r 1+ü/part-0.parquet": (b"of initech" * 100, 1000),
        "objects/usage/month=2026-08/run=r2/part-0.parquet": (b"two", 3),
    }
    for file in export.files:
        assert file.digest == "etag:" + hashlib.md5(read(town, file.name)).hexdigest()


@pytest.mark.parametrize("small", [False, True], ids=["at once", "in small steps"])
async def test_log_records_read_back_are_those_that_were_held(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], folder: ExportFolder, small: bool
):
    logs = town.client("logs")
    for second in range(3):  # the emulator gives a group in one page, so that only a later call finds what is later
        await stores["logs"].export(aws, LEAVER, folder, seconds=30)
        write_log(
            logs, f"/tenantscope/tenants/{LEAVER}/app", ["late", "later", "“ü”"], start=1_800_000_000_000 + 10 * second
        )
    store = Logs(clock=ticking(), part_bytes=100) if small else stores["logs"]
    export, _ = await in_calls(store, aws, folder)
    for group in PARTS["logs"]:
        events = logs.filter_log_events(logGroupName=f"/tenantscope/tenants/{LEAVER}/{group}")["events"]
        below = f"logs/{group.replace('/', '%2F')}/"
        found = lines(town, (file for file in export.files if file.name.startswith(below)))
        held = [{"timestamp": e["timestamp"], "stream": e["logStreamName"], "message": e["message"]} for e in events]
        assert in_order(found) == in_order(held)


async def test_a_cache_exports_nothing_and_says_so(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], folder: ExportFolder
):
    assert await stores["cache"].export(aws, LEAVER, folder, seconds=30) == Export((), done=True)
    assert any("not exported" in sentence for sentence in await stores["cache"].kept(aws, LEAVER))


@pytest.mark.parametrize("name", ["objects", "database", "logs"])
async def test_what_is_written_already_is_not_written_again(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], folder: ExportFolder, name: str
):
    first = await stores[name].export(aws, LEAVER, folder, seconds=30)
    written = sorted(str(one) for one in versions(town) if one["Key"].startswith(folder.prefix))
    assert len(written) == len(first.files)
    assert await stores[name].export(aws, LEAVER, folder, seconds=30) == first
    assert sorted(str(one) for one in versions(town) if one["Key"].startswith(folder.prefix)) == written


@pytest.mark.parametrize("name", ["objects", "database", "logs"])
@pytest.mark.parametrize("fault", [{"kind": "error"}, {"kind": "disconnect", "after": True}], ids=["before", "after"])
async def test_an_export_that_broke_off_is_ended_by_another_process_with_the_same_files(
    town: Sandbox,
    aws: TenantSession,
    stores: dict[str, Holding],
    folder: ExportFolder,
    name: str,
    fault: dict[str, Any],
):
    whole = await in_small_steps(town, name).export(aws, LEAVER, ExportFolder(aws, town.bucket, "w-2"), seconds=1e9)
    broken = {"service": "s3", "contains": f"/{folder.prefix}", "skip": 1, **fault}
    with town.emulator.faults(broken), pytest.raises(AwsError):
        await in_small_steps(town, name).export(aws, LEAVER, folder, seconds=1e9)
    export = await in_small_steps(town, name).export(aws, LEAVER, folder, seconds=1e9)
    assert export == whole


async def test_the_manifest_tells_what_every_file_is(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], folder: ExportFolder
):
    files = [file for name in PARTS for file in (await stores[name].export(aws, LEAVER, folder, seconds=30)).files]
    manifest = await folder.write_manifest(files)
    content = read(town, MANIFEST)
    assert (manifest.bytes, manifest.digest) == (len(content), "sha256:" + hashlib.sha256(content).hexdigest())
    told = json.loads(content)
    assert told["tenant_id"] == LEAVER
    kept = {one["Key"].removeprefix(folder.prefix) for one in versions(town) if one["Key"].startswith(folder.prefix)}
    assert {file["name"] for file in told["files"]} == kept - {MANIFEST}
    for file in told["files"]:
        kind, _, digest = file["digest"].partition(":")
        body = read(town, file["name"])
        assert len(body) == file["bytes"]
        assert digest == (hashlib.sha256 if kind == "sha256" else hashlib.md5)(body).hexdigest()


async def test_an_export_outlives_the_erasure_and_is_not_counted_as_held(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], folder: ExportFolder
):
    before = everything_but(town, LEAVER)
    await stores["objects"].export(aws, LEAVER, folder, seconds=30)
    assert await stores["objects"].erase(aws, LEAVER, seconds=30)
    assert (await stores["objects"].held(aws, LEAVER)).count == 0
    assert read(town, "objects/usage/month=2026-08/run=r2/part-0.parquet") == b"two"
    assert everything_but(town, LEAVER) == before


async def test_without_a_bucket_there_is_no_export(aws: TenantSession):
    with pytest.raises(NotSetUp, match="TENANTSCOPE_DATASETS_BUCKET"):
        ExportFolder(aws, None, EXPORT)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "x" * 65])
async def test_the_id_of_an_export_cannot_lead_out_of_its_folder(aws: TenantSession, name: str):
    with pytest.raises(ValueError, match="an export belongs to one tenant"):
        ExportFolder(aws, "bucket", name)
