"""`suggest_savings` over committed datasets: bounded at any size, and plain about what it could not look at."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cost_explorer.saving_company import MARGIN_OF_A_TIER
from cost_explorer.test_rollup import Company
from fixtures.asking import ABOUT_2000_TOKENS, Asker
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.tool.outcome import MAX_ANSWER_BYTES
from tenantscope_cost_explorer.allocation import gather
from tenantscope_cost_explorer.rules_file import parse_rules
from tenantscope_cost_explorer.saving_evidence import LISTED, evidence_rows
from tenantscope_cost_explorer.sources.open import Sources, sources_of
from tenantscope_cost_explorer.tools.suggest_savings import suggest_savings

AUGUST, SEPTEMBER = Month(2026, 8), Month(2026, 9)
TENANTS = 10_000
RULES = (
    'format: 1\nrules: [{name: own, match: {tag: {tenant: "*"}}, allocate: {method: direct, tenant: {tag: tenant}}}]'
)
CROWD = f"""
CREATE TABLE charges AS
SELECT DATE '2026-09-01' + (n % 30)::INTEGER AS day, 'INV' AS invoice, currency, service, 'Usage' AS charge_category,
  NULL::VARCHAR AS charge_class, day + 1 AS day_end, '210000000001' AS sub_account, '100000000001' AS billing_account,
  'arn:aws:service:us-east-1:210000000001:' || repeat('a-long-name/', 9) || n AS resource, 'us-east-1' AS region,
  NULL::VARCHAR AS commitment_status, '$1 per unit of storage used' AS description,
  'Usage-Based' AS charge_frequency, 'Standard' AS pricing_category, NULL::VARCHAR AS commitment, 'sku' AS sku,
  'a-type' AS resource_type, unit, 100::DECIMAL(38,12) AS quantity, 1::DECIMAL(38,12) AS listed,
  MAP {{'tenant': 'tenant-' || repeat('x', 40) || '-' || n}} AS tags,
  (1 + (n * 7919) % 997 / 100)::DECIMAL(38,12) AS effective, effective AS billed, true AS readable
FROM range({TENANTS}) numbers(n), (VALUES
  ('USD', 'Amazon Simple Storage Service', 'GB-Mo'), ('USD', 'Amazon Relational Database Service', 'Hrs'),
  ('EUR', 'Amazon Simple Storage Service', 'GB-Mo')) kinds(currency, service, unit)
"""
ALLOCATED = """
SELECT tags['tenant'] AS tenant_id, day AS "ChargePeriodStart", day + 1 AS "ChargePeriodEnd", service AS "ServiceName",
  NULL::VARCHAR AS "x_Feature", NULL::VARCHAR AS "x_Environment", charge_category AS "ChargeCategory",
  NULL::VARCHAR AS "ChargeClass", NULL::VARCHAR AS "ChargeFrequency", sub_account AS "SubAccountId",
  invoice AS "InvoiceId", currency AS "BillingCurrency", method AS "x_Method", 'own' AS "x_Rule",
  effective AS "EffectiveCost", effective AS "BilledCost", NULL::DECIMAL(38,12) AS "ConsumedQuantity",
  NULL::VARCHAR AS "ConsumedUnit", NULL::VARCHAR AS "AllocatedMethodId", NULL::VARCHAR AS "AllocatedMethodDetails"
FROM charges, (VALUES ('direct'), ('driver')) methods(method)"""
OTHERS: Mapping[str, str] = {
    # One in two does nothing; one in fifty has a burst, and one in ten does little with what it has.
    "usage": """
      SELECT tags['tenant'] AS tenant_id, DATE '2026-09-01' + d::INTEGER AS day, 'requests' AS metric,
        CAST(CASE WHEN d = 7 AND hash(resource) % 25 = 0 THEN 9000 WHEN hash(resource) % 10 < 2 THEN 1 ELSE 1000 END
          AS DECIMAL(38,6)) AS quantity, 'Requests' AS unit
      FROM charges, range(30) days(d)
      WHERE currency = 'EUR' AND hash(resource) % 2 = 0""",
    "revenue": """
      SELECT tags['tenant'] AS tenant_id, 'plan' AS plan, 'fee' AS line,
        (CASE WHEN hash(resource) % 5 = 0 THEN 1 ELSE 60 END)::DECIMAL(38,12) AS amount, 'USD' AS currency
      FROM charges WHERE currency = 'EUR'""",
    "margin": f"""
      SELECT {MARGIN_OF_A_TIER} FROM (
        SELECT tags['tenant'] AS tenant_id, 'tier-' || (hash(resource) % 3) AS tier FROM charges
        WHERE currency = 'EUR')""",
}  # fmt: skip


async def commit(company: Company, connection: duckdb.DuckDBPyConnection, dataset: str, query: str) -> None:
    path = company.folder / f"{dataset}.parquet"
    rows = connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)").fetchall()[0][0]
    writer = DatasetWriter(company.aws, company.bucket, clock=company.clock)
    await writer.commit(dataset, str(SEPTEMBER), run="r", inputs="i", tenants={}, fleet=Part(path, rows))


@pytest.fixture(scope="module")
async def crowd(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Ten thousand tenants with a bucket and a database each; half of them do nothing."""
    shared_cloud.client("s3").create_bucket(Bucket="savings-crowd")
    company = Company(shared_cloud.fleet(), "savings-crowd", tmp_path_factory.mktemp("crowd"))
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(CROWD)
        for step in gather(parse_rules(RULES), SEPTEMBER.first_day):
            connection.execute(step.sql)
        evidence = evidence_rows(parse_rules(RULES), SEPTEMBER.first_day)
        for dataset, query in {"allocated_cost": ALLOCATED, "saving_evidence": evidence, **OTHERS}.items():
            await commit(company, connection, dataset, query)
    return company


def sources(company: Company, cache: ObjectCache) -> Sources:
    reader = DatasetReader(company.bucket, clock=Clock())
    return sources_of(reader, DuckDbEngine(reader, cache))


@pytest.fixture
async def provider(crowd: Company, tmp_path: Path) -> AsyncIterator[Asker]:
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 28)
    yield Asker(sources(crowd, cache), crowd.aws, most_bytes=MAX_ANSWER_BYTES)
    cache.close()


async def test_ten_thousand_tenants_fit_an_answer_and_nothing_is_cut_silently(provider: Asker) -> None:
    report = await provider.ask(suggest_savings, limit=25)
    assert len(report.findings) == 25
    assert report.truncated
    assert report.finding_count == 25 + report.other.findings == sum(kind.findings for kind in report.kinds)
    assert sum(one.saving for one in report.findings) + report.other.saving == report.gross
    assert sum(kind.saving for kind in report.kinds) == report.gross
    assert report.gross - report.overlap == report.net < report.bill
    assert {kind.kind for kind in report.kinds} == {
        "idle", "over_provisioned", "tier_mismatch", "commitment", "storage_class", "noisy_share",
    }  # fmt: skip
    assert all(len(one.overlaps) <= 5 for one in report.findings)
    (summed,) = report.not_looked_at
    assert f"beyond the {LISTED:,} dearest of a kind" in summed


async def test_the_currencies_stand_apart(provider: Asker) -> None:
    usd = await provider.ask(suggest_savings, kind="idle")
    eur = await provider.ask(suggest_savings, kind="idle", currency="EUR")
    assert (usd.currency, usd.other_currencies, eur.other_currencies) == ("USD", ["EUR"], ["USD"])
    assert eur.fleet_margin_percent is None
    with pytest.raises(NotFound, match="EUR, USD"):
        await provider.ask(suggest_savings, currency="JPY")


async def test_a_least_saving_and_a_kind_narrow_the_count_and_the_sums(provider: Asker) -> None:
    everything = await provider.ask(suggest_savings, kind="idle")
    large = await provider.ask(suggest_savings, kind="idle", min_saving=19)
    assert 0 < large.finding_count < everything.finding_count
    assert large.findings == everything.findings
    assert min(one.saving for one in large.findings) >= 19
    assert large.gross < everything.gross


async def test_one_tenants_findings_are_the_fleets_about_it(provider: Asker) -> None:
    everything = await provider.ask(suggest_savings, kind="idle", limit=1)
    (first,) = everything.findings
    own = await provider.ask(suggest_savings, kind="idle", tenant_id=first.tenant_id)
    assert (own.of, own.findings, own.finding_count) == (first.tenant_id, [first], 1)
    assert own.other is None
    with pytest.raises(NotFound, match="nobody has no cost in 2026-09"):
        await provider.ask(suggest_savings, tenant_id="nobody")


async def test_savings_are_of_whole_months(provider: Asker) -> None:
    with pytest.raises(InvalidArgument, match="whole months"):
        await provider.ask(suggest_savings, period="2026-09-01..2026-09-10")


@pytest.fixture
async def small(cloud: Cloud, bucket: str, tmp_path: Path) -> AsyncIterator[tuple[Company, Asker]]:
    """A bill of two tenants in August and September, rolled up without anything beside it."""
    company = Company(cloud.fleet(), bucket, tmp_path)
    bill = tmp_path / "bill.csv"
    lines = [
        "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,ChargePeriodStart,ServiceName,ChargeCategory,"
        "ResourceId,ConsumedUnit,ConsumedQuantity,Tags"
    ]
    for month in ("2026-08", "2026-09"):
        for name, cost in {"acme": "12.5", "globex": "7.25"}.items():
            tags = f'"{{""tenant"": ""{name}""}}"'
            stamp = f"{month}-01,{month}-02"
            lines.append(f"{cost},{cost},USD,{stamp},Amazon EC2,Usage,i-{name},Hrs,24,{tags}")
    bill.write_text("\n".join(lines) + "\n")
    await company.use(SEPTEMBER, {"acme": 5}, "u-9")
    await company.roll_up(RULES, url=str(bill))
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 24)
    yield company, Asker(sources(company, cache), company.aws, most_bytes=ABOUT_2000_TOKENS)
    cache.close()


async def test_a_rolled_up_bill_tells_what_an_inactive_tenant_left_behind(small: tuple[Company, Asker]) -> None:
    report = await small[1].ask(suggest_savings)
    (one,) = report.findings
    assert (one.kind, one.tenant_id, one.resource, one.saving) == ("idle", "globex", "i-globex", Decimal("7.25"))
    assert (one.tenant_margin_percent, one.fleet_margin_points, report.fleet_margin_percent) == (None, None, None)
    assert (report.bill, report.net, report.net_percent) == (Decimal("19.75"), Decimal("7.25"), 36.7)
    assert report.not_looked_at == [
        "tier_mismatch, noisy_share: no revenue is committed for 2026-09; no share of revenue and no margin is told;"
        " commit it",
        "tier_mismatch: no margin is committed for 2026-09; no tier is known; run the rollup again",
    ]


async def test_what_could_not_be_looked_at_without_use_is_said(small: tuple[Company, Asker]) -> None:
    report = await small[1].ask(suggest_savings, period="2026-08", kind="idle")
    assert (report.findings, report.net) == ([], 0)
    assert report.not_looked_at == [
        "idle: no usage is committed for 2026-08; tenants without use, peers and bursts are not told; commit it"
    ]


async def test_a_month_that_is_running_is_not_called_whole(small: tuple[Company, Asker]) -> None:
    company, provider = small
    company.clock.now = datetime(2026, 9, 11, 2, 0, tzinfo=UTC)
    await company.roll_up(RULES, SEPTEMBER, url=str(company.folder / "bill.csv"), force=True)
    report = await provider.ask(suggest_savings, kind="idle")
    assert report.not_looked_at == ["days after the first 10: the last month was running; what is idle so far may wake"]


async def test_a_month_of_before_there_was_evidence_says_so(small: tuple[Company, Asker], cloud: Cloud) -> None:
    company, provider = small
    cloud.client("s3").delete_object(Bucket=company.bucket, Key="fleet/saving_evidence/_manifest.json")
    report: Any = await provider.ask(suggest_savings)
    assert report.findings == []
    assert report.not_looked_at[0] == (
        "idle, over_provisioned, commitment, storage_class: no saving_evidence is committed for 2026-09;"
        " run the rollup again"
    )
