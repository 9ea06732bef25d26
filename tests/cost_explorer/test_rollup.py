"""The rollup against a real S3: what it commits, what it skips, what it refuses."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fixtures.clock import Clock
from fixtures.stores import Cloud, SignedCaller, write_parquet
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.stores.datasets import fetch_manifest
from tenantscope_core.stores.departures import NO_REGISTRY
from tenantscope_core.stores.rollup import Outcome, Request
from tenantscope_core.stores.schemas import USAGE
from tenantscope_cost_explorer.rollup import Rollup
from tenantscope_cost_explorer.rules_file import parse_rules
from tenantscope_cost_explorer.sources.billing import open_bill

SAMPLE = Path(__file__).parents[1] / "data/focus_sample_1_0.csv.gz"
SEPTEMBER, OCTOBER = Month(2024, 9), Month(2024, 10)

BY_ACCOUNT = """
format: 1
rules:
  - {name: credits, match: {charge_category: [Credit, Adjustment]}, allocate: {method: proxy}}
  - {name: accounts, match: {sub_account: "*"}, allocate: {method: direct, tenant: {column: sub_account}}}
"""
BY_TAG = """
format: 1
feature: {tag: business_unit}
environment: {tag: environment}
rules:
  - {name: applications, match: {tag: {application: "*"}}, allocate: {method: direct, tenant: {tag: application}}}
  - name: compute
    match: {service: Amazon Elastic Compute Cloud}
    allocate: {method: driver, metric: usage.requests, fallback: [even]}
  - {name: credits, match: {charge_category: Credit}, allocate: {method: proxy}}
"""
BY_PAYER = """
format: 1
rules:
  - name: payers
    match: {billing_account: ["20209880"]}
    allocate: {method: direct, tenant: {column: billing_account}}
  - {name: rest, match: {service: "*"}, allocate: {method: driver, metric: usage.requests, fallback: [even]}}
"""


@dataclass
class Company:
    """A bucket with rollups of one bill into it."""

    aws: SignedCaller
    bucket: str
    folder: Path
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list[str])

    async def roll_up(
        self, rules: str = BY_PAYER, *months: Month, url: str = str(SAMPLE), force: bool = False
    ) -> Mapping[Month, Outcome]:
        work = Rollup(
            self.aws,
            self.bucket,
            open_bill(url, self.aws, self.folder / "copies"),
            parse_rules(rules),
            registry=None,
            folder=self.folder,
            clock=self.clock,
            say=self.said.append,
        )
        return await work.run(Request(months or None, force))

    async def use(self, month: Month, quantities: Mapping[str, int], run: str) -> None:
        """Commit that tenants made so many requests on the first of a month."""
        rows = [(month.first_day, "requests", Decimal(n), "Requests", tenant) for tenant, n in quantities.items()]
        path = write_parquet(self.folder / f"{run}.parquet", {**USAGE.columns, "tenant_id": "VARCHAR"}, rows)
        writer = DatasetWriter(self.aws, self.bucket, clock=self.clock)
        await writer.commit("usage", str(month), run=run, inputs=run, tenants={}, fleet=Part(path, len(rows)))

    async def rows(self, month: Month, select: str, dataset: str = "allocated_cost") -> list[tuple[Any, ...]]:
        """A query over the fleet's committed rows of a month."""
        manifest, _ = await fetch_manifest(self.aws, self.bucket, dataset, None)
        (ref,) = manifest.months[str(month)].objects
        answer = await self.aws.call("s3", "get_object", Bucket=self.bucket, Key=ref.key)
        path = self.folder / "read.parquet"
        path.write_bytes(answer["Body"])
        with duckdb.connect() as connection:
            return connection.execute(f"WITH rows AS (FROM '{path}') {select}").fetchall()


@pytest.fixture
def company(cloud: Cloud, bucket: str, tmp_path: Path) -> Company:
    return Company(cloud.fleet(), bucket, tmp_path)


def bill_by_hand(month: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Effective and billed cost of each invoice in the sample, by csv and Decimal alone."""
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    with gzip.open(SAMPLE, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["BillingPeriodStart"].startswith(month):
                invoice = sums[f"{row['BillingAccountId']} {month}"]
                invoice[0] += Decimal(row["EffectiveCost"])
                invoice[1] += Decimal(row["BilledCost"])
    return {invoice: (effective, billed) for invoice, (effective, billed) in sums.items()}


@pytest.mark.requirement("sums-to-the-invoice")
@pytest.mark.parametrize("rules", [BY_ACCOUNT, BY_TAG], ids=["tenant is the account", "tenant is a tag"])
async def test_a_real_bill_is_allocated_to_the_last_digit(company: Company, rules: str) -> None:
    await company.use(SEPTEMBER, {"ZoomMapMax": 3, "QuietOne": 4}, "u1")
    assert await company.roll_up(rules) == {SEPTEMBER: Outcome.COMMITTED, OCTOBER: Outcome.COMMITTED}
    for month in (SEPTEMBER, OCTOBER):
        found = await company.rows(
            month, 'SELECT "InvoiceId", sum("EffectiveCost"), sum("BilledCost") FROM rows GROUP BY 1 ORDER BY 1'
        )
        assert {row[0]: row[1:] for row in found} == bill_by_hand(str(month))
    methods = await company.rows(SEPTEMBER, 'SELECT DISTINCT "x_Method" FROM rows ORDER BY 1')
    assert ("direct",) in methods
    (charges,) = await company.rows(
        SEPTEMBER, 'SELECT "Charges" FROM rows WHERE "Section" = \'rules\'', "allocation_report"
    )
    assert charges == (999,)


async def test_each_tenant_gets_its_own_rows_and_they_are_the_fleets(company: Company, cloud: Cloud) -> None:
    await company.use(SEPTEMBER, {"acme": 3, "globex": 4}, "u1")
    await company.roll_up()
    fleet = dict(
        await company.rows(
            SEPTEMBER, 'SELECT tenant_id, sum("BilledCost") FROM rows WHERE tenant_id IS NOT NULL GROUP BY 1'
        )
    )
    tenant, billed = max(fleet.items(), key=lambda item: item[1])
    own = cloud.tenant(tenant)
    manifest, _ = await fetch_manifest(own, company.bucket, "allocated_cost", tenant)
    (ref,) = manifest.months["2024-09"].objects
    path = company.folder / "own.parquet"
    path.write_bytes((await own.call("s3", "get_object", Bucket=company.bucket, Key=ref.key))["Body"])
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT sum(\"BilledCost\") FROM '{path}'").fetchall() == [(billed,)]
        columns = [row[0] for row in connection.execute(f"DESCRIBE FROM '{path}'").fetchall()]
    assert "tenant_id" not in columns


async def test_a_second_run_changes_nothing_and_says_so(company: Company) -> None:
    await company.roll_up()
    before, _ = await fetch_manifest(company.aws, company.bucket, "allocated_cost", None)
    company.said.clear()
    assert set((await company.roll_up("# only a comment\n" + BY_PAYER)).values()) == {Outcome.UNCHANGED}
    after, _ = await fetch_manifest(company.aws, company.bucket, "allocated_cost", None)
    assert after == before
    said = [line for line in company.said if line != NO_REGISTRY]
    assert len(said) == 2
    assert all("skipped" in line for line in said)
    assert (await company.roll_up(BY_PAYER, SEPTEMBER, force=True)) == {SEPTEMBER: Outcome.COMMITTED}


async def test_late_usage_rolls_up_its_own_month_and_no_other(company: Company) -> None:
    await company.roll_up()
    await company.use(SEPTEMBER, {"Latecomer": 1}, "u2")
    assert await company.roll_up() == {SEPTEMBER: Outcome.COMMITTED, OCTOBER: Outcome.UNCHANGED}
    found = await company.rows(SEPTEMBER, "SELECT DISTINCT \"x_Method\" FROM rows WHERE tenant_id = 'Latecomer'")
    assert ("driver",) in found


async def test_a_tenant_that_new_rules_leave_out_keeps_no_old_rows(company: Company) -> None:
    await company.roll_up(BY_PAYER, SEPTEMBER)
    await company.roll_up(BY_PAYER.replace("20209880", "1234567890123"), SEPTEMBER)
    manifest, _ = await fetch_manifest(company.aws, company.bucket, "allocated_cost", "20209880")
    assert manifest.months["2024-09"].objects == ()


async def test_a_month_without_a_bill_is_said(company: Company) -> None:
    assert await company.roll_up(BY_PAYER, Month(2020, 1)) == {Month(2020, 1): Outcome.NOTHING}
    assert company.said == [NO_REGISTRY, "2020-01: the bill has nothing"]


@pytest.fixture
def parquet_bill(tmp_path: Path) -> Callable[[str], bytes]:
    """An export of one charge of acme's in August 2026, as AWS writes it."""

    def written(cost: str) -> bytes:
        path = tmp_path / "bill.parquet"
        with duckdb.connect() as connection:
            connection.execute(
                f"""COPY (SELECT {cost}::DOUBLE AS "BilledCost", {cost}::DOUBLE AS "EffectiveCost",
                  'USD' AS "BillingCurrency", TIMESTAMP '2026-08-03 22:00:00' AS "ChargePeriodStart",
                  'INV-7' AS "InvoiceId", MAP {{'application': 'acme'}} AS "Tags") TO '{path}' (FORMAT parquet)"""
            )
        return path.read_bytes()

    return written


def exported(company: Company, cloud: Cloud, objects: Mapping[str, bytes]) -> str:
    """A bill in S3 as AWS Data Exports lays it out."""
    for name, body in objects.items():
        cloud.client("s3").put_object(Bucket=company.bucket, Key=f"raw/billing/focus/data/{name}", Body=body)
    return f"s3://{company.bucket}/raw/billing/focus/data/"


@pytest.mark.requirement("bad-object-named")
async def test_a_damaged_object_fails_its_month_alone_and_names_itself(
    company: Company, cloud: Cloud, parquet_bill: Callable[[str], bytes]
) -> None:
    good = parquet_bill("1.25")
    objects = {
        "BILLING_PERIOD=2026-08/a.parquet": good,
        "BILLING_PERIOD=2026-08/metadata.json": b"{}",
        "BILLING_PERIOD=2026-09/a.parquet": good[:-30],
        "BILLING_PERIOD=2026-10/a.parquet": parquet_bill("NULL"),
    }
    outcomes = await company.roll_up(BY_TAG, url=exported(company, cloud, objects))
    assert outcomes == {
        Month(2026, 8): Outcome.COMMITTED,
        Month(2026, 9): Outcome.FAILED,
        Month(2026, 10): Outcome.FAILED,
    }
    assert await company.rows(Month(2026, 8), 'SELECT tenant_id, "BilledCost" FROM rows') == [("acme", Decimal("1.25"))]
    assert any("BILLING_PERIOD=2026-09/a.parquet is damaged" in line for line in company.said)
    assert any("BILLING_PERIOD=2026-10/a.parquet has a row whose EffectiveCost" in line for line in company.said)


async def test_a_restated_export_is_rolled_up_again(
    company: Company, cloud: Cloud, parquet_bill: Callable[[str], bytes]
) -> None:
    august = Month(2026, 8)
    url = exported(company, cloud, {"BILLING_PERIOD=2026-08/a.parquet": parquet_bill("1.25")})
    await company.roll_up(BY_TAG, url=url)
    assert await company.roll_up(BY_TAG, url=url) == {august: Outcome.UNCHANGED}
    exported(company, cloud, {"BILLING_PERIOD=2026-08/a.parquet": parquet_bill("-2")})
    assert await company.roll_up(BY_TAG, url=url) == {august: Outcome.COMMITTED}
    assert await company.rows(august, 'SELECT "BilledCost" FROM rows') == [(Decimal(-2),)]


@pytest.mark.requirement("sums-to-the-invoice")
async def test_the_evidence_of_savings_is_the_bill_currency_by_currency(company: Company) -> None:
    await company.roll_up(BY_TAG)
    for month in (SEPTEMBER, OCTOBER):
        found = await company.rows(
            month, 'SELECT sum("EffectiveCost") FROM rows WHERE "Section" <> \'day\'', "saving_evidence"
        )
        assert found == [(sum(effective for effective, _ in bill_by_hand(str(month)).values()),)]


MANIFEST = '{{"executionId": "1", "dataFiles": ["s3://aws-made/exports/focus/data/{}"]}}'
OLD = "2026-09-02T03:04:05.678Z-11111111-2222-3333-4444-555555555555"
NEW = "2026-09-03T03:04:05.678Z-01111111-2222-3333-4444-555555555555"


def beside(company: Company, cloud: Cloud, manifests: Mapping[str, str]) -> None:
    """Manifests in the metadata folder beside the data."""
    for name, listed in manifests.items():
        key = f"raw/billing/focus/metadata/{name}/focus-Manifest.json"
        cloud.client("s3").put_object(Bucket=company.bucket, Key=key, Body=MANIFEST.format(listed).encode())


@pytest.mark.requirement("bad-object-named")
async def test_the_newest_version_of_a_period_counts_and_one_half_written_fails_alone(
    company: Company, cloud: Cloud, parquet_bill: Callable[[str], bytes]
) -> None:
    august, september, october = Month(2026, 8), Month(2026, 9), Month(2026, 10)
    url = exported(
        company,
        cloud,
        {
            "BILLING_PERIOD=2026-08/focus-00001.parquet": parquet_bill("1.25"),
            f"BILLING_PERIOD=2026-09/{OLD}/focus-00001.parquet": parquet_bill("2.5"),
            f"BILLING_PERIOD=2026-09/{NEW}/focus-00001.parquet": parquet_bill("3.5"),
            "BILLING_PERIOD=2026-10/focus-00001.parquet": parquet_bill("4.5"),
            "BILLING_PERIOD=2026-11/focus-00001.parquet": b"",
        },
    )
    beside(
        company,
        cloud,
        {
            "BILLING_PERIOD=2026-08": "BILLING_PERIOD=2026-08/focus-00001.parquet",
            f"BILLING_PERIOD=2026-09/{OLD}": f"BILLING_PERIOD=2026-09/{OLD}/focus-00001.parquet",
            "BILLING_PERIOD=2026-10": "BILLING_PERIOD=2026-10/focus-00002.parquet",
        },
    )
    assert await company.roll_up(BY_TAG, url=url) == {
        august: Outcome.COMMITTED,
        september: Outcome.COMMITTED,
        october: Outcome.FAILED,
        Month(2026, 11): Outcome.FAILED,
    }
    assert await company.rows(september, 'SELECT "BilledCost" FROM rows') == [(Decimal("2.5"),)]
    assert any("The bill of 2026-10 is half written" in line and "focus-00002.parquet" in line for line in company.said)
    assert any("BILLING_PERIOD=2026-11/focus-00001.parquet is empty" in line for line in company.said)
    beside(company, cloud, {f"BILLING_PERIOD=2026-09/{NEW}": f"BILLING_PERIOD=2026-09/{NEW}/focus-00001.parquet"})
    assert await company.roll_up(BY_TAG, august, september, url=url) == {
        august: Outcome.UNCHANGED,
        september: Outcome.COMMITTED,
    }
    assert await company.rows(september, 'SELECT "BilledCost" FROM rows') == [(Decimal("3.5"),)]


@pytest.mark.requirement("sums-to-the-invoice")
async def test_a_second_export_of_a_period_is_never_added_to_the_first(
    company: Company, cloud: Cloud, parquet_bill: Callable[[str], bytes]
) -> None:
    name = "BILLING_PERIOD=2026-08/a.parquet"
    exported(company, cloud, {name: parquet_bill("1.25"), "BILLING_PERIOD=2026-09/a.parquet": parquet_bill("1.25")})
    other = f"raw/billing/other/data/{name}"
    cloud.client("s3").put_object(Bucket=company.bucket, Key=other, Body=parquet_bill("1.250001"))
    outcomes = await company.roll_up(BY_TAG, url=f"s3://{company.bucket}/raw/billing/")
    assert outcomes == {Month(2026, 8): Outcome.FAILED, Month(2026, 9): Outcome.COMMITTED}
    said = f"The bill of 2026-08 is there twice: raw/billing/focus/data/{name} and {other} are of different exports"
    assert any(said in line for line in company.said)


async def test_a_damaged_file_of_unknown_month_keeps_back_those_that_it_may_belong_to(
    company: Company, parquet_bill: Callable[[str], bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "bill"
    (folder / "BILLING_PERIOD=2026-08").mkdir(parents=True)
    (folder / "BILLING_PERIOD=2026-08/a.parquet").write_bytes(parquet_bill("1.25"))
    (folder / "sample.csv.gz").write_bytes(SAMPLE.read_bytes())
    (folder / "cut.csv.gz").write_bytes(SAMPLE.read_bytes()[:20_000])
    outcomes = await company.roll_up(BY_TAG, url=str(folder))
    assert outcomes == {
        Month(2026, 8): Outcome.COMMITTED,
        SEPTEMBER: Outcome.FAILED,
        OCTOBER: Outcome.FAILED,
    }
    said = "The bill's file cut.csv.gz ends before it is whole; export it again."
    assert [line for line in company.said if said in line] == [
        f"no month: failed: {said}",
        f"2024-09: failed: {said}",
        f"2024-10: failed: {said}",
    ]
