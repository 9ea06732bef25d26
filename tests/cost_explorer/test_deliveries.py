"""Which files of an export are a period: manifests, versions, what is half written, and what is there twice."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from cost_explorer.exports import MONTH, Line, write
from fixtures.stores import SignedCaller
from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores.raw_objects import RawObject
from tenantscope_cost_explorer.sources.billing import open_bill
from tenantscope_cost_explorer.sources.deliveries import Delivered, listed_files, newest, settle
from tenantscope_cost_explorer.sources.exports import BillFile, create_charges

DATA, METADATA = f"raw/focus/data/BILLING_PERIOD={MONTH}/", f"raw/focus/metadata/BILLING_PERIOD={MONTH}/"
FIRST = "2026-09-02T03:04:05.678Z-11111111-2222-3333-4444-555555555555/"
SECOND = "2026-09-03T03:04:05.678Z-01111111-2222-3333-4444-555555555555/"


def there(*names: str, size: int = 1) -> list[RawObject]:
    return [RawObject(name, size, name, modified=float(number)) for number, name in enumerate(names)]


def delivered(data: list[RawObject], manifests: dict[str, list[str] | None]) -> Delivered:
    return settle(data, {one: manifests[one.object.name] for one in newest(there(*manifests))})


def taken(what: Delivered) -> list[str]:
    return [one.name for one in what.objects]


def test_a_period_is_what_its_manifest_lists() -> None:
    data = there(f"{DATA}focus-00001.parquet", f"{DATA}focus-00002.parquet")
    names = ["focus-00001.parquet", "focus-00002.parquet"]
    found = delivered(data, {f"{METADATA}focus-Manifest.json": names})
    assert taken(found) == [one.name for one in data]
    assert not found.faults
    assert {(one.month, one.listed) for one in found.objects} == {(MONTH, True)}


def test_of_several_versions_the_newest_that_is_complete_counts() -> None:
    data = there(f"{DATA}{FIRST}focus-00001.parquet", f"{DATA}{SECOND}focus-00001.parquet")
    manifests: dict[str, list[str] | None] = {
        f"{METADATA}{SECOND}focus-Manifest.json": [f"{SECOND}focus-00001.parquet"],
        f"{METADATA}{FIRST}focus-Manifest.json": [f"{FIRST}focus-00001.parquet"],
    }
    assert taken(delivered(data, manifests)) == [f"{DATA}{SECOND}focus-00001.parquet"]
    del manifests[f"{METADATA}{SECOND}focus-Manifest.json"]
    found = delivered(data, manifests)
    assert taken(found) == [f"{DATA}{FIRST}focus-00001.parquet"]
    assert not found.faults


def test_one_manifest_for_all_versions_is_the_period_too() -> None:
    data = there(f"{DATA}{FIRST}focus-00001.parquet", f"{DATA}{SECOND}focus-00001.parquet")
    found = delivered(data, {f"{METADATA}focus-Manifest.json": [f"{SECOND}focus-00001.parquet"]})
    assert taken(found) == [f"{DATA}{SECOND}focus-00001.parquet"]
    assert not found.faults


@pytest.mark.requirement("bad-object-named")
@pytest.mark.parametrize(
    ("data", "lists", "says"),
    [
        (
            ["a.parquet"],
            ["a.parquet", "b.parquet"],
            "half written: .*focus-Manifest.json lists b.parquet, which is not",
        ),
        (
            ["a.parquet", "b.parquet"],
            ["a.parquet"],
            f"half written: {DATA}b.parquet is there, and no manifest lists it",
        ),
        (["a.parquet"], None, "manifest .*focus-Manifest.json of 2026-09 cannot be read"),
        ([FIRST + "a.parquet", FIRST + "b.parquet"], [FIRST + "a.parquet"], "b.parquet is there, and no manifest"),
    ],
)
def test_a_period_that_is_half_written_is_named_and_no_other(
    data: list[str], lists: list[str] | None, says: str
) -> None:
    other = "raw/focus/data/BILLING_PERIOD=2026-08/a.parquet"
    found = delivered(there(other, *(DATA + name for name in data)), {f"{METADATA}focus-Manifest.json": lists})
    assert list(found.faults) == [MONTH]
    with pytest.raises(DataFault, match=says):
        raise DataFault(found.faults[MONTH])
    assert other in taken(found)


def test_versions_without_a_manifest_are_not_added_up() -> None:
    found = delivered(there(f"{DATA}{FIRST}a.parquet", f"{DATA}{SECOND}a.parquet"), {})
    assert f"{DATA}{FIRST}a.parquet and {DATA}{SECOND}a.parquet" in found.faults[MONTH]
    one = delivered(there(f"{DATA}{FIRST}a.parquet", f"{DATA}day=1/a.parquet"), {})
    assert (len(one.objects), one.faults) == (2, {})


def test_an_empty_object_fails_its_period() -> None:
    found = settle(there(f"{DATA}a.parquet", size=0), {})
    assert found.faults == {MONTH: f"The bill's file {DATA}a.parquet is empty; export it again."}


def test_a_file_that_two_manifests_list_counts_once_or_not_at_all() -> None:
    manifests: dict[str, list[str] | None] = {
        f"{METADATA}{name}-Manifest.json": ["a.parquet"] for name in ("focus", "copy")
    }
    found = delivered(there(f"{DATA}a.parquet"), manifests)
    assert "is there twice" in found.faults[MONTH]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"dataFiles": []}', '{"dataFiles": [1]}', '{"dataFiles": ["s3://b/x"]}']
)
def test_what_is_no_manifest_lists_nothing(text: str) -> None:
    assert listed_files(text) is None


def test_a_manifest_names_files_by_their_place_within_the_period() -> None:
    text = (
        f'{{"executionId": "1", "dataFiles": ["s3://elsewhere/p/focus/data/BILLING_PERIOD={MONTH}/{FIRST}a.parquet"]}}'
    )
    assert listed_files(text) == [f"{FIRST}a.parquet"]


@pytest.mark.parametrize("at", ["export", "export/data", "export/data/"])
async def test_a_folder_copied_from_aws_is_read_with_its_manifests(tmp_path: Path, at: str) -> None:
    for place, text in {
        f"export/data/BILLING_PERIOD={MONTH}/{FIRST}a-00001.csv": "x",
        f"export/data/BILLING_PERIOD={MONTH}/{SECOND}a-00001.csv": "x",
        f"export/metadata/BILLING_PERIOD={MONTH}/{FIRST}a-Manifest.json": "{}",
        f"export/metadata/BILLING_PERIOD={MONTH}/{SECOND}a-Manifest.json": '{"dataFiles": ["s3://b/e/data/BILLING_PERIOD='
        f'{MONTH}/{SECOND}a-00001.csv"]}}',
    }.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    aws: SignedCaller | None = None
    bill = open_bill(f"{tmp_path}/{at}", aws, tmp_path / "copies")  # type: ignore[arg-type] # a folder needs no AWS
    found = await bill.delivered()
    assert [one.name.endswith(f"{SECOND}a-00001.csv") for one in found.objects] == [True]
    assert not found.faults


ACME, GLOBEX = "210000000001", "310000000001"


def twice(folder: Path, *files: BillFile) -> None:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        create_charges(database, files, MONTH)


@pytest.mark.requirement("sums-to-the-invoice")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("FOCUS 1.2", "parquet"), ("CUR 2.0", "parquet")),
        (("FOCUS 1.2", "parquet"), ("FOCUS 1.2", "csv.gz")),
        (("FOCUS 1.0", "csv.gz"), ("FOCUS 1.2", "csv.gz")),
    ],
)
def test_a_period_exported_twice_is_refused_with_both_files(
    tmp_path: Path, first: tuple[str, str], second: tuple[str, str]
) -> None:
    lines = [Line("Usage", Decimal(3), payer=ACME)]
    one, two = write(tmp_path, lines, *first), write(tmp_path, lines, *second)
    with pytest.raises(DataFault) as fault:
        twice(tmp_path, one, two)
    assert fault.value.sentence == (
        f"The bill of {MONTH} is there twice: {one.name} and {two.name} are of different exports and both have billing"
        f" account {ACME}. Leave one."
    )


def test_exports_of_different_billing_accounts_add_up(tmp_path: Path) -> None:
    one = write(tmp_path, [Line("Usage", Decimal(3), payer=ACME)], "FOCUS 1.2", "parquet")
    two = write(tmp_path, [Line("Usage", Decimal(4), payer=GLOBEX, currency="EUR")], "CUR 2.0", "parquet")
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        create_charges(database, [one, two], MONTH)
        found = database.execute("SELECT currency, billed FROM charges ORDER BY 2").fetchall()
    assert found == [("USD", 3), ("EUR", 4)]


def test_two_exports_of_one_format_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    one = write(tmp_path, [Line("Usage", Decimal(3), payer=ACME)], "FOCUS 1.2", "parquet")
    two = write(tmp_path, [Line("Usage", Decimal(4), payer=ACME)], "FOCUS 1.2", "parquet", tags="json")
    twice(tmp_path, one, two)
    files = [BillFile(f"{root}/{one.name}", file.path, MONTH, root) for root, file in (("x", one), ("y", two))]
    with pytest.raises(DataFault, match=r"there twice: x/.* and y/.*"):
        twice(tmp_path, *files)


def test_a_copy_of_a_file_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path, [Line("Usage", Decimal(3))], "FOCUS 1.2", "parquet")
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(one.path.read_bytes())
    with pytest.raises(DataFault, match=r"FOCUS-1\.2-map\.parquet and .*copy\.parquet.* are the same"):
        twice(tmp_path, one, BillFile("copy.parquet", copy, MONTH))
