"""What a rollup writes for tenants: a file for each, however many are written by one statement."""

import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import duckdb
import pytest
from tenantscope_core.stores import workbench
from tenantscope_core.stores.workbench import DuckDbWorkbench, Limits, tenant_parts


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        yield connection


def numbers(path: Path) -> list[tuple[int]]:
    with duckdb.connect() as connection:
        return connection.execute(f"FROM '{path}'").fetchall()


@pytest.mark.parametrize("rows", [5, 2_500], ids=["many in a batch", "some alone in theirs"])
def test_each_tenant_has_a_file_of_its_rows_and_the_fleet_has_all(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """In order, without the tenant's id, and a second run in the same folder replaces the first."""
    monkeypatch.setattr(workbench, "_BATCH_ROWS", 2_000)
    database.execute(
        f"""CREATE TABLE made AS SELECT CASE t WHEN 0 THEN NULL WHEN 1 THEN 'T-1' ELSE 't-' || t END AS tenant_id,
        CAST(t * 10000 + n AS INTEGER) AS n
        FROM range(300) AS tenants(t), range(CASE t % 100 WHEN 7 THEN {rows} ELSE 3 END) AS numbers(n)
        ORDER BY tenant_id, n"""
    )
    tenant_parts(database, "made", tmp_path)
    tenants, fleet = tenant_parts(database, "made", tmp_path)
    assert len(tenants) == 299
    assert len({part.path for part in tenants.values()}) == 299
    for tenant, part in tenants.items():
        first = int(tenant[2:]) * 10_000
        count = rows if first // 10_000 % 100 == 7 else 3
        assert (part.rows, numbers(part.path)) == (count, [(first + n,) for n in range(count)])
    assert fleet.rows == sum(part.rows for part in tenants.values()) + 3
    assert database.execute(f"SELECT count(*) FROM '{fleet.path}'").fetchall() == [(fleet.rows,)]
    assert database.execute("SELECT current_setting('threads')").fetchall() == [(2,)]


def test_nothing_is_written_for_nobody(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    database.execute("CREATE TABLE made AS SELECT CAST(NULL AS VARCHAR) AS tenant_id, 1 AS n")
    tenants, fleet = tenant_parts(database, "made", tmp_path)
    assert (tenants, fleet.rows) == ({}, 1)


async def test_a_cancelled_rollup_stops_writing_on_all_of_its_threads(tmp_path: Path) -> None:
    before, begun = threading.active_count(), anyio.Event()
    bench = DuckDbWorkbench(tmp_path, Limits("1GB", 2))

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "CREATE TABLE made AS SELECT 't-' || n // 400 AS tenant_id, n FROM range(4000000) AS numbers(n)"
        )
        anyio.from_thread.run_sync(begun.set)
        tenant_parts(connection, "made", tmp_path / "out")

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(bench.run, work)
            await begun.wait()
            while not [*tmp_path.glob("out/tenants-*")]:
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    assert len([*tmp_path.glob("out/tenants-*")]) < 40
    assert threading.active_count() <= before + 1


def test_what_fails_on_any_thread_fails_the_whole(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench, "_BATCH_TENANTS", 2)
    database.execute(
        "CREATE VIEW made AS SELECT 't-' || n AS tenant_id, CASE n WHEN 8 THEN error('broken') ELSE n END AS n"
        " FROM range(9) AS numbers(n)"
    )
    with pytest.raises(duckdb.Error, match="broken"):
        tenant_parts(database, "made", tmp_path)
