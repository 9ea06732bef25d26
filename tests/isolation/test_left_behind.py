"""What a tenant's calls leave in PostgreSQL and Valkey: all of it its own, and nobody else's to read there."""

from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest
from catalogue import StandingServer
from contract.calls import audiences, working_arguments
from fixtures.serving import Served
from fixtures.store_contents import contents, tables
from psycopg import sql
from tenantscope_core.identity.caller import Audience
from tenantscope_sandbox import Sandbox

OWNER, OTHER = "Acme-2", "acme_corp"
OF_ONE: LiteralString = "SELECT count(*) FROM {} WHERE tenant_id = %s"
OF_ANY_OTHER: LiteralString = "SELECT count(*) FROM {} WHERE tenant_id <> %s"
BOOKKEEPING = {"tenantscope_migrations"}
"""Tables that hold nobody's data."""


async def call_every_tool(served: Served, tenant: str) -> None:
    ask = served.asking(served.token(tenant))
    for tool in audiences(served.spec, Audience.TENANT):
        await ask(tool.name, await working_arguments(served.spec, tool, Audience.TENANT, ask))


@pytest.fixture
def as_the_application(small_company: Sandbox) -> Iterator[psycopg.Connection]:
    with psycopg.connect(small_company.postgres_dsn) as connection:
        yield connection


@pytest.mark.requirement("leaves-its-own")
async def test_every_key_lies_behind_the_callers_prefix_and_every_row_is_the_callers(
    server: StandingServer, served: Served, small_company: Sandbox
):
    before = contents(small_company, not_of=OWNER)
    await call_every_tool(served, OWNER)
    after = contents(small_company, not_of=OWNER)
    left = {name for name in before | after if before.get(name) != after.get(name)}
    assert {name for name in left if not name.startswith(f"ts:{{{OWNER}}}:")} == set()


@pytest.mark.requirement("database-holds-alone")
async def test_the_database_itself_shows_each_tenant_its_own_rows_and_nobody_anything_without_a_tenant(
    server: StandingServer, served: Served, small_company: Sandbox, as_the_application: psycopg.Connection
):
    """As the server's own login and without a filter of ours, beside what the superuser sees."""
    for tenant in (OWNER, OTHER):
        await call_every_tool(served, tenant)
    schema = getattr(served.assembly.settings, "postgres_schema", None)
    if schema is None:  # keeps nothing of its own there
        return
    kept = dict[str, int]()
    with psycopg.connect(small_company.postgres_admin_dsn) as superuser:
        for table in tables(superuser, schema):
            if table not in BOOKKEEPING:
                kept[table] = count(superuser, OF_ONE, schema, table, OTHER)
    assert sum(kept.values()), "there is something to hide"
    for table, rows in kept.items():
        for said in (OWNER, OTHER, "", "*", "%"):
            as_the_application.execute("SELECT set_config('tenantscope.tenant_id', %s, true)", [said])
            assert count(as_the_application, OF_ANY_OTHER, schema, table, said) == 0, table
            assert count(as_the_application, OF_ONE, schema, table, OTHER) == (rows if said == OTHER else 0), table
        as_the_application.rollback()


def count(connection: psycopg.Connection, query: LiteralString, schema: str, table: str, tenant: str) -> int:
    row = connection.execute(sql.SQL(query).format(sql.Identifier(schema, table)), [tenant]).fetchone()
    assert row is not None
    return row[0]
