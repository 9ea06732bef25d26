"""The company, made once for all tests and kept in the checkout's state folder."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tenantscope_sandbox.company import generate

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def company() -> Path:
    return generate(Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or REPOSITORY / ".sandbox/test"))


@pytest.fixture(scope="session")
def bucket(company: Path) -> Path:
    return company / "s3"


@pytest.fixture(scope="session")
def truth(company: Path) -> dict[str, Any]:
    return json.loads((company / "truth.json").read_text())


@pytest.fixture(scope="session")
def sql(company: Path, bucket: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """As tables: `bill`, `log`, what the company metered, and the fleet's copy of what it uploads."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE VIEW bill AS SELECT *, BilledCost::DECIMAL(38, 12) AS billed,"
            " EffectiveCost::DECIMAL(38, 12) AS effective"
            f" FROM read_parquet('{bucket}/raw/billing/focus/data/*/*.parquet', hive_partitioning = false)"
        )
        connection.execute(
            f"CREATE TABLE log AS SELECT *, (requestTime AT TIME ZONE 'UTC')::DATE AS day"
            f" FROM read_json('{bucket}/raw/access_log/*/*.jsonl.gz', hive_partitioning = false,"
            " columns = {requestId: VARCHAR, requestTime: TIMESTAMPTZ, httpMethod: VARCHAR, path: VARCHAR,"
            ' status: BIGINT, responseLength: BIGINT, responseLatency: BIGINT, tenantId: VARCHAR, "user": VARCHAR})'
        )
        for name in ("usage", "feature_usage"):
            connection.execute(
                f"CREATE VIEW {name} AS SELECT *, strftime(day, '%Y-%m') AS month"
                f" FROM read_parquet('{company}/metering/{name}/*.parquet', hive_partitioning = false)"
            )
        connection.execute(
            f"CREATE VIEW llm_usage AS SELECT * FROM read_parquet('{bucket}/fleet/llm_usage/*/*/*.parquet',"
            " hive_partitioning = true, hive_types_autocast = false)"
        )
        connection.execute(
            f"CREATE VIEW revenue AS SELECT * FROM read_csv('{bucket}/raw/revenue/*/*.csv', hive_partitioning = true,"
            " hive_types_autocast = false, types = {amount: 'DECIMAL(38, 12)'})"
        )
        yield connection
