"""Makes the company's twelve months in a folder, once: the same bytes each time."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path

import duckdb

from tenantscope_sandbox.state import locked

from . import access_log, bill, focus, revenue, truth, usage
from .cloudwatch import write_recent_requests
from .datasets import write_datasets, write_metering
from .periods import MONTHS
from .tenants import TENANTS, registry_item

Progress = Callable[[str], None]
TRUTH = "truth.json"
REGISTRY = "registry.json"
OBJECTS = "s3"
METERING = "metering"


def version() -> str:
    """Hash of everything that the data is made from: another hash, other data."""
    here = Path(__file__).parent
    sources = sorted(path for path in here.iterdir() if path.suffix in {".py", ".yaml", ".csv"})
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def generate(directory: Path, *, progress: Progress = lambda _: None) -> Path:
    """Make the company in `directory/company` unless this version is already there; return that folder.

    Inside: `s3/` mirrors the bucket, `registry.json` the registry, `cloudwatch/` what the last days said. No server
    ever sees `truth.json`, what was planted, nor `metering/`, what the log comes to.
    """
    with locked(directory / "company.lock"):
        return _generate(directory, progress)


def _generate(directory: Path, progress: Progress) -> Path:
    home = directory / "company"
    made_from = version()
    if (home / TRUTH).is_file() and json.loads((home / TRUTH).read_text())["version"] == made_from:
        progress("company: already made")
        return home
    making = directory / "company.making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    _make(making, made_from, progress)
    shutil.rmtree(home, ignore_errors=True)
    making.rename(home)
    return home


def _make(home: Path, made_from: str, progress: Progress) -> None:
    root = home / OBJECTS
    with duckdb.connect(config={"threads": 2}) as connection:
        progress("company: twelve months of requests")
        access_log.create_access_log(connection)
        usage.create_usage(connection)
        revenue.create_revenue(connection)
        progress("company: the bill")
        parts = bill.charges(bill.read_meters(connection))
        focus.create_bill(connection, parts)
        focus.write_bill(connection, root)
        progress("company: the access log")
        _write_access_log(connection, root)
        write_recent_requests(connection, home)
        progress("company: datasets")
        connection.execute("SET threads = 1")  # one writer, so that rows and files come in one order
        write_datasets(connection, root, made_from)
        write_metering(connection, home / METERING)
        _write_books(connection, root)
        described = truth.describe(connection, parts, made_from)
    registry = [registry_item(tenant) for tenant in TENANTS]
    (home / REGISTRY).write_text(json.dumps(registry, indent=1, sort_keys=True))
    (home / TRUTH).write_text(json.dumps(described, indent=1, sort_keys=True, default=str))


def _write_access_log(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    def write(day: date, lines: bytes) -> None:
        target = root / f"raw/access_log/day={day}/part-0.jsonl.gz"
        target.parent.mkdir(parents=True)
        target.write_bytes(gzip.compress(lines, 3, mtime=0))

    with ThreadPoolExecutor(2) as pool:
        writing: list[Future[None]] = []
        for day, lines in access_log.daily_lines(connection):
            writing.append(pool.submit(write, day, lines))
            if len(writing) > 8:
                writing.pop(0).result()
        for one in writing:
            one.result()


def _write_books(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """The price book and what was invoiced, as the company's billing system keeps them."""
    prices = root / "raw/price_book/price_book.yaml"
    prices.parent.mkdir(parents=True)
    prices.write_bytes(revenue.PRICE_BOOK.read_bytes())
    for month in MONTHS:
        target = root / f"raw/revenue/month={month}/revenue.csv"
        target.parent.mkdir(parents=True)
        connection.execute(
            f"COPY (SELECT tenant_id, plan, line, amount, currency FROM revenue WHERE month = '{month}' ORDER BY ALL)"
            f" TO '{target}' (FORMAT csv, HEADER)"
        )
