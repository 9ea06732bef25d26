"""PostgreSQL per tenant: isolation by the database, one round trip, faults survived."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import LiteralString

import anyio
import anyio.to_thread
import psycopg
import pytest
from fixtures.stores import Database, RunningPart
from fixtures.tcp_proxy import TcpProxy
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tenantscope_core.results.errors import NotSetUp, Unavailable
from tenantscope_core.stores.migrations import Migration, MigrationChanged, migrate, read_migrations
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore, Statement, UnsafeDatabase

SCHEMA = "memory_test"
NOTES = Migration(
    "001_note.sql",
    "CREATE TABLE note (tenant_id text NOT NULL, id int NOT NULL, text text, PRIMARY KEY (tenant_id, id));"
    "SELECT protect('note');",
)
LIMITS = PostgresLimits(connections=3, connect_seconds=1, wait_seconds=1, statement_seconds=2)


@pytest.fixture
async def migrated(database: Database, superuser: psycopg.Connection) -> None:
    await migrate(database.owner, [NOTES], schema=SCHEMA, login="tenantscope_app")
    superuser.execute(f"DELETE FROM {SCHEMA}.note")


@pytest.fixture
async def store(database: Database, migrated: None) -> AsyncIterator[PostgresStore]:
    async with PostgresStore(database.application, schema=SCHEMA, limits=LIMITS) as store:
        yield store


async def _put(store: PostgresStore, tenant: str, number: int, text: str) -> None:
    await store.execute(tenant, "INSERT INTO note VALUES (%s, %s, %s)", (tenant, number, text))


async def test_a_tenant_sees_its_own_rows_even_where_the_query_names_no_tenant(store: PostgresStore):
    await _put(store, "acme", 1, "ours")
    await _put(store, "globex", 1, "theirs")
    assert await store.fetch("acme", "SELECT tenant_id, text FROM note") == [{"tenant_id": "acme", "text": "ours"}]


async def test_a_tenant_cannot_touch_another_s_rows_by_naming_them(store: PostgresStore):
    await _put(store, "globex", 1, "theirs")
    assert await store.fetch("acme", "SELECT * FROM note WHERE tenant_id = 'globex'") == []
    assert await store.execute("acme", "UPDATE note SET text = 'x' WHERE tenant_id = 'globex'") == 0
    assert await store.execute("acme", "DELETE FROM note") == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await _put_for(store, "acme", "globex")


async def _put_for(store: PostgresStore, tenant: str, owner: str) -> None:
    await store.execute(tenant, "INSERT INTO note VALUES (%s, 9, 'forged')", (owner,))


async def test_around_the_store_a_login_without_a_tenant_sees_and_writes_nothing(
    store: PostgresStore, database: Database
):
    await _put(store, "acme", 1, "ours")
    with psycopg.connect(database.application, autocommit=True) as raw:
        assert raw.execute(f"SELECT * FROM {SCHEMA}.note").fetchall() == []
        raw.execute("SELECT set_config('tenantscope.tenant_id', 'acme', true)")  # ends with its own transaction
        assert raw.execute(f"SELECT * FROM {SCHEMA}.note").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            raw.execute(f"INSERT INTO {SCHEMA}.note VALUES ('', 1, 'nobody')")


async def test_the_owner_of_a_table_is_held_by_row_level_security_too(store: PostgresStore, database: Database):
    await _put(store, "acme", 1, "ours")
    with psycopg.connect(database.owner) as owner:
        assert owner.execute(f"SELECT * FROM {SCHEMA}.note").fetchall() == []


@pytest.mark.requirement("tenant-ids-as-they-are")
async def test_a_name_that_is_no_tenant_id_never_reaches_the_database(store: PostgresStore):
    for name in ("", "*", "acme'--", "a/b", "acme:x", "a" * 64):
        with pytest.raises(ValueError, match="tenant"):
            await store.fetch(name, "SELECT 1")


async def test_forty_tenants_at_once_never_see_each_other(store: PostgresStore):
    seen: dict[str, list[str]] = {}

    async def use(number: int) -> None:
        tenant = f"t{number}"
        async with store.tenant(tenant) as tx:
            await tx.execute("INSERT INTO note VALUES (%s, 1, %s)", (tenant, tenant))
            await anyio.sleep(0)
            seen[tenant] = [row["text"] for row in await tx.fetch("SELECT text FROM note")]

    async with anyio.create_task_group() as group:
        for number in range(40):
            group.start_soon(use, number)
    assert seen == {f"t{number}": [f"t{number}"] for number in range(40)}


async def test_a_block_that_raises_changes_nothing(store: PostgresStore):
    with pytest.raises(LookupError):
        async with store.tenant("acme") as tx:
            await tx.execute("INSERT INTO note VALUES ('acme', 1, 'x')")
            raise LookupError
    assert await store.fetch("acme", "SELECT * FROM note") == []


async def test_a_swallowed_error_is_no_silent_rollback(store: PostgresStore):
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        async with store.tenant("acme") as tx:
            await tx.execute("INSERT INTO note VALUES ('acme', 1, 'x')")
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                await tx.execute("INSERT INTO note VALUES ('acme', 1, 'x')")
    assert await store.fetch("acme", "SELECT * FROM note") == []


async def test_a_statement_at_fault_undoes_the_whole_batch_and_the_connection_goes_on(store: PostgresStore):
    batch = [Statement("INSERT INTO note VALUES ('acme', 1, 'x')")] * 2
    with pytest.raises(psycopg.errors.UniqueViolation):
        await store.run("acme", batch)
    assert await store.fetch("acme", "SELECT * FROM note") == []


@pytest.mark.parametrize("text", ["SELECT * FROM later", "SELECT later FROM note", "SELECT later(text) FROM note"])
async def test_tables_that_were_not_migrated_are_said_to_be_and_work_once_they_are(
    store: PostgresStore, caplog: pytest.LogCaptureFixture, text: LiteralString
):
    with pytest.raises(NotSetUp, match="migrate"):
        await store.fetch("acme", text)
    assert "later" in caplog.text
    assert await store.fetch("acme", "SELECT * FROM note") == []


async def test_a_transaction_of_known_statements_is_one_round_trip(database: Database, migrated: None):
    async with _proxied(database) as (proxy, store):
        for _ in range(8):  # beyond the number of executions after which statements are prepared
            await store.fetch("acme", "SELECT text FROM note WHERE id = %s", (1,))
            before = proxy.round_trips
            await store.run("acme", [Statement("SELECT 1"), Statement("SELECT text FROM note WHERE id = %s", (1,))])
            assert proxy.round_trips - before == 1


async def test_an_interactive_transaction_costs_a_round_trip_per_statement_and_one_to_commit(
    database: Database, migrated: None
):
    async with _proxied(database) as (proxy, store):
        await store.fetch("acme", "SELECT 1")
        before = proxy.round_trips
        async with store.tenant("acme") as tx:
            await tx.fetch("SELECT 1 AS one")
            await tx.fetch("SELECT 2 AS two")
        assert proxy.round_trips - before == 3
        async with store.tenant("acme"):
            pass
        assert proxy.round_trips - before == 3


async def test_a_slow_statement_is_ended_by_the_server_and_is_unavailable(store: PostgresStore):
    with pytest.raises(Unavailable, match="too long"):
        async with store.tenant("acme", statement_seconds=0.1) as tx:
            await tx.fetch("SELECT pg_sleep(5)")
    assert await store.fetch("acme", "SELECT 1 AS one") == [{"one": 1}]


async def test_a_cancelled_task_cancels_its_statement_on_the_server(
    store: PostgresStore, superuser: psycopg.Connection
):
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(1.77)%%' AND state = 'active'"

    def count() -> int:
        row = superuser.execute(running.replace("%%", "%")).fetchone()
        assert row is not None
        return int(row[0])

    task = asyncio.create_task(store.fetch("acme", "SELECT pg_sleep(1.77)"))
    with anyio.fail_after(5):
        while not count():
            await anyio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert count() == 0
    assert await store.fetch("acme", "SELECT 1 AS one") == [{"one": 1}]


async def test_a_server_that_falls_silent_is_given_up_in_time_and_used_again_after(database: Database, migrated: None):
    limits = PostgresLimits(connections=1, connect_seconds=1, wait_seconds=1, statement_seconds=0.1)
    async with _proxied(database, limits) as (proxy, store):
        await store.fetch("acme", "SELECT 1")
        proxy.silent = True
        with anyio.fail_after(4), pytest.raises(Unavailable):
            await store.fetch("acme", "SELECT 1")
        proxy.silent = False
        assert await _until_served(store) == [{"one": 1}]


async def test_connections_cut_between_calls_cost_no_call(database: Database, migrated: None):
    async with _proxied(database) as (proxy, store):
        await store.fetch("acme", "SELECT 1")
        proxy.cut()
        await anyio.sleep(0.05)
        assert await store.fetch("acme", "SELECT 1 AS one") == [{"one": 1}]


async def test_a_killed_database_is_unavailable_and_comes_back_by_itself(
    store: PostgresStore, postgres_part: RunningPart
):
    await _put(store, "acme", 1, "acknowledged")
    postgres_part.kill()
    try:
        with pytest.raises(Unavailable) as caught:
            await store.fetch("acme", "SELECT 1")
        assert caught.value.remedy.retry_after_seconds
    finally:
        await anyio.to_thread.run_sync(postgres_part.start)
    await _until_served(store)
    assert await store.fetch("acme", "SELECT text FROM note") == [{"text": "acknowledged"}]


async def test_a_store_opens_while_its_database_is_down_and_verifies_when_it_is_back(
    database: Database, migrated: None
):
    async with TcpProxy(1) as nowhere:  # a port where nothing answers
        dsn = make_conninfo(database.superuser, port=nowhere.port)
        async with PostgresStore(dsn, schema=SCHEMA, limits=LIMITS) as store:
            with pytest.raises(Unavailable):
                await store.fetch("acme", "SELECT 1")
            nowhere.retarget(int(conninfo_to_dict(database.superuser)["port"] or 0))
            with pytest.raises(UnsafeDatabase, match="superuser"):
                await _until_served(store)


@pytest.mark.requirement("logs-in-by-iam")
async def test_a_password_is_asked_for_at_each_new_connection_as_iam_tokens_need(database: Database, migrated: None):
    given = conninfo_to_dict(database.application)
    tokens = ["wrong", str(given["password"])]

    async def token() -> str:
        return tokens.pop(0) if len(tokens) > 1 else tokens[0]

    dsn = make_conninfo(database.application, password="none")
    async with PostgresStore(dsn, schema=SCHEMA, limits=LIMITS, password=token) as store:
        assert await _until_served(store) == [{"one": 1}]


@pytest.mark.requirement("login-without-power")
async def test_it_refuses_to_start_as_a_superuser_or_as_the_owner(database: Database, migrated: None):
    for dsn, reason in ((database.superuser, "superuser"), (database.owner, "owner of note")):
        with pytest.raises(UnsafeDatabase, match=reason):
            async with PostgresStore(dsn, schema=SCHEMA, limits=LIMITS):
                pass


@pytest.mark.requirement("login-without-power")
@pytest.mark.parametrize(
    ("harm", "repair", "reason"),
    [
        ("ALTER ROLE tenantscope_app BYPASSRLS", "ALTER ROLE tenantscope_app NOBYPASSRLS", "BYPASSRLS"),
        (
            "GRANT tenantscope_owner TO tenantscope_app",
            "REVOKE tenantscope_owner FROM tenantscope_app",
            "member of the owner of note",
        ),
        (
            f"ALTER TABLE {SCHEMA}.note NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {SCHEMA}.note FORCE ROW LEVEL SECURITY",
            "note has a tenant_id",
        ),
        (
            f"CREATE POLICY wide ON {SCHEMA}.note USING (true)",
            f"DROP POLICY wide ON {SCHEMA}.note",
            "note has a tenant_id",
        ),
        (
            f"CREATE VIEW {SCHEMA}.wide AS SELECT * FROM {SCHEMA}.note",
            f"DROP VIEW {SCHEMA}.wide",
            "wide has a tenant_id",
        ),
        (
            f"CREATE MATERIALIZED VIEW {SCHEMA}.kept AS SELECT * FROM {SCHEMA}.note",
            f"DROP MATERIALIZED VIEW {SCHEMA}.kept",
            "kept has a tenant_id",
        ),
    ],
)
async def test_it_refuses_to_start_where_a_way_around_exists(
    harm: str, repair: str, reason: str, database: Database, migrated: None, superuser: psycopg.Connection
):
    superuser.execute(harm.encode())
    try:
        with pytest.raises(UnsafeDatabase, match=reason):
            async with PostgresStore(database.application, schema=SCHEMA, limits=LIMITS):
                pass
    finally:
        superuser.execute(repair.encode())


async def test_migrations_run_once_in_order_also_from_several_processes_at_once(database: Database, tmp_path: Path):
    (tmp_path / "002_b.sql").write_text("ALTER TABLE step ADD b int;")
    (tmp_path / "001_a.sql").write_text("CREATE TABLE step (a int);")
    applied: list[str] = []

    async def run() -> None:
        applied.extend(
            await migrate(database.owner, read_migrations(tmp_path), schema="steps", login="tenantscope_app")
        )

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(run)
    assert applied == ["001_a.sql", "002_b.sql"]


async def test_a_failed_migration_leaves_nothing_and_an_edited_one_is_refused(database: Database):
    first, broken = (
        Migration("1.sql", "CREATE TABLE x (a int)"),
        Migration("2.sql", "CREATE TABLE y (a int); SELECT 1/0"),
    )
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(database.owner, [first, broken], schema="failing", login="tenantscope_app")
    repaired = Migration("2.sql", "CREATE TABLE y (a int)")
    assert await migrate(database.owner, [first, repaired], schema="failing", login="tenantscope_app") == ["2.sql"]
    with pytest.raises(MigrationChanged, match=r"1\.sql"):
        await migrate(database.owner, [Migration("1.sql", "")], schema="failing", login="tenantscope_app")


class _proxied:
    def __init__(self, database: Database, limits: PostgresLimits = LIMITS) -> None:
        target = int(conninfo_to_dict(database.application)["port"] or 0)
        self._proxy = TcpProxy(target)
        self._database = database
        self._limits = limits

    async def __aenter__(self) -> tuple[TcpProxy, PostgresStore]:
        await self._proxy.__aenter__()
        dsn = make_conninfo(self._database.application, port=self._proxy.port)
        self._store = PostgresStore(dsn, schema=SCHEMA, limits=self._limits)
        return self._proxy, await self._store.__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        await self._store.__aexit__(None, None, None)
        await self._proxy.__aexit__(None, None, None)


async def _until_served(store: PostgresStore) -> list[dict[str, object]]:
    with anyio.fail_after(15):
        while True:
            try:
                return await store.fetch("acme", "SELECT 1 AS one")
            except Unavailable:
                await anyio.sleep(0.05)
