"""Ten thousand tenants, 130 services, a hundred invoices: every answer fits, and what it leaves out is in it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cost_explorer.relations import part
from fixtures.asking import Asker
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.schemas import ALLOCATED_COST, FEATURE_USAGE, MARGIN, REVENUE, USAGE
from tenantscope_core.tool import Tool
from tenantscope_cost_explorer.report import ALLOCATION_REPORT
from tenantscope_cost_explorer.sources.open import sources_of
from tenantscope_cost_explorer.tools import TOOLS

LAST = Month(2026, 9)
MONTHS = [LAST.shift(back) for back in range(-7, 1)]
TENANTS = 10_000
MOST_BYTES = 25_000
ZERO = Decimal(0)
NAME = "'tenant-' || lpad(n::VARCHAR, 5, '0') || repeat('x', 50)"
LONGEST: dict[str, dict[str, Any]] = {
    "get_costs": {"limit": 100},
    "rank_tenants_by_cost": {"limit": 60},
    "get_margins": {"limit": 40},
    "forecast_costs": {"months": 12},
    "find_cost_anomalies": {"sensitivity": "high", "min_cost": 0},
    "suggest_savings": {"limit": 25},
}
"""Arguments that make an answer as long as it gets, where it has such."""


def of_costs(month: Month) -> str:
    """A row a tenant and ten days, and the residual; each tenant on some of 130 services and forty features."""
    return f"""(SELECT CASE WHEN n < {TENANTS} THEN {NAME} END AS tenant_id,
      DATE '{month.first_day}' + (d * 3)::INTEGER AS ChargePeriodStart,
      DATE '{month.first_day}' + (d * 3 + 1)::INTEGER AS ChargePeriodEnd,
      'Amazon Service Number ' || (n + d) % 130 AS ServiceName,
      'feature-' || n % 40 AS x_Feature, 'prod' AS x_Environment,
      'Usage' AS ChargeCategory, 'Usage-Based' AS ChargeFrequency, 'USD' AS BillingCurrency,
      CASE WHEN n = {TENANTS} THEN 'residual' WHEN d = 0 THEN 'direct' ELSE 'driver' END AS x_Method,
      'invoice-' || n % 100 AS InvoiceId, 'rule' AS x_Rule, 'Requests' AS ConsumedUnit,
      (1 + (n * 7 + d * 3 + {month.month}) % 113) AS ConsumedQuantity,
      (1 + (n * 31 + d * 17 + {month.month} * 11) % 97) / 7.0 AS EffectiveCost, 1 AS BilledCost
      FROM range({TENANTS + 1}) AS t(n), range(10) AS u(d))"""


def of_report() -> str:
    return """(SELECT 'rules' AS Section, 'v1' AS Name, 0 AS Position, 100 AS Charges, 'USD' AS BillingCurrency,
        NULL AS Method, 0 AS EffectiveCost, 0 AS AllocatedEffectiveCost, 0 AS ResidualEffectiveCost, 0 AS BilledCost,
        0 AS AllocatedBilledCost, 0 AS ResidualBilledCost
      UNION ALL SELECT 'rule', 'a rule of some length ' || n, n, 1, 'USD', 'driver', 3, 2, 1, 3, 2, 1
      FROM range(200) AS t(n)
      UNION ALL SELECT 'invoice', 'invoice-' || n, 0, 1, 'USD', NULL, 6, 4, 2, 6, 4, 2 FROM range(100) AS t(n))"""


@pytest.fixture(scope="module")
async def bucket(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> str:
    name, folder = "cost-explorer-many", tmp_path_factory.mktemp("many")
    shared_cloud.client("s3").create_bucket(Bucket=name)
    writer = DatasetWriter(shared_cloud.fleet(), name, clock=Clock())
    for month in MONTHS:
        first = f"DATE '{month.first_day}'"
        relations = [
            (ALLOCATED_COST, of_costs(month)),
            (ALLOCATION_REPORT, of_report()),
            (
                USAGE,
                f"(SELECT {NAME} AS tenant_id, {first} AS day, 'requests' AS metric, n % 5 AS quantity,"
                f" 'Requests' AS unit FROM range({TENANTS}) AS t(n))",
            ),
            (
                FEATURE_USAGE,
                f"(SELECT {NAME} AS tenant_id, {first} AS day, 'feature-' || (n + f) % 40 AS feature,"
                f" 'use' AS action, 1 + n % 9 AS calls, 1 AS users, 0 AS errors, 5 AS bytes"
                f" FROM range({TENANTS}) AS t(n), range(3) AS u(f))",
            ),
            (
                REVENUE,
                f"(SELECT {NAME} AS tenant_id, 'plan' AS plan, 'fee' AS line, n % 300 AS amount,"
                f" 'USD' AS currency FROM range({TENANTS}) AS t(n))",
            ),
            (
                MARGIN,
                f"(SELECT tenant_id, BillingCurrency AS currency, paid AS revenue, spent AS cost,"
                f" paid - spent AS margin, 'tier-' || paid % 9 AS tier, 'plan' AS plan FROM"
                f" (SELECT tenant_id, BillingCurrency, sum(EffectiveCost) AS spent,"
                f" CASE WHEN tenant_id IS NULL THEN 0 ELSE length(tenant_id) * 2 END AS paid"
                f" FROM {of_costs(month)} GROUP BY ALL))",
            ),
        ]
        for dataset, values in relations:
            file = part(folder, dataset, f"{dataset.name}-{month}", values)
            await writer.commit(dataset.name, str(month), run="r", inputs="r", tenants={}, fleet=file)
    return name


@pytest.fixture
async def provider(bucket: str, shared_cloud: Cloud, tmp_path: Path) -> AsyncIterator[Asker]:
    reader = DatasetReader(bucket, clock=Clock())
    cache = ObjectCache(tmp_path, max_bytes=1 << 30)
    yield Asker(sources_of(reader, DuckDbEngine(reader, cache)), shared_cloud.fleet())
    cache.close()


def sums_of_costs(report: Any) -> None:
    for costs in report.costs:
        assert sum((row.cost for row in costs.rows), costs.other.cost) == costs.total


def sums_of_ranking(report: Any) -> None:
    assert sum((row.total for row in report.rows), report.other.total + report.residual) == report.bill
    assert (report.tenant_count, report.other.tenants) == (TENANTS, TENANTS - len(report.rows))


def sums_of_margins(report: Any) -> None:
    assert sum((row.margin for row in report.rows), report.other.margin - report.residual) == report.margin


def sums_of_features(report: Any) -> None:
    rows = sum((row.attributed.cost for row in report.rows), report.other.attributed)
    assert rows + report.no_feature.attributed + report.residual == report.bill


def sums_of_forecast(report: Any) -> None:
    assert sum((one.cost for one in report.tenants), report.other.cost + report.residual) == report.total


def sums_of_change(report: Any) -> None:
    for change in report.changes:
        assert sum((driver.change for driver in change.drivers), ZERO) == change.change
        assert sum((line.change for line in change.lines), change.other.change) == change.change


def of_anomalies(report: Any) -> None:
    assert report.truncated == (report.count > len(report.anomalies))


def sums_of_savings(report: Any) -> None:
    assert sum((one.saving for one in report.findings), report.other.saving if report.other else ZERO) == report.gross


def sums_of_report(report: Any) -> None:
    assert report.truncated
    assert (report.invoice_count, report.reconciles) == (100, True)
    (effective,) = report.effective_cost
    assert effective.total == Decimal(3 * 200)


SUMS: dict[str, Callable[[Any], None]] = {
    "get_costs": sums_of_costs,
    "rank_tenants_by_cost": sums_of_ranking,
    "get_margins": sums_of_margins,
    "get_feature_unit_costs": sums_of_features,
    "forecast_costs": sums_of_forecast,
    "get_allocation_report": sums_of_report,
    "explain_cost_change": sums_of_change,
    "find_cost_anomalies": of_anomalies,
    "suggest_savings": sums_of_savings,
}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_an_answer_about_ten_thousand_tenants_is_small_and_sums(provider: Asker, tool: Tool) -> None:
    SUMS[tool.name](await provider.ask(tool))


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_the_longest_answer_is_within_what_a_host_takes(provider: Asker, tool: Tool) -> None:
    asker = replace(provider, most_bytes=MOST_BYTES)
    SUMS[tool.name](await asker.ask(tool, **LONGEST.get(tool.name, {})))
