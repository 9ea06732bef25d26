"""Two layers, each alone: what cloud and database refuse with our filter gone, and what we ask with them gone."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import psycopg
import pytest
from fixtures.serving import Served
from isolation.layers import EVERYTHING, Account, refused, role
from isolation.layers import account as account
from psycopg import sql
from tenant_management.holdings.world import ALIKE, LEAVER, PARTS, admin_valkey, everything_but
from tenantscope_core.credentials.broker import grant_for
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.stores.postgres import PostgresStore, Statement
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.holdings.catalog import TenantTable, read_catalog
from tenantscope_tenant_management.sources.holdings.export_folder import OF_A_TENANT, ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import Holding

SCHEMAS = ("memory", "semantic_cache")


@pytest.fixture
async def wide(account: Account, registry_server: Served) -> AsyncGenerator[TenantSession]:
    """The leaver's session on a role as wide as the account, with no session policy."""
    identity = await registry_server.assembly.verifier.identify(registry_server.token(None))
    with role(account.sandbox, "holdings-wide", EVERYTHING) as arn:
        grant = grant_for(identity.caller, server="tenant-management", role_arn=arn, tenant=LEAVER, is_admin=True)
        async with account.vault(None) as vault:
            yield await vault.session_for(grant)


@pytest.mark.requirement("erases-its-own")
@pytest.mark.parametrize("other", [*ALIKE, "acme"])
async def test_the_cloud_alone_shows_and_deletes_nobody_elses_objects(town: Sandbox, aws: TenantSession, other: str):
    before = everything_but(town, LEAVER)
    bucket, theirs = town.bucket, f"datasets/usage/tenant_id={other}/"
    for prefix in (theirs, f"athena-results/tenant_id={other}/", f"exports/tenant_id={other}/"):
        for delimiter in ({}, {"Delimiter": OF_A_TENANT}, {"Delimiter": "/"}):
            await refused(aws.call("s3", "list_object_versions", Bucket=bucket, Prefix=prefix, **delimiter))
            await refused(aws.call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, **delimiter))
    key = f"{theirs}_manifest.json"
    await refused(aws.call("s3", "get_object", Bucket=bucket, Key=key))
    await refused(aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=b""))
    await refused(aws.call("s3", "delete_object", Bucket=bucket, Key=key))
    for version in ("null", "x"):
        await refused(aws.call("s3", "delete_object", Bucket=bucket, Key=key, VersionId=version))
    source = {"Bucket": bucket, "Key": key}
    own = f"exports/tenant_id={LEAVER}/x/stolen"
    await refused(aws.call("s3", "copy_object", Bucket=bucket, Key=own, CopySource=source))
    source["Key"] = f"datasets/usage/tenant_id={LEAVER}/_manifest.json"
    await refused(aws.call("s3", "copy_object", Bucket=bucket, Key=f"{theirs}planted", CopySource=source))
    assert everything_but(town, LEAVER) == before


async def test_a_batch_that_names_one_object_of_another_deletes_that_one_not(town: Sandbox, aws: TenantSession):
    before = everything_but(town, LEAVER)
    keys = [f"datasets/usage/tenant_id={tenant}/_manifest.json" for tenant in (LEAVER, *ALIKE)]
    delete = {"Objects": [{"Key": key} for key in keys]}
    answer: dict[str, Any] = {}
    try:
        answer = await aws.call("s3", "delete_objects", Bucket=town.bucket, Delete=delete)
    except Exception as error:  # the emulator may refuse the batch as a whole
        assert "AccessDenied" in str(error)
    assert {one["Key"] for one in answer.get("Deleted", [])} <= {keys[0]}
    assert everything_but(town, LEAVER) == before


async def test_the_cloud_alone_lists_datasets_without_a_word_of_whose_they_are(town: Sandbox, aws: TenantSession):
    everything = {"Bucket": town.bucket, "Prefix": "datasets/"}
    for delimiter in ({}, {"Delimiter": "/"}, {"Delimiter": "="}, {"Delimiter": "tenant"}):
        await refused(aws.call("s3", "list_object_versions", **everything, **delimiter))
    found = await aws.call("s3", "list_object_versions", **everything, Delimiter=OF_A_TENANT)
    assert "datasets/usage/tenant_id=" in [group["Prefix"] for group in found["CommonPrefixes"]]
    assert not found.get("Versions")
    for tenant in (*ALIKE, "acme", "globex"):
        assert f"tenant_id={tenant}" not in str(found)


@pytest.mark.requirement("erases-its-own")
@pytest.mark.parametrize("other", [*ALIKE, "acme"])
async def test_the_cloud_alone_reads_and_deletes_nobody_elses_log_groups(town: Sandbox, aws: TenantSession, other: str):
    before = everything_but(town, LEAVER)
    for group in (f"/tenantscope/tenants/{other}/app", f"/tenantscope/tenants/{other}", "/aws/lambda/app"):
        await refused(aws.call("logs", "filter_log_events", logGroupName=group))
        await refused(aws.call("logs", "delete_log_group", logGroupName=group))
    assert everything_but(town, LEAVER) == before


@pytest.mark.requirement("erases-its-own")
async def test_on_a_role_as_wide_as_the_account_all_that_leaves_the_process_names_the_one_tenant(
    town: Sandbox, wide: TenantSession, stores: dict[str, Holding]
):
    before, mark = everything_but(town, LEAVER), town.emulator.mark()
    folder = ExportFolder(wide, town.bucket, "w-wide")
    for store in (stores["objects"], stores["logs"]):
        assert (await store.export(wide, LEAVER, folder, seconds=30)).done
        assert await store.erase(wide, LEAVER, seconds=30)
        await store.prepare(wide, LEAVER)
        await store.unprepare(wide, LEAVER)
    asked = [one for one in town.emulator.requests(mark) if one["service"] in ("s3", "logs")]
    assert len(asked) > 20
    for one in asked:
        parameters: dict[str, Any] = one["parameters"]
        if one["service"] == "logs":
            named = cast(str, parameters.get("logGroupName") or parameters.get("logGroupNamePrefix"))
            assert named.startswith(f"/tenantscope/tenants/{LEAVER}/"), one
        elif one["action"] == "ListBucketVersions":
            of_one = f"/tenant_id={LEAVER}/" in parameters["prefix"]
            assert parameters["delimiter"] == OF_A_TENANT
            assert of_one or parameters["prefix"] == "datasets/", one
        elif one["key"]:
            assert f"/tenant_id={LEAVER}/" in one["key"], one
    assert everything_but(town, LEAVER) == before


async def tables(store: PostgresStore, schema: str) -> list[TenantTable]:
    async with store.tenant(LEAVER) as transaction:
        found = list((await read_catalog(transaction, schema)).tables)
    assert {table.part for table in found} == {part for part in PARTS["database"] if part.startswith(f"{schema}.")}
    return found


@pytest.mark.requirement("erases-its-own")
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_row_level_security_alone_keeps_a_statement_without_a_filter_to_the_tenant(town: Sandbox, schema: str):
    """In the transaction of the one, what names another or nobody at all finds and deletes none of another's."""
    before = everything_but(town, LEAVER)
    async with PostgresStore(town.postgres_dsn, schema=schema) as store:
        for table in await tables(store, schema):
            name = sql.Identifier(schema, table.name)
            owners = Statement(sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(name))
            (found,) = await store.run(LEAVER, [owners])
            assert [row["tenant_id"] for row in found.rows] == [LEAVER]
            for other in ALIKE:
                (count, page, gone) = await store.run(
                    LEAVER,
                    [table.count(other), table.page(other, None, most_bytes=1_000), table.delete(other, at_most=9)],
                )
                assert (count.rows, page.rows, gone.count) == ([{"rows": 0}], [], 0)
            await store.run(LEAVER, [Statement(sql.SQL("DELETE FROM {}").format(name))])
    assert everything_but(town, LEAVER) == before


@pytest.mark.requirement("erases-its-own")
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_our_filter_alone_keeps_a_login_that_no_policy_binds_to_the_tenant(town: Sandbox, schema: str):
    before = everything_but(town, LEAVER)
    async with PostgresStore(town.postgres_dsn, schema=schema) as store:
        found = await tables(store, schema)
    with psycopg.connect(town.postgres_admin_dsn) as superuser:
        for table in found:
            lines = superuser.execute(cast(sql.Composed, table.page(LEAVER, None, most_bytes=10**6).text)).fetchall()
            count = superuser.execute(cast(sql.Composed, table.count(LEAVER).text)).fetchone()
            assert count == (len(lines),)
            assert all(f'"tenant_id": "{LEAVER}"' in line for (line,) in lines)
            assert superuser.execute(cast(sql.Composed, table.delete(LEAVER, at_most=100).text)).rowcount == len(lines)
    assert everything_but(town, LEAVER) == before


@pytest.mark.requirement("erases-its-own")
async def test_of_the_cache_no_command_names_another_tenant_though_its_login_could_open_all(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding]
):
    before = everything_but(town, LEAVER)
    commands: list[str] = []
    with admin_valkey(town) as valkey, valkey.monitor() as monitor:
        await stores["cache"].held(aws, LEAVER)
        await stores["cache"].erase(aws, LEAVER, seconds=30)
        valkey.echo("the end")
        for seen in monitor.listen():
            if "the end" in seen["command"]:
                break
            commands.append(seen["command"])
    meant = [one for one in commands if one.startswith(("SCAN", "UNLINK"))]
    assert {one.split()[0] for one in meant} == {"SCAN", "UNLINK"}
    for one in meant:
        assert f" ts:{{{LEAVER}}}:" in one, one
        assert not any(f"{{{other}}}" in one for other in ALIKE), one
    assert everything_but(town, LEAVER) == before
