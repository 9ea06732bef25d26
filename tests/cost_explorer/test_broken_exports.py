"""Exports that are no use: each is one sentence that names file, period and column."""

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from cost_explorer.exports import FORMATS, KINDS, MONTH, Line, write
from tenantscope_core.results.errors import DataFault
from tenantscope_core.results.periods import Month
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_cost_explorer.sources.exports import BillFile, create_charges
from tenantscope_cost_explorer.sources.exports.intact import require_intact
from tenantscope_cost_explorer.sources.workbench import Workbench

pytestmark = pytest.mark.requirement("bad-object-named")

RULES = (
    'format: 1\nrules: [{name: own, match: {tag: {tenant: "*"}}, allocate: {method: direct, tenant: {tag: tenant}}}]'
)
LINES = [Line("Usage", Decimal(number), tags={"tenant": f"t{number}"}) for number in range(1, 300)]
HEADER = "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,InvoiceId"
ROW = "1,1,USD,2026-09-01,2026-09-02,INV-1"


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


async def refused(tmp_path: Path, *files: BillFile) -> str:
    with pytest.raises(DataFault) as fault:
        await Workbench(tmp_path / "work").allocate(parse_rules(RULES), Month.parse(MONTH), files, {})
    return fault.value.sentence


def csv(folder: Path, *rows: str, header: str = HEADER, name: str = "bill.csv") -> BillFile:
    path = folder / name
    text = "".join(f"{row}\n" for row in (header, *rows)).encode()
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    return BillFile(name, path, MONTH)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("keep", [0.001, 0.5, 0.999])
async def test_a_file_that_ends_early_is_never_taken_for_a_shorter_one(
    tmp_path: Path, form: str, kind: str, keep: float
) -> None:
    file = write(tmp_path, LINES, form, kind)
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[: max(int(len(whole) * keep), 14)])
    said = await refused(tmp_path, file)
    assert said.startswith(f"The bill's file {file.name} ")
    assert "damaged" in said or "ends before it is whole" in said


@pytest.mark.parametrize("cut", [1, 4, 8])
async def test_even_a_lost_checksum_is_noticed(tmp_path: Path, cut: int) -> None:
    file = csv(tmp_path, ROW, name="bill.csv.gz")
    file.path.write_bytes(file.path.read_bytes()[:-cut])
    assert (
        await refused(tmp_path, file)
        == "The bill's file bill.csv.gz of 2026-09 ends before it is whole; export it again."
    )


@pytest.mark.parametrize("column", ["BilledCost", "ServiceName", "SubAccountId"])
async def test_a_damaged_page_of_any_column_that_is_read_names_its_file(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, column: str
) -> None:
    file = write(tmp_path, LINES, "FOCUS 1.2", "parquet")
    (start, length) = database.execute(
        "SELECT least(data_page_offset, coalesce(dictionary_page_offset, data_page_offset)), total_compressed_size"
        f" FROM parquet_metadata('{file.path}') WHERE path_in_schema = '{column}'"
    ).fetchall()[0]
    content = bytearray(file.path.read_bytes())
    content[start : start + length] = b"\xff" * length
    file.path.write_bytes(content)
    assert (
        await refused(tmp_path, file) == f"The bill's file {file.name} is damaged and cannot be read; export it again."
    )


@pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz", "bill.parquet"])
async def test_a_file_of_nothing_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    assert await refused(tmp_path, BillFile(name, path, MONTH)) == (
        f"The bill's file {name} of 2026-09 is empty; export it again."
    )


@pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz"])
async def test_a_file_of_a_header_alone_is_named(tmp_path: Path, name: str) -> None:
    assert await refused(tmp_path, csv(tmp_path, name=name), csv(tmp_path, ROW, name="other.csv")) == (
        f"The bill's file {name} of 2026-09 has a header and no rows; export it again."
    )


async def test_parquet_without_rows_is_named(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    whole = write(tmp_path, LINES[:1], "CUR 2.0", "parquet")
    database.execute(f"COPY (FROM '{whole.path}' WHERE false) TO '{tmp_path}/none.parquet' (FORMAT parquet)")
    said = await refused(tmp_path, BillFile("none.parquet", tmp_path / "none.parquet", MONTH))
    assert said == "The bill's file none.parquet of 2026-09 has a header and no rows; export it again."


def test_a_gzip_of_many_members_padded_with_zeros_is_whole(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    path = tmp_path / "bill.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n".encode()) + gzip.compress(f"{ROW}\n".encode()) + bytes(64))
    require_intact(database, BillFile("bill.csv.gz", path, MONTH))
    path.write_bytes(gzip.compress(f"{HEADER}\n".encode()) + gzip.compress(f"{ROW}\n".encode())[:-9])
    with pytest.raises(DataFault, match="ends before it is whole"):
        require_intact(database, BillFile("bill.csv.gz", path, MONTH))


async def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantscope_cost_explorer.sources.exports.intact.RATIO_FROM_BYTES", 1 << 20)
    file = csv(tmp_path, f"{ROW},{' ' * (8 << 20)}", name="bill.csv.gz")
    assert await refused(tmp_path, file) == (
        "The bill's file bill.csv.gz of 2026-09 unpacks to more than 200 times its size, as no bill does."
    )


async def test_parquet_that_says_it_has_rows_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenantscope_cost_explorer.sources.exports.intact.MAX_PARQUET_ROWS", 100)
    said = await refused(tmp_path, write(tmp_path, LINES, "FOCUS 1.0", "parquet"))
    assert said.endswith("says it has 299 rows; at most 100 are read.")


@pytest.mark.parametrize(
    ("form", "column"),
    [
        ("FOCUS 1.0", "BilledCost"),
        ("FOCUS 1.2", "EffectiveCost"),
        ("FOCUS 1.2", "BillingCurrency"),
        ("CUR 2.0", "line_item_unblended_cost"),
        ("CUR 2.0", "line_item_currency_code"),
        ("CUR 2.0", "line_item_usage_start_date"),
    ],
)
async def test_a_missing_column_is_named(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, form: str, column: str
) -> None:
    whole = write(tmp_path, LINES[:1], form, "parquet")
    database.execute(f"COPY (SELECT * EXCLUDE ({column}) FROM '{whole.path}') TO '{tmp_path}/less.parquet'")
    said = await refused(tmp_path, BillFile("less.parquet", tmp_path / "less.parquet", MONTH))
    name = form if form == "CUR 2.0" else "FOCUS"
    assert said == f"The bill's file less.parquet of 2026-09 has no column {column}, which {name} must have."


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([ROW, ROW.replace("1,1", "1,1.2.3")], "has a row whose EffectiveCost is missing or cannot be read"),
        ([ROW, ROW.replace("1,1", "1,inf")], "has a row whose EffectiveCost is missing or cannot be read"),
        ([ROW, ROW.replace("2026-09-01", "2026-02-30")], "has a row whose ChargePeriodStart is missing"),
        ([ROW, ROW.replace("2026-09-02", "soon")], "has a row whose ChargePeriodEnd is missing or cannot be read"),
        ([ROW, ROW.replace("USD", "")], "has a row whose BillingCurrency is missing or cannot be read"),
        ([ROW, ROW.replace("USD", "US$")], "has a BillingCurrency that is no code of three capital letters"),
        (
            [ROW, ROW.replace("USD", "EUR")],
            "invoice INV-1 of 2026-09 is in EUR and in USD: in its file bill.csv of 2026-09",
        ),
    ],
)
async def test_what_a_row_gets_wrong_is_named(tmp_path: Path, rows: list[str], says: str) -> None:
    said = await refused(tmp_path, csv(tmp_path, *rows))
    assert says in said
    assert "bill.csv of 2026-09" in said


async def test_what_has_no_invoice_yet_may_be_in_several_currencies(tmp_path: Path) -> None:
    rows = [ROW.replace("INV-1", ""), ROW.replace("INV-1", "").replace("USD", "EUR")]
    done = await Workbench(tmp_path / "work").allocate(
        parse_rules(RULES), Month.parse(MONTH), [csv(tmp_path, *rows)], {}
    )
    assert done.charges == 2


def test_a_legacy_report_is_told_what_to_export(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    file = csv(tmp_path, "1,2", header="identity/LineItemId,lineItem/UnblendedCost")
    with pytest.raises(DataFault, match=r"is a legacy Cost and Usage Report; export CUR 2\.0 or FOCUS"):
        create_charges(database, [file], MONTH)
    file = csv(tmp_path, "1,2", header="a,b")
    with pytest.raises(DataFault, match=r"neither a FOCUS export nor CUR 2\.0"):
        create_charges(database, [file], MONTH)
