"""The company's last three months as the rollup commits them, with its use, its revenue and its tiers beside them."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from cost_explorer.test_rollup import Company
from fixtures.stores import Cloud
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part

REPOSITORY = Path(__file__).parents[2]
RULES = REPOSITORY / "examples/sandbox/allocation.yaml"
MONTHS = ("2026-08", "2026-09", "2026-10")


MARGIN_OF_A_TIER = """
  tenant_id, 'USD' AS currency, 0 AS revenue, 0 AS cost, 0 AS margin, tier, NULL::VARCHAR AS persona,
  NULL::VARCHAR AS plan"""
"""Nothing but the tier is read from margins."""


@dataclass(frozen=True)
class SavingCompany:
    """A bucket with all that savings are found in, and what is true of it."""

    rolled: Company
    truth: dict[str, Any]
    made: Path


async def committed(cloud: Cloud, bucket: str, folder: Path, made: Path) -> SavingCompany:
    """Roll up `MONTHS` of the company in `made` into a new bucket."""
    cloud.client("s3").create_bucket(Bucket=bucket)
    company = Company(cloud.fleet(), bucket, folder)
    company.clock.advance(timedelta(days=30).total_seconds())  # when all of these months are over
    truth: dict[str, Any] = json.loads((made / "truth.json").read_text())
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE tier (tenant_id VARCHAR, tier VARCHAR)")
        tiers = [(tenant, one["tier"]) for tenant, one in truth["tenants"].items()]
        connection.executemany("INSERT INTO tier VALUES (?, ?)", tiers)
        for month in MONTHS:
            for dataset in ("usage", "feature_usage"):
                await _commit(company, connection, dataset, month, f"FROM '{made}/metering/{dataset}/{month}.parquet'")
            await _commit(
                company, connection, "llm_usage", month, f"FROM '{made}/s3/fleet/llm_usage/month={month}/*/*.parquet'"
            )
            invoiced = (
                f"read_csv('{made}/s3/raw/revenue/month={month}/revenue.csv', types = {{'amount': 'DECIMAL(38,12)'}})"
            )
            await _commit(company, connection, "revenue", month, f"FROM {invoiced}")
            await _commit(company, connection, "margin", month, f"SELECT {MARGIN_OF_A_TIER} FROM tier")
    url = str(made / "s3/raw/billing")
    await company.roll_up(RULES.read_text(), *map(Month.parse, MONTHS), url=url)
    return SavingCompany(company, truth, made)


async def _commit(
    company: Company, connection: duckdb.DuckDBPyConnection, dataset: str, month: str, query: str
) -> None:
    path = company.folder / f"{dataset}-{month}.parquet"
    rows = connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)").fetchall()[0][0]
    writer = DatasetWriter(company.aws, company.bucket, clock=company.clock)
    await writer.commit(dataset, month, run=f"r-{month}", inputs="i", tenants={}, fleet=Part(path, rows))
