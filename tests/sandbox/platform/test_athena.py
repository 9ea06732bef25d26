"""Athena over the template's tables, with the rights of whoever asks."""

import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.cloud import Credentials

from .refusals import refused

SUM = "SELECT servicename, sum(effectivecost) FROM allocated_cost WHERE month = '2026-09' AND run = 'r1'"


@pytest.fixture(scope="module")
def costs(bare_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """One row of cost for each of two tenants that no other test knows."""
    file = tmp_path_factory.mktemp("parquet") / "part-0.parquet"
    for tenant, cost in (("quinn", "1.5"), ("rhea", "2.5")):
        columns = f"'EC2' AS ServiceName, {cost}::DECIMAL(38,12) AS EffectiveCost"
        duckdb.sql(f"COPY (SELECT {columns}) TO '{file}' (FORMAT parquet)")
        key = f"datasets/allocated_cost/tenant_id={tenant}/month=2026-09/run=r1/part-0.parquet"
        bare_sandbox.client("s3").put_object(Bucket=bare_sandbox.bucket, Key=key, Body=file.read_bytes())
    return bare_sandbox


def run(sandbox: Sandbox, athena: Any, sql: str, folder: str) -> tuple[str, dict[str, Any]]:
    """Run a query to its end; return its id and status."""
    query = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": sandbox.outputs["GlueDatabase"]},
        WorkGroup=sandbox.outputs["AthenaWorkgroup"],
        ResultConfiguration={"OutputLocation": f"s3://{sandbox.bucket}/athena-results/{folder}/"},
    )["QueryExecutionId"]
    deadline = time.monotonic() + 20
    while True:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            return query, status
        assert time.monotonic() < deadline


def athena_of(sandbox: Sandbox, credentials: Credentials) -> Any:
    return sandbox.client("athena", credentials)


def test_a_tenant_sums_its_own_rows_into_its_own_folder(costs: Sandbox):
    credentials = costs.assume("cost-explorer", "quinn")
    athena = athena_of(costs, credentials)
    query, status = run(costs, athena, f"{SUM} GROUP BY servicename", "tenant_id=quinn")
    assert status["State"] == "SUCCEEDED", status
    rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
    assert [cell["VarCharValue"] for cell in rows[1]["Data"]] == ["EC2", "1.500000000000"]
    key = f"athena-results/tenant_id=quinn/{query}.csv"
    assert costs.client("s3", credentials).get_object(Bucket=costs.bucket, Key=key)["Body"].read()


def test_the_provider_sums_all(costs: Sandbox):
    athena = athena_of(costs, costs.assume("cost-explorer"))
    query, status = run(costs, athena, f"{SUM} AND tenant_id IN ('quinn', 'rhea') GROUP BY servicename", "provider")
    assert status["State"] == "SUCCEEDED", status
    rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
    assert rows[1]["Data"][1]["VarCharValue"] == "4.000000000000"


def test_a_tenant_without_rows_is_denied_the_others(costs: Sandbox):
    athena = athena_of(costs, costs.assume("cost-explorer", "nobody-yet"))
    _, status = run(costs, athena, f"{SUM} GROUP BY servicename", "tenant_id=nobody-yet")
    assert status["State"] == "FAILED"
    assert "Access Denied" in status["StateChangeReason"]


def test_results_cannot_be_written_to_another_tenants_folder(costs: Sandbox):
    athena = athena_of(costs, costs.assume("cost-explorer", "quinn"))
    query, status = run(costs, athena, f"{SUM} GROUP BY servicename", "tenant_id=rhea")
    assert status["State"] == "FAILED"
    with refused("InvalidRequestException", "AccessDeniedException"):
        athena.get_query_results(QueryExecutionId=query)


def test_another_tenants_results_are_refused_even_by_their_id(costs: Sandbox):
    rhea = athena_of(costs, costs.assume("cost-explorer", "rhea"))
    query, status = run(costs, rhea, f"{SUM} GROUP BY servicename", "tenant_id=rhea")
    assert status["State"] == "SUCCEEDED", status
    with refused():
        athena_of(costs, costs.assume("cost-explorer", "quinn")).get_query_results(QueryExecutionId=query)


@pytest.mark.parametrize("source", ["read_csv('/etc/passwd')", "'s3://x/y.parquet'", "'/etc/passwd'", "glob('*')"])
def test_a_query_reaches_nothing_outside_the_catalog(costs: Sandbox, source: str, tmp_path: Path):
    athena = athena_of(costs, costs.assume("cost-explorer", "quinn"))
    with refused("InvalidRequestException"):
        run(costs, athena, f"SELECT * FROM {source}", "tenant_id=quinn")
