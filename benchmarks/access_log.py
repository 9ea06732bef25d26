"""Counting the sandbox company's access log beside DuckDB's own scan of the needed columns of the same files."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import anyio
import duckdb
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.workbench import Limits
from tenantscope_metrics_logs.log_formats import LogFormat
from tenantscope_metrics_logs.rollup_command import load_log_rules
from tenantscope_metrics_logs.sources.raw_log import LogFile, days_of
from tenantscope_metrics_logs.sources.workbench import LogWorkbench
from tenantscope_sandbox.company.generate import OBJECTS, generate

from benchmarks import ROOT
from benchmarks.figures import Figure, say

RUNS, GROWN = 3, 90
MOST_TIMES_SLOWER = 1.5
LIMITS = Limits()
Log = Mapping[Month, Sequence[Path]]
COLUMNS = """{'requestTime': 'TIMESTAMP', 'httpMethod': 'VARCHAR', 'path': 'VARCHAR', 'status': 'INTEGER',
  'responseLength': 'BIGINT', 'responseLatency': 'BIGINT', 'tenantId': 'VARCHAR', 'user': 'VARCHAR'}"""
SCAN = """
SELECT count(*), max(requestTime), max(httpMethod), max(path), sum(status), sum(responseLength), sum(responseLatency),
  max(tenantId), max("user")
FROM read_json(FILES, format = 'newline_delimited', columns = COLUMNS)"""


def measure() -> Iterator[Figure]:
    """Count every month, then scan every month, and so on; once more a month that is many times as large."""
    state = Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or ROOT / ".sandbox/test")
    company = generate(state, progress=lambda line: say(f"access log: {line}")) / OBJECTS
    log: dict[Month, list[Path]] = {}
    for path in sorted(company.glob("raw/access_log/day=*/*.gz")):
        log.setdefault(Month.parse(path.parent.name[4:11]), []).append(path)
    yield from _figures(f"{len(log)} months", log)
    with tempfile.TemporaryDirectory(prefix="bench-log-") as folder:
        month, files = max(log.items())
        yield from _figures(f"a month {GROWN} times as large", {month: [_grown(path, Path(folder)) for path in files]})


def _figures(what: str, log: Log) -> Iterator[Figure]:
    counts, scans, lines = list[float](), list[float](), 0
    for run in range(RUNS):
        started = time.perf_counter()
        lines = anyio.run(_counted, log)
        counts.append(time.perf_counter() - started)
        started = time.perf_counter()
        for files in log.values():
            _scanned(files)
        scans.append(time.perf_counter() - started)
        say(f"access log: {what}, {run + 1} of {RUNS}")
    ours, scan = median(counts), median(scans)
    yield Figure(
        f"feature usage of {lines:,} log lines, {what}",
        f"{lines / ours:,.0f} lines/s, {ours / scan:.2f} x",
        f"scan {lines / scan:,.0f} lines/s",
        f"<= {MOST_TIMES_SLOWER} x of 100 M lines",
    )
    yield Figure(f"peak memory of that, {what}", f"{_peak(log):.0f} MB", f"DuckDB's limit {LIMITS.memory}")


async def _counted(log: Log) -> int:
    rules, lines = load_log_rules(ROOT / "examples/sandbox/access_log.yaml"), 0
    for month, paths in log.items():
        with tempfile.TemporaryDirectory(prefix="bench-log-") as folder:
            files = [LogFile(path.name, path, days_of(str(path))) for path in paths]
            lines += (await LogWorkbench(Path(folder), LogFormat.API_GATEWAY, rules, LIMITS).count(month, files)).lines
    return lines


def _scanned(files: Sequence[Path]) -> None:
    with duckdb.connect(config={"threads": LIMITS.threads}) as connection:
        connection.execute(
            SCAN.replace("FILES", str([str(path) for path in files])).replace("COLUMNS", COLUMNS)
        ).fetchall()


def _grown(path: Path, folder: Path) -> Path:
    """A day's file with each line many times over: gzip takes its own files one after another."""
    grown = folder / path.parent.name / path.name
    grown.parent.mkdir()
    grown.write_bytes(path.read_bytes() * GROWN)
    return grown


def _peak(log: Log) -> float:
    """Peak memory in MB of a process that counts and does nothing else."""
    words = [word for month, paths in log.items() for word in (str(month), *(str(path) for path in paths))]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.access_log", *words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return float(done.stdout) / 1024


if __name__ == "__main__":
    asked: dict[Month, list[Path]] = {}
    for word in sys.argv[1:]:
        if word.startswith("/"):
            asked[max(asked)].append(Path(word))
        else:
            asked[Month.parse(word)] = []
    anyio.run(_counted, asked)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
