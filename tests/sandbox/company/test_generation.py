"""The company is made the same each time."""

import gzip
import hashlib
from pathlib import Path

import duckdb
from tenantscope_sandbox.company import access_log, bill, focus, generate, usage, version


def test_the_same_seed_gives_the_same_bytes(company: Path, bucket: Path, tmp_path: Path) -> None:
    """The log of a day and every month's bill, made anew, equal those made before, to the byte."""
    with duckdb.connect(config={"threads": 2}) as connection:
        access_log.create_access_log(connection)
        day, lines = next(access_log.daily_lines(connection))
        usage.create_usage(connection)
        focus.create_bill(connection, bill.charges(bill.read_meters(connection)))
        focus.write_bill(connection, tmp_path)
    kept = bucket / f"raw/access_log/day={day}/part-0.jsonl.gz"
    assert gzip.compress(lines, 3, mtime=0) == kept.read_bytes()
    made = sorted(tmp_path.rglob("*.parquet"))
    assert len(made) == 12
    for path in made:
        assert _hash(path) == _hash(bucket / path.relative_to(tmp_path))


def test_a_company_that_is_there_is_not_made_again(company: Path) -> None:
    before = (company / "truth.json").stat().st_mtime_ns
    said: list[str] = []
    assert generate(company.parent, progress=said.append) == company
    assert said == ["company: already made"]
    assert (company / "truth.json").stat().st_mtime_ns == before


def test_the_truth_never_lies_in_the_bucket(bucket: Path) -> None:
    assert not [path for path in bucket.rglob("*") if "truth" in path.name or "registry" in path.name]


def test_the_truth_says_what_it_was_made_from(truth: dict[str, object]) -> None:
    assert truth["version"] == version()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
