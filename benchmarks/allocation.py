"""A made bill's allocation to ten thousand tenants beside DuckDB's own scan-and-group of the same files.

`ALLOCATION_ROWS=50000000 python -m benchmarks allocation` is the full size; what is made stays in `.bench`.

The bare query reads the same columns and groups by what the pools are told apart by, with sums of the costs and the
quantity as the export has them, in floating point. It writes nothing, keeps no cent, and may take all of the memory;
ours writes a file for each tenant and one for the fleet. Both have two threads.
"""

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.workbench import Limits
from tenantscope_cost_explorer.rollup_command import load_rules
from tenantscope_cost_explorer.sources.exports import BillFile
from tenantscope_cost_explorer.sources.workbench import Workbench

from benchmarks import ROOT
from benchmarks.figures import Figure, say

TENANTS, FEATURES, DAYS = 10_000, 8, 30
FILE_ROWS = 5_000_000
ROWS = int(os.environ.get("ALLOCATION_ROWS", str(FILE_ROWS)))
MONTH = "2026-09"
MOST_TIMES_SLOWER, MOST_MEMORY_MB = 1.5, 2048
LIMITS = Limits()
FOLDER = ROOT / ".bench/allocation"
SCAN = """
CREATE TEMP TABLE grouped AS
SELECT CAST("ChargePeriodStart" AS DATE), CAST("ChargePeriodEnd" AS DATE), "ServiceName", "Tags"['tenant'],
  "Tags"['feature'], "Tags"['environment'], "Tags"['shared'], "ChargeCategory", "ChargeClass", "ChargeFrequency",
  "CommitmentDiscountStatus", "SubAccountId", "InvoiceId", "BillingCurrency", "ConsumedUnit",
  count(*), sum("EffectiveCost"), sum("BilledCost"), sum("ConsumedQuantity")
FROM read_parquet({files}) GROUP BY ALL"""
_TENANT = "'t-' || lpad(CAST(tenant AS VARCHAR), 5, '0')"
_MADE = f"""
SELECT *,
  CASE WHEN kind < 700 THEN CASE service_number WHEN 0 THEN 'Amazon Simple Storage Service'
    WHEN 1 THEN 'Amazon DynamoDB' WHEN 2 THEN 'AWS Lambda' WHEN 3 THEN 'AmazonCloudWatch'
    WHEN 4 THEN 'Amazon Simple Queue Service'    ELSE 'AWS Data Transfer' END
    WHEN kind < 900 THEN CASE service_number WHEN 0 THEN 'Amazon Elastic Compute Cloud'
    WHEN 1 THEN 'Amazon Relational Database Service' WHEN 2 THEN 'Amazon ElastiCache'
    WHEN 3 THEN 'Amazon OpenSearch Service' ELSE 'Amazon Elastic Container Service' END
    WHEN kind < 980 THEN 'Amazon Bedrock' WHEN kind < 990 THEN 'AWS WAF' WHEN kind < 992 THEN 'AWS Support (Business)'
    ELSE 'Amazon Elastic Compute Cloud' END AS service
FROM (SELECT i, hash(i, 0) % 1000 AS kind, hash(i, 2) % 6 AS service_number, hash(i, 3) % {FEATURES} AS feature,
  CAST(floor(pow(hash(i, 1) % 1000003 / 1000003.0, 2) * {TENANTS}) AS INTEGER) AS tenant,
  TIMESTAMP '{MONTH}-01' + INTERVAL (CAST(hash(i, 4) % {DAYS * 24} AS INTEGER)) HOUR AS hour,
  round(pow(hash(i, 5) % 1000003 / 1000003.0, 4) * 3, 10) AS cost FROM range(FIRST, LAST) AS numbers(i))"""
_BILL = f"""
SELECT cost * 0.97 AS "BilledCost", cost AS "EffectiveCost", cost * 1.1 AS "ListCost",
  '110000000001' AS "BillingAccountId", 'USD' AS "BillingCurrency", TIMESTAMP '{MONTH}-01' AS "BillingPeriodStart",
  CASE WHEN kind >= 996 THEN 'Tax' WHEN kind >= 994 THEN 'Credit' ELSE 'Usage' END AS "ChargeCategory",
  CASE WHEN kind = 993 THEN 'Correction' END AS "ChargeClass", 'Usage of ' || service AS "ChargeDescription",
  CASE WHEN kind >= 990 THEN 'Recurring' ELSE 'Usage-Based' END AS "ChargeFrequency",
  hour AS "ChargePeriodStart", hour + INTERVAL 1 HOUR AS "ChargePeriodEnd",
  CASE WHEN kind = 992 THEN 'Unused' WHEN kind BETWEEN 700 AND 720 THEN 'Used' END AS "CommitmentDiscountStatus",
  CASE WHEN kind < 980 THEN round(cost * 17, 6) END AS "ConsumedQuantity",
  CASE WHEN kind < 700 THEN CASE service_number WHEN 0 THEN 'GB' WHEN 1 THEN 'ReadRequestUnits' WHEN 5 THEN 'GB'
    ELSE 'Requests' END WHEN kind < 900 THEN 'Hours' WHEN kind < 980 THEN 'Tokens' END AS "ConsumedUnit",
  'INV-1' AS "InvoiceId", service AS "ServiceName",
  '21000000000' || CASE WHEN kind < 700 THEN tenant % 5 ELSE 9 END AS "SubAccountId",
  'arn:aws:service:eu-central-1:21000000000:resource/' || (hash(i, 6) % 200000) AS "ResourceId",
  'eu-central-1' AS "RegionId",
  CASE WHEN kind < 700 THEN MAP {{'tenant': {_TENANT}, 'environment': 'prod', 'team': 'team-' || (tenant % 7),
      'application': 'app-' || service_number}}
    WHEN kind < 860 THEN MAP {{'shared': 'platform', 'feature': 'feature-' || feature, 'environment': 'prod',
      'team': 'team-' || feature}}
    WHEN kind < 900 THEN MAP {{'shared': 'platform', 'environment': 'prod', 'team': 'core'}}
    WHEN kind < 980 THEN MAP {{'feature': 'assistant', 'environment': 'prod'}}
    WHEN kind < 990 THEN MAP {{'shared': 'security'}} ELSE CAST(MAP {{}} AS MAP(VARCHAR, VARCHAR)) END AS "Tags"
FROM ({_MADE})"""
_USAGE = {
    "usage": f"""
SELECT DATE '{MONTH}-01' + CAST(day AS INTEGER) AS day, metric,
  CAST(hash(t, day, metric) % 100000 AS DECIMAL(38,6)) AS quantity, 'Requests' AS unit,
  't-' || lpad(CAST(t AS VARCHAR), 5, '0') AS tenant_id
FROM range({TENANTS}) AS tenants(t), range({DAYS}) AS days(day),
  (VALUES ('requests'), ('request_ms')) AS metrics(metric)""",
    "feature_usage": f"""
SELECT DATE '{MONTH}-01' + CAST(day AS INTEGER) AS day, 'feature-' || f AS feature, 'view' AS action,
  CAST(hash(t, day, f) % 1000 AS BIGINT) AS calls, 1::BIGINT AS users, 0::BIGINT AS errors, 1.0::DOUBLE AS p50_ms,
  2.0::DOUBLE AS p95_ms, CAST(hash(f, day, t) % 1000000 AS BIGINT) AS bytes,
  't-' || lpad(CAST(t AS VARCHAR), 5, '0') AS tenant_id
FROM range({TENANTS}) AS tenants(t), range({DAYS}) AS days(day), range({FEATURES}) AS features(f)""",
    "llm_usage": f"""
SELECT DATE '{MONTH}-01' + CAST(day AS INTEGER) AS day, 'nova' AS model, 'assistant' AS feature, 'chat' AS agent,
  CAST(hash(t, day, 1) % 100000 AS BIGINT) AS tokens_in, CAST(hash(t, day, 2) % 10000 AS BIGINT) AS tokens_out,
  0::BIGINT AS tokens_cached, CAST(hash(t, day, 3) % 100 AS BIGINT) AS requests, 0::DECIMAL(38,12) AS cost,
  't-' || lpad(CAST(t AS VARCHAR), 5, '0') AS tenant_id
FROM range({TENANTS}) AS tenants(t), range({DAYS}) AS days(day)""",
}


def measure() -> Iterator[Figure]:
    """Allocate and scan a tenth of the bill, then all of it."""
    tenth, of_tenth, memory = _measured(ROWS // 10)
    whole, of_whole, memory = _measured(ROWS)
    yield Figure(
        f"allocation of {ROWS:,} charges to {TENANTS:,} tenants",
        f"{whole:.1f} s, {whole / of_whole:.2f} x",
        f"scan and group {of_whole:.1f} s",
        f"<= {MOST_TIMES_SLOWER} x of 50 M rows",
        whole <= MOST_TIMES_SLOWER * of_whole,
    )
    yield Figure("peak memory of that", f"{memory:.0f} MB", "", f"<= {MOST_MEMORY_MB} MB", memory <= MOST_MEMORY_MB)
    yield Figure("growth from a tenth of it", f"{whole / tenth:.1f} x", f"scan {of_whole / of_tenth:.1f} x")


def _measured(rows: int) -> tuple[float, float, float]:
    """Seconds of an allocation in a process of its own, of the bare scan in another, and the first's memory in MB."""
    made(rows, FOLDER)
    ours, memory = _alone("allocate", rows)
    bare, _ = _alone("scan", rows)
    say(f"allocation: {rows:,} charges in {ours:.1f} s, scan and group {bare:.1f} s, {memory:.0f} MB")
    return ours, bare, memory


def _alone(what: str, rows: int) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.allocation", what, str(rows)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    seconds, kilobytes = done.stdout.split()
    return float(seconds), float(kilobytes) / 1024


def _allocated(rows: int) -> float:
    """Seconds, without those that clearing up takes."""
    bill, usage = made(rows, FOLDER)
    started = time.perf_counter()
    files = [BillFile(path.name, path, MONTH) for path in bill]
    out = FOLDER / "out"
    out.mkdir(exist_ok=True)
    try:
        rules = load_rules(ROOT / "examples/sandbox/allocation.yaml")
        done = asyncio.run(Workbench(out, LIMITS).allocate(rules, Month.parse(MONTH), files, usage))
        seconds = time.perf_counter() - started
        say(f"allocation: {done.charges:,} charges, {len(done.tenants):,} tenants, {done.fleet.rows:,} rows")
        return seconds
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _scanned(files: Sequence[Path]) -> float:
    started = time.perf_counter()
    with duckdb.connect(config={"threads": LIMITS.threads, "preserve_insertion_order": False}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(SCAN.format(files=[str(path) for path in files]))
    return time.perf_counter() - started


def made(rows: int, folder: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """The bill's files, and the usage's."""
    folder.mkdir(parents=True, exist_ok=True)
    bill: list[Path] = []
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        for first in range(0, rows, FILE_ROWS):
            last = min(first + FILE_ROWS, rows)
            path = folder / f"bill-{first}-{last}.parquet"
            _write(connection, _BILL.replace("FIRST", str(first)).replace("LAST", str(last)), path)
            bill.append(path)
        usage = {name: [folder / f"{name}.parquet"] for name in _USAGE}
        for name, (path,) in usage.items():
            _write(connection, _USAGE[name], path)
    return bill, usage


def _write(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    if not path.exists():
        say(f"allocation: making {path.name}")
        part = path.with_suffix(".part")
        connection.execute(f"COPY ({query}) TO '{part}' (FORMAT parquet)")
        part.rename(path)


if __name__ == "__main__":
    _bill, _ = made(int(sys.argv[2]), FOLDER)
    _seconds = _allocated(int(sys.argv[2])) if sys.argv[1] == "allocate" else _scanned(_bill)
    print(_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
