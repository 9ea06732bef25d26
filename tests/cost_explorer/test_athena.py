"""The same questions through Athena: every answer equal to the one that DuckDB gives."""

import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
from catalogue import standing_servers
from fixtures.engines import BothEngines
from fixtures.engines import engines as engines
from fixtures.serving import content_of, environment_of, serve
from fixtures.small_company import MONTHS, SERVICE, rollup_of
from tenantscope_sandbox import Sandbox

MARGINS = "fleet/margin/_manifest.json"
SERVER = "cost-explorer"
QUESTIONS: list[tuple[str | None, str, dict[str, Any]]] = [
    ("acme", "get_costs", {"period": "latest"}),
    ("acme", "get_costs", {"period": "2026-08..2026-09", "group_by": "month"}),
    ("acme", "get_costs", {"period": "2026-09", "group_by": "day"}),
    ("acme", "get_costs", {"period": "2026-09-03..2026-09-11", "group_by": "feature"}),
    ("acme", "get_costs", {"period": "2026-09", "group_by": "environment", "service": SERVICE}),
    ("Acme-2", "get_costs", {"period": "2026-08-20..2026-09-03", "group_by": "day"}),
    (None, "get_costs", {"period": "2026-09"}),
    (None, "get_costs", {"period": "2026-09", "group_by": "charge_category", "service": SERVICE}),
    (None, "get_costs", {"period": "2026-09", "tenant_id": "globex"}),
    (None, "rank_tenants_by_cost", {"period": "2026-09"}),
    (None, "rank_tenants_by_cost", {"period": "2026-09-01..2026-09-15", "order_by": "change", "status": "active"}),
    (None, "rank_tenants_by_cost", {"period": "2026-09", "inactive": "shared_among_active"}),
    (None, "get_margins", {"period": "2026-09"}),
    (None, "get_margins", {"period": "2026-08..2026-09", "only": "losing"}),
    (None, "get_margins", {"period": "2026-09", "group_by": "tier"}),
    (None, "get_margins", {"period": "2026-08..2026-09", "group_by": "feature"}),
    (None, "get_feature_unit_costs", {"period": "2026-09"}),
    (None, "get_allocation_report", {"period": "2026-09"}),
    ("acme", "explain_cost_change", {"period": "2026-09"}),
    (None, "explain_cost_change", {"period": "2026-09"}),
    (None, "explain_cost_change", {"period": "2026-09-02..2026-09-04", "compared_with": "2026-08-01..2026-08-20"}),
    ("acme", "find_cost_anomalies", {"period": "2026-09"}),
    (None, "explain_cost_change", {"period": "2026-09", "tenant_id": "globex"}),
    (None, "find_cost_anomalies", {"period": "2026-09", "min_cost": 0}),
    (None, "find_cost_anomalies", {"period": "2026-09", "tenant_id": "globex", "min_cost": 0}),
    (None, "suggest_savings", {"period": "2026-09"}),
    (None, "suggest_savings", {"period": "2026-08..2026-09", "tenant_id": "globex"}),
]


@pytest.mark.requirement("both-engines")
@pytest.mark.parametrize(("tenant", "tool", "arguments"), QUESTIONS, ids=lambda part: str(part))
async def test_both_engines_give_one_answer(
    engines: BothEngines, tenant: str | None, tool: str, arguments: dict[str, Any]
):
    duckdb, athena = await engines.ask(tenant, tool, **arguments)
    assert duckdb == athena


async def test_results_are_reused_for_the_fleet_as_the_setting_says_and_never_for_a_tenant(small_company: Sandbox):
    server = next(one for one in standing_servers() if one.spec.name == SERVER)
    chosen = {"TENANTSCOPE_SQL_ENGINE": "athena", "TENANTSCOPE_ATHENA_REUSE_MINUTES": "30"}
    asked: dict[str | None, list[dict[str, Any]]] = {}
    async with serve(server.spec, environment_of(server, small_company, **chosen), small_company) as served:
        for tenant in ("acme", None):
            mark = small_company.emulator.mark()
            async with served.client(served.token(tenant)) as client:
                answer = content_of(await client.call_tool("get_costs", {"period": "2026-09"}))
            asked[tenant] = [
                one["parameters"]
                for one in small_company.emulator.requests(mark, service="athena", action="StartQueryExecution")
            ]
            scan = answer["freshness"]["scan"]
            assert (scan["queries"], scan["reused"]) == (len(asked[tenant]), 0)
    age = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 30}}
    assert asked[None] and all(one["ResultReuseConfiguration"] == age for one in asked[None])
    assert asked["acme"] and all("ResultReuseConfiguration" not in one for one in asked["acme"])
    places = {one["ResultConfiguration"]["OutputLocation"] for one in asked["acme"]}
    assert places == {f"s3://{small_company.bucket}/athena-results/tenant_id=acme/"}


async def test_the_savings_that_both_find_are_some(engines: BothEngines):
    """Equal answers would prove little if they were empty."""
    duckdb, athena = await engines.ask(None, "suggest_savings", period="2026-09")
    assert duckdb == athena
    (one,) = duckdb["findings"]
    # 269.62 of four tenants at 1 - 0.0125 / 0.023, less next to nothing for what is read
    assert (one["kind"], one["cost"], one["saving"], duckdb["net"]) == ("storage_class", "269.62", "123.09", "123.09")


def margins_of(sandbox: Sandbox, folder: Path) -> dict[str, tuple[str, list[tuple[Any, ...]]]]:
    """The fleet's committed margins by month: the run that made them, and the rows."""
    s3 = sandbox.client("s3")
    manifest = json.loads(s3.get_object(Bucket=sandbox.bucket, Key=MARGINS)["Body"].read())
    found: dict[str, tuple[str, list[tuple[Any, ...]]]] = {}
    for month, commit in manifest["months"].items():
        (ref,) = commit["objects"]
        path = folder / f"{month}.parquet"
        path.write_bytes(s3.get_object(Bucket=sandbox.bucket, Key=ref["key"])["Body"].read())
        with duckdb.connect() as connection:
            found[month] = commit["run"], connection.execute(f"FROM '{path}' ORDER BY ALL").fetchall()
    return found


@pytest.mark.requirement("both-engines")
async def test_margins_made_through_either_engine_are_the_same_rows(engines: BothEngines, tmp_path: Path):
    before = margins_of(engines.sandbox, tmp_path)
    assert tuple(before) == MONTHS
    command, environment = rollup_of(engines.sandbox, tmp_path)
    mark = engines.sandbox.emulator.mark()
    subprocess.run([*command, "--force"], env={**environment, "TENANTSCOPE_SQL_ENGINE": "athena"}, check=True)
    assert engines.sandbox.emulator.requests(mark, service="athena")
    after = margins_of(engines.sandbox, tmp_path)
    assert {month: rows for month, (_, rows) in after.items()} == {month: rows for month, (_, rows) in before.items()}
    assert all(after[month][0] != before[month][0] for month in MONTHS)
