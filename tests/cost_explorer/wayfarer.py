"""The sandbox's company rolled up into a bucket: its twelve months as the rollups make of them, and what is true."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.rollup import Outcome, Request
from tenantscope_core.stores.schemas import FEATURE_USAGE, LLM_USAGE, REVENUE, USAGE, Dataset
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_cost_explorer.rollup import Rollup
from tenantscope_cost_explorer.sources.billing import open_bill
from tenantscope_cost_explorer.sources.margin_rollup import MarginRollup
from tenantscope_sandbox.company.generate import generate

REPOSITORY = Path(__file__).parents[2]
RULES = REPOSITORY / "examples/sandbox/allocation.yaml"
MONTHS = [Month(2025, 11).shift(n) for n in range(12)]
SOURCES = [
    (USAGE, "read_parquet('{company}/metering/usage/{month}.parquet', hive_partitioning = false)"),
    (FEATURE_USAGE, "read_parquet('{company}/metering/feature_usage/{month}.parquet', hive_partitioning = false)"),
    (LLM_USAGE, "read_parquet('{company}/s3/fleet/llm_usage/month={month}/*/*.parquet', hive_partitioning = false)"),
    (REVENUE, "read_csv('{company}/s3/raw/revenue/month={month}/revenue.csv', all_varchar = true)"),
]


@dataclass(frozen=True)
class Wayfarer:
    """The company, rolled up into a bucket."""

    bucket: str
    truth: dict[str, Any]
    cloud: Cloud


async def found(bucket: str, cloud: Cloud, folder: Path) -> Wayfarer:
    """Its twelve months: what it measured and was paid as its maker has them, its bill as the rollups make of it."""
    made = generate(Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or REPOSITORY / ".sandbox/test"))
    aws, clock = cloud.fleet(), Clock()
    cloud.client("s3").create_bucket(Bucket=bucket)
    writer = DatasetWriter(aws, bucket, clock=clock)
    for dataset, source in SOURCES:
        for month in map(str, MONTHS):
            if dataset is LLM_USAGE and not (made / f"s3/fleet/llm_usage/month={month}").is_dir():
                continue
            part = _copied(dataset, source.format(company=made, month=month), folder / f"{dataset.name}-{month}")
            await writer.commit(dataset.name, month, run="made", inputs="made", tenants={}, fleet=part)
    say = list[str]().append
    bill = open_bill(str(made / "s3/raw/billing"), aws, folder / "bill")
    allocation = Rollup(
        aws, bucket, bill, parse_rules(RULES.read_text()), registry=None, folder=folder, clock=clock, say=say
    )
    assert set((await allocation.run(Request())).values()) == {Outcome.COMMITTED}
    cache = ObjectCache(folder / "cache", max_bytes=1 << 28)
    engine = DuckDbEngine(DatasetReader(bucket, clock=clock), cache)
    margins = MarginRollup(aws, bucket, engine, registry=None, folder=folder, clock=clock, say=say)
    assert await margins.run(Request()) == dict.fromkeys(MONTHS, Outcome.COMMITTED)
    cache.close()
    return Wayfarer(bucket, json.loads((made / "truth.json").read_text()), cloud)


def _copied(dataset: Dataset, source: str, path: Path) -> Part:
    columns = {"tenant_id": "VARCHAR", **dataset.columns}
    typed = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in columns.items())
    with duckdb.connect() as connection:
        ((rows,),) = connection.execute(f"COPY (SELECT {typed} FROM {source}) TO '{path}' (FORMAT parquet)").fetchall()
    return Part(path, rows)
