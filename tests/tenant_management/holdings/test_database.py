"""Rows: late ones, references, tables that say nothing of a tenant, databases that cannot be trusted."""

from collections.abc import Iterator

import psycopg
import pytest
from tenant_management.holdings.world import ALIKE, LEAVER, everything_but
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import DataFault, NotSetUp, Unavailable
from tenantscope_core.stores.postgres_safety import protect
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.holdings.database import Database
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.holdings.line_files import PART_BYTES

APP = "tenantscope_app"
TABLES = """
CREATE SCHEMA crm;
CREATE TABLE crm.country (code text PRIMARY KEY);
CREATE TABLE crm.person (
    tenant_id text NOT NULL, id int, boss int, name text, PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, boss) REFERENCES crm.person DEFERRABLE
);
CREATE TABLE crm."odd ""name" (tenant_id text NOT NULL, "a b" numeric, c boolean, d timestamptz, e text COLLATE "C",
    PRIMARY KEY (c, "a b", tenant_id, d, e));
CREATE TABLE crm.scrap (tenant_id text NOT NULL, note text);
"""


@pytest.fixture
def crm(small_company: Sandbox) -> Iterator[psycopg.Connection]:
    """A schema of the company's own in the same database."""
    with psycopg.connect(small_company.postgres_admin_dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS crm CASCADE")
        connection.execute(TABLES)
        for table in ("crm.person", 'crm."odd ""name"', "crm.scrap"):
            connection.execute(protect(table))  # pyright: ignore[reportArgumentType]
        connection.execute(f"GRANT USAGE ON SCHEMA crm TO {APP}")
        connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA crm TO {APP}")
        yield connection
        connection.execute("DROP SCHEMA crm CASCADE")


def fill(crm: psycopg.Connection, tenant: str) -> None:
    """A chain of people, and keys of odd columns."""
    with crm.transaction():
        crm.execute("SET CONSTRAINTS ALL DEFERRED")
        crm.execute(
            "INSERT INTO crm.person SELECT %s, n, nullif(n - 1, 0), 'p' || n FROM generate_series(1, 30) AS n", [tenant]
        )
    crm.execute(
        """INSERT INTO crm."odd ""name" SELECT %s, n / 3.0, n %% 2 = 0, timestamptz '2026-01-01' + n * interval '1 us',
           'é"\\ ' || n FROM generate_series(1, 50) AS n""",
        [tenant],
    )


def of_crm(sandbox: Sandbox, *, part_bytes: int = PART_BYTES) -> Database:
    return Database(sandbox.postgres_dsn, ["crm"], part_bytes=part_bytes)


async def test_a_row_that_comes_late_is_found_afterwards_and_goes_the_next_time(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding]
):
    assert await stores["database"].erase(aws, LEAVER, seconds=30)
    with psycopg.connect(town.postgres_dsn) as late, late.transaction():
        late.execute("SELECT set_config('tenantscope.tenant_id', %s, true)", [LEAVER])
        late.execute("INSERT INTO memory.session VALUES (%s, 'ann', 'late', 0, now(), now())", [LEAVER])
    assert (await stores["database"].held(aws, LEAVER)).parts == {"memory.session": 1}
    assert await stores["database"].erase(aws, LEAVER, seconds=30)
    assert (await stores["database"].held(aws, LEAVER)).count == 0


async def test_tables_of_the_companys_own_are_exported_and_emptied_by_the_catalog_alone(
    vacant: Sandbox, aws: TenantSession, crm: psycopg.Connection
):
    for tenant in (LEAVER, *ALIKE):
        fill(crm, tenant)
    database = of_crm(vacant, part_bytes=300)
    assert (await database.held(aws, LEAVER)).parts == {"crm.person": 30, 'crm.odd "name': 50}
    before = everything_but(vacant, LEAVER)
    export = await database.export(aws, LEAVER, ExportFolder(aws, vacant.bucket, "crm"), seconds=1e9)
    assert sum(file.rows or 0 for file in export.files) == 80
    assert len(export.files) > 20
    assert await database.erase(aws, LEAVER, seconds=30)
    assert everything_but(vacant, LEAVER) == before


async def test_a_table_without_a_primary_key_is_emptied_and_its_export_refused(
    vacant: Sandbox, aws: TenantSession, crm: psycopg.Connection
):
    crm.execute("INSERT INTO crm.scrap SELECT %s, 'x' FROM generate_series(1, 20)", [LEAVER])
    database = of_crm(vacant)
    with pytest.raises(DataFault, match="no primary key"):
        await database.export(aws, LEAVER, ExportFolder(aws, vacant.bucket, "scrap"), seconds=30)
    assert await database.erase(aws, LEAVER, seconds=30)
    assert (await database.held(aws, LEAVER)).count == 0


async def test_a_table_that_says_of_no_row_whose_it_is_is_named_in_what_stays(
    vacant: Sandbox, aws: TenantSession, crm: psycopg.Connection
):
    assert "A table says of no row whose it is, and is left as it is: country." in await of_crm(vacant).kept(
        aws, LEAVER
    )


async def test_an_unprotected_table_stops_everything_before_a_row_is_touched(
    vacant: Sandbox, aws: TenantSession, crm: psycopg.Connection
):
    fill(crm, LEAVER)
    crm.execute("ALTER TABLE crm.person DISABLE ROW LEVEL SECURITY")
    database = of_crm(vacant)
    for work in (database.prepare(aws, LEAVER), database.held(aws, LEAVER), database.erase(aws, LEAVER, seconds=1)):
        with pytest.raises(NotSetUp, match="does not keep tenants apart"):
            await work
    assert crm.execute("SELECT count(*) FROM crm.person").fetchone() == (30,)


async def test_a_schema_that_is_not_there_is_no_proof_that_nothing_is_held(vacant: Sandbox, aws: TenantSession):
    with pytest.raises(NotSetUp, match="TENANTSCOPE_POSTGRES_SCHEMAS"):
        await Database(vacant.postgres_dsn, ["memory", "mispelt"]).held(aws, LEAVER)


async def test_a_login_that_may_not_delete_is_told_in_our_words(
    vacant: Sandbox, aws: TenantSession, crm: psycopg.Connection
):
    fill(crm, LEAVER)
    crm.execute(f"REVOKE DELETE ON crm.person FROM {APP}")
    with pytest.raises(NotSetUp, match="The database refuses what has to be done"):
        await of_crm(vacant).erase(aws, LEAVER, seconds=1)


async def test_a_database_that_is_down_is_unavailable(vacant: Sandbox, aws: TenantSession):
    with pytest.raises(Unavailable):
        await Database("postgresql://app:x@127.0.0.1:1/none", ["memory"]).held(aws, LEAVER)
