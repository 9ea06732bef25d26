"""The allocation of the sandbox company's twelve months beside DuckDB's own scan-and-group of the same files."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import duckdb
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.workbench import Limits
from tenantscope_cost_explorer.rollup_command import load_rules
from tenantscope_cost_explorer.sources.exports import BillFile
from tenantscope_cost_explorer.sources.workbench import MEASURED, Workbench
from tenantscope_sandbox.company.generate import METERING, OBJECTS, generate

from benchmarks import ROOT
from benchmarks.figures import Figure, say

RUNS, GROWN = 3, 200
MOST_TIMES_SLOWER = 1.5
Bills = Mapping[Month, Sequence[Path]]
Usage = Mapping[Month, Mapping[str, list[Path]]]
LIMITS = Limits()
SCAN = """
SELECT ServiceName, SubAccountId, CAST(Tags AS VARCHAR) AS tags, sum(CAST(EffectiveCost AS DECIMAL(38, 12))),
       sum(CAST(BilledCost AS DECIMAL(38, 12)))
FROM read_parquet({files}) GROUP BY ALL
"""


def measure() -> Iterator[Figure]:
    """Allocate every month, then scan every month, and so on."""
    state = Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or ROOT / ".sandbox/test")
    company = generate(state, progress=lambda line: say(f"rollup: {line}")) / OBJECTS
    bills = {
        Month.parse(folder.name.removeprefix("BILLING_PERIOD=")): sorted(folder.rglob("*.parquet"))
        for folder in sorted(company.glob("raw/billing/focus/data/BILLING_PERIOD=*"))
    }
    usage = {
        month: {
            one.name: [
                *company.parent.glob(f"{METERING}/{one.name}/{month}.parquet"),
                *company.glob(f"fleet/{one.name}/month={month}/*/*.parquet"),
            ]
            for one in MEASURED
        }
        for month in bills
    }
    yield _figure(f"{len(bills)} months", bills, usage)
    with tempfile.TemporaryDirectory(prefix="bench-bill-") as folder:
        month, files = max(bills.items())
        grown = {month: [_grown(files, Path(folder) / "bill.parquet")]}
        yield _figure(f"a month {GROWN} times as large", grown, usage)


def _figure(what: str, bills: Bills, usage: Usage) -> Figure:
    allocations, scans, rows = list[float](), list[float](), 0
    for run in range(RUNS):
        started = time.perf_counter()
        rows = asyncio.run(_allocated(bills, usage))
        allocations.append(time.perf_counter() - started)
        started = time.perf_counter()
        for files in bills.values():
            _scanned(files)
        scans.append(time.perf_counter() - started)
        say(f"rollup: {what}, {run + 1} of {RUNS}")
    ours, scan = median(allocations), median(scans)
    return Figure(
        f"allocation of {rows:,} charges, {what}",
        f"{rows / ours:,.0f} rows/s, {ours / scan:.1f} x",
        f"scan {rows / scan:,.0f} rows/s",
        f"<= {MOST_TIMES_SLOWER} x of 50 M rows",
    )


def _grown(files: Sequence[Path], place: Path) -> Path:
    """A bill with each charge many times over."""
    with duckdb.connect() as connection:
        bill = f"read_parquet({[str(path) for path in files]})"
        connection.execute(f"COPY (SELECT bill.* FROM {bill} bill, range({GROWN})) TO '{place}' (FORMAT parquet)")
    return place


async def _allocated(bills: Bills, usage: Usage) -> int:
    rules, rows = load_rules(ROOT / "examples/sandbox/allocation.yaml"), 0
    with tempfile.TemporaryDirectory(prefix="bench-rollup-") as folder:
        workbench = Workbench(Path(folder), LIMITS)
        for month, files in bills.items():
            named = [BillFile(path.name, path, str(month)) for path in files]
            rows += (await workbench.allocate(rules, month, named, usage[month])).charges
    return rows


def _scanned(files: Sequence[Path]) -> None:
    with duckdb.connect(config={"threads": LIMITS.threads}) as connection:
        connection.execute(SCAN.format(files=[str(path) for path in files])).fetchall()
