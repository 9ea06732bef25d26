"""The sandbox company's log, rolled up by the server's own command, against what the company metered itself."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.company.datasets import METERED
from tenantscope_sandbox.company.generate import METERING


@pytest.fixture(scope="module")
def rolled(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """What is committed of the fleet (`usage`, …) and what the company metered (`metered_usage`, …), as views."""
    s3, folder = sandbox.client("s3"), tmp_path_factory.mktemp("rolled")
    connection = duckdb.connect()
    for name in (*METERED, "access_log_report"):
        manifest: dict[str, Any] = json.loads(
            s3.get_object(Bucket=sandbox.bucket, Key=f"fleet/{name}/_manifest.json")["Body"].read()
        )
        for month, commit in manifest["months"].items():
            (entry,) = commit["objects"]
            path = folder / f"{name}-{month}.parquet"
            path.write_bytes(s3.get_object(Bucket=sandbox.bucket, Key=entry["key"])["Body"].read())
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder}/{name}-*.parquet', filename = true)")
    for name in METERED:
        own: Path = sandbox.state.root / "company" / METERING / name
        connection.execute(f"CREATE VIEW metered_{name} AS FROM read_parquet('{own}/*.parquet')")
    return connection


@pytest.mark.parametrize("name", METERED)
def test_a_year_of_rolled_up_rows_is_what_the_company_metered(rolled: duckdb.DuckDBPyConnection, name: str):
    """Row by row: counts, people, percentiles, all of it, and nothing beside it."""
    ours, theirs = (f"SELECT tenant_id, {METERED[name]} FROM {view}" for view in (name, f"metered_{name}"))
    ((count, missing, surplus),) = rolled.execute(
        f"SELECT (SELECT count(*) FROM ({theirs})), (SELECT count(*) FROM ({theirs} EXCEPT ALL {ours})),"
        f" (SELECT count(*) FROM ({ours} EXCEPT ALL {theirs}))"
    ).fetchall()
    assert count > 100_000
    assert (missing, surplus) == (0, 0)


def test_every_line_of_the_year_is_accounted_for(rolled: duckdb.DuckDBPyConnection, sandbox: Sandbox):
    truth = json.loads((sandbox.state.root / "company/truth.json").read_text())
    lines = sum(tenant["requests"] for month in truth["usage"].values() for tenant in month.values())
    classes = rolled.execute(
        "SELECT name, CAST(sum(lines) AS BIGINT) FROM access_log_report WHERE section = 'class' GROUP BY 1"
    ).fetchall()
    assert classes == [("counted", lines)]
