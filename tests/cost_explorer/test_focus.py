"""Exports as clouds write them: Parquet and CSV, FOCUS 1.0 and 1.2, and what is wrong with a damaged one."""

import gzip
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from tenantscope_core.results.errors import DataFault
from tenantscope_cost_explorer.sources.exports import BillFile, billing_months, create_charges, require_readable

HEADER = (
    "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,ChargePeriodStart,ChargePeriodEnd,"
    "ServiceName,Tags"
)
ROW = '1.5,-2,USD,"123",2026-09-01 00:00:00,2026-09-03 22:00:00,2026-09-03 23:00:00,S3,"{""tenant"": ""acme""}"'
COLUMNS = "day, day_end, invoice, currency, service, tags['tenant'], effective, billed"


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def csv(folder: Path, *rows: str, header: str = HEADER, name: str = "bill.csv") -> BillFile:
    text = "\n".join((header, *rows)) + "\n"
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return BillFile(name, path, None)


def parquet(database: duckdb.DuckDBPyConnection, folder: Path, select: str, name: str = "a.parquet") -> BillFile:
    path = folder / name
    database.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return BillFile(f"BILLING_PERIOD=2026-09/{name}", path, "2026-09")


AWS = """
SELECT 1.5::DOUBLE AS "BilledCost", -2::DOUBLE AS "EffectiveCost", 'USD' AS "BillingCurrency",
  TIMESTAMP '2026-09-03 22:00:00' AS "ChargePeriodStart", TIMESTAMP '2026-09-03 23:00:00' AS "ChargePeriodEnd",
  'S3' AS "ServiceName", MAP {'tenant': 'acme'} AS "Tags", '123' AS "BillingAccountId"
"""
EXPECTED = (date(2026, 9, 3), date(2026, 9, 4), "123 2026-09", "USD", "S3", "acme", Decimal(-2), Decimal("1.5"))


@pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz"])
def test_csv_with_tags_as_json_and_parquet_with_a_map_say_the_same(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    for file in (csv(tmp_path, ROW, name=name), parquet(database, tmp_path, AWS)):
        create_charges(database, [file], "2026-09")
        assert database.execute(f"SELECT {COLUMNS} FROM charges").fetchall() == [EXPECTED]
        require_readable(database, [file])


def test_a_file_that_names_no_month_is_told_apart_by_its_rows(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    file = csv(tmp_path, ROW, ROW.replace("2026-09-01", "2026-10-01"))
    assert billing_months(database, file) == ["2026-09", "2026-10"]
    create_charges(database, [file], "2026-10")
    assert database.execute("SELECT invoice, day FROM charges").fetchall() == [("123 2026-10", date(2026, 9, 3))]


def test_files_of_different_columns_stand_side_by_side(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    newer = AWS.replace("'123' AS", "'INV-7' AS \"InvoiceId\", '124' AS")
    files = [parquet(database, tmp_path, AWS), parquet(database, tmp_path, newer, "b.parquet")]
    create_charges(database, files, "2026-09")
    assert database.execute("SELECT invoice FROM charges ORDER BY 1").fetchall() == [("123 2026-09",), ("INV-7",)]


@pytest.mark.parametrize(
    ("written", "day", "end"),
    [
        ("2026-09-03T23:30:00-02:00,2026-09-04T02:00:00Z", date(2026, 9, 4), date(2026, 9, 5)),
        ("2026-09-01,2026-10-01", date(2026, 9, 1), date(2026, 10, 1)),
        ("2026-09-03 00:00:00,", date(2026, 9, 3), date(2026, 9, 4)),
        ("2026-09-03 00:00:00,2026-09-03 00:00:00", date(2026, 9, 3), date(2026, 9, 4)),
    ],
)
def test_times_are_truncated_to_days_in_utc(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, written: str, day: date, end: date
) -> None:
    create_charges(
        database, [csv(tmp_path, ROW.replace("2026-09-03 22:00:00,2026-09-03 23:00:00", written))], "2026-09"
    )
    assert database.execute("SELECT day, day_end FROM charges").fetchall() == [(day, end)]


@pytest.mark.parametrize(
    ("broken", "column"),
    [
        (ROW.replace("1.5,-2", "1.5,"), "EffectiveCost"),
        (ROW.replace("1.5,-2", "NULL,-2"), "BilledCost"),
        (ROW.replace("1.5,-2", '"1,5",-2'), "BilledCost"),
        (ROW.replace("1.5,-2", "nan,-2"), "BilledCost"),
        (ROW.replace("USD", "NULL"), "BillingCurrency"),
        (ROW.replace("2026-09-03 22:00:00", "yesterday"), "ChargePeriodStart"),
        (ROW.replace('{""tenant"": ""acme""}', "tenant=acme"), "Tags"),
    ],
)
def test_a_row_that_cannot_be_read_names_file_and_column(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, broken: str, column: str
) -> None:
    file = csv(tmp_path, ROW, broken)
    create_charges(database, [file], "2026-09")
    assert database.execute("SELECT count(*) FILTER (readable) FROM charges").fetchall() == [(1,)]
    with pytest.raises(DataFault, match=rf"bill\.csv has a row whose {column}"):
        require_readable(database, [file])


def test_a_file_without_a_cost_column_is_no_export(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = csv(tmp_path, "1", header="BilledCost")
    with pytest.raises(DataFault, match="no column EffectiveCost"):
        create_charges(database, [file], "2026-09")


def test_a_damaged_file_names_itself(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    good = parquet(database, tmp_path, AWS)
    bad = BillFile("BILLING_PERIOD=2026-09/bad.parquet", tmp_path / "bad.parquet", "2026-09")
    bad.path.write_bytes(good.path.read_bytes()[:-20])
    with pytest.raises(DataFault, match=r"bad\.parquet is damaged"):
        create_charges(database, [good, bad], "2026-09")
