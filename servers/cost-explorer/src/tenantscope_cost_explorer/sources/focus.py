"""FOCUS 1.0 and 1.2 exports, Parquet or CSV, as the `charges` relation of one billing month.

A charge belongs to the month of its billing period, whatever days it covers, so that a month ties to its invoices.
Where an export has no InvoiceId (FOCUS 1.0, or a bill that is not issued yet) billing account and month stand for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores.workbench import listed

from tenantscope_cost_explorer.charges import literal

if TYPE_CHECKING:
    import duckdb

REQUIRED = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart")
_TEXTS = {
    "service": "ServiceName",
    "charge_category": "ChargeCategory",
    "charge_class": "ChargeClass",
    "sub_account": "SubAccountId",
    "billing_account": "BillingAccountId",
    "resource": "ResourceId",
    "region": "RegionId",
    "commitment_status": "CommitmentDiscountStatus",
    "description": "ChargeDescription",
    "charge_frequency": "ChargeFrequency",
    "pricing_category": "PricingCategory",
    "commitment": "CommitmentDiscountId",
    "sku": "SkuId",
    "resource_type": "ResourceType",
    "unit": "ConsumedUnit",
}
_TAGS = "MAP(VARCHAR, VARCHAR)"

Schema = Mapping[str, str]
"""Columns and their types."""


@dataclass(frozen=True, slots=True)
class BillFile:
    """A local copy of one object of the export; `month` where its place in the export names the billing period."""

    name: str
    path: Path
    month: str | None


def is_bill(name: str) -> bool:
    """Whether a file of that name can hold charges."""
    return name.lower().endswith((".parquet", ".csv", ".csv.gz"))


def billing_months(connection: "duckdb.DuckDBPyConnection", file: BillFile) -> list[str]:
    """The billing months in a file whose name tells none.

    Raises:
        DataFault: It cannot be read, or a row does not say its month.
    """
    import duckdb

    schema = _schema(connection, file)
    try:
        rows = connection.execute(f"SELECT DISTINCT {_month(file.month, schema)} FROM {_reader([file])}").fetchall()
    except duckdb.Error as error:
        raise _unreadable(file) from error
    months = [row[0] for row in rows]
    if None in months:
        raise _unparsable(file, "BillingPeriodStart")
    return sorted(months)


def create_charges(connection: "duckdb.DuckDBPyConnection", files: Sequence[BillFile], month: str) -> None:
    """Make the view `charges` of a month over these files; nothing is read yet but their schemas.

    Raises:
        DataFault: A file cannot be read or lacks a column.
    """
    shapes: dict[tuple[object, ...], tuple[list[BillFile], Schema]] = {}
    for file in files:
        schema = _schema(connection, file)
        shapes.setdefault((_kind(file), file.month, *schema.items()), ([], schema))[0].append(file)
    branches = [
        f"SELECT * EXCLUDE (month) FROM ({_charges(alike, alike[0].month, schema)}) WHERE month = {literal(month)}"
        for alike, schema in shapes.values()
    ]
    connection.execute(f"CREATE OR REPLACE TEMP VIEW charges AS {' UNION ALL '.join(branches)}")


def require_readable(connection: "duckdb.DuckDBPyConnection", files: Sequence[BillFile]) -> None:
    """Find the file and column that are at fault; slow, and only for when something is.

    Raises:
        DataFault: The first fault found.
    """
    import duckdb

    for file in files:
        schema = _schema(connection, file)
        checks = {
            "EffectiveCost": "effective IS NULL",
            "BilledCost": "billed IS NULL",
            "ChargePeriodStart": "day IS NULL",
            "BillingPeriodStart": "month IS NULL",
            "BillingCurrency": "currency IS NULL",
            "Tags": "NOT readable",
        }
        faults = ", ".join(f"count(*) FILTER ({check})" for check in checks.values())
        try:
            found = connection.execute(f"SELECT {faults} FROM ({_charges([file], file.month, schema)})").fetchall()[0]
        except duckdb.Error as error:
            raise _unreadable(file) from error
        for column, count in zip(checks, found, strict=True):
            if count:
                raise _unparsable(file, column, count)


def _kind(file: BillFile) -> str:
    return (
        "parquet"
        if file.name.lower().endswith(".parquet")
        else "csv.gz"
        if file.name.lower().endswith(".gz")
        else "csv"
    )


def _reader(files: Sequence[BillFile]) -> str:
    paths = listed([file.path for file in files])
    match _kind(files[0]):
        case "parquet":
            return f"read_parquet({paths}, hive_partitioning = false)"
        case kind:
            packed = "gzip" if kind == "csv.gz" else "none"
            return (
                f"read_csv({paths}, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"',"
                f" nullstr = ['NULL', ''], compression = '{packed}', hive_partitioning = false)"
            )


def _schema(connection: "duckdb.DuckDBPyConnection", file: BillFile) -> Schema:
    import duckdb

    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {_reader([file])}").fetchall()
    except duckdb.Error as error:
        raise _unreadable(file) from error
    schema = {str(row[0]): str(row[1]) for row in rows}
    for column in REQUIRED:
        if column not in schema:
            raise DataFault(f"The bill's file {file.name} has no column {column}; it is not a FOCUS export.")
    return schema


def _charges(files: Sequence[BillFile], month: str | None, schema: Schema) -> str:
    texts = ", ".join(f"{_text(name, schema)} AS {ours}" for ours, name in _TEXTS.items())
    tags, tags_read = _tags(schema)
    return f"""
SELECT *, effective IS NOT NULL AND billed IS NOT NULL AND day IS NOT NULL AND currency IS NOT NULL
  AND month IS NOT NULL AND tags_read AS readable,
  coalesce(invoice_id, coalesce(billing_account, '') || ' ' || month) AS invoice
FROM (
  SELECT {_month(month, schema)} AS month, {_day("ChargePeriodStart", schema)} AS day,
    {_last_day(schema)} AS day_end, {_text("InvoiceId", schema)} AS invoice_id,
    {_text("BillingCurrency", schema)} AS currency,
    {texts}, {tags} AS tags, {tags_read} AS tags_read,
    TRY_CAST("EffectiveCost" AS DECIMAL(38,12)) AS effective, TRY_CAST("BilledCost" AS DECIMAL(38,12)) AS billed,
    {_number("ConsumedQuantity", schema)} AS quantity, {_number("ListCost", schema)} AS listed
  FROM {_reader(files)}
)"""


def _text(name: str, schema: Schema) -> str:
    return f"nullif(CAST(\"{name}\" AS VARCHAR), '')" if name in schema else "CAST(NULL AS VARCHAR)"


def _number(name: str, schema: Schema) -> str:
    """A column as an exact number; NULL where there is none or it is none."""
    return f'TRY_CAST("{name}" AS DECIMAL(38,12))' if name in schema else "CAST(NULL AS DECIMAL(38,12))"


def _time(name: str, schema: Schema) -> str:
    """A column as a UTC timestamp without a zone; the connection's own zone is UTC."""
    if schema[name].startswith("TIMESTAMP") and "ZONE" not in schema[name]:
        return f'"{name}"'
    return f'CAST(TRY_CAST("{name}" AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)'


def _day(name: str, schema: Schema) -> str:
    return f"CAST({_time(name, schema)} AS DATE)"


def _last_day(schema: Schema) -> str:
    day = _day("ChargePeriodStart", schema)
    if "ChargePeriodEnd" not in schema:
        return f"{day} + 1"
    last = f"CAST({_time('ChargePeriodEnd', schema)} - INTERVAL 1 MICROSECOND AS DATE)"
    return f"greatest({day}, coalesce({last}, {day})) + 1"


def _month(month: str | None, schema: Schema) -> str:
    if month is not None:
        return f"CAST({literal(month)} AS VARCHAR)"
    name = "BillingPeriodStart" if "BillingPeriodStart" in schema else "ChargePeriodStart"
    return f"strftime({_time(name, schema)}, '%Y-%m')"


def _tags(schema: Schema) -> tuple[str, str]:
    """The tags as a map, and whether they could be read."""
    kind = schema.get("Tags")
    if kind is None:
        return f"CAST(map() AS {_TAGS})", "true"
    if kind == _TAGS:
        return '"Tags"', "true"
    if kind == "VARCHAR":
        tags = f'TRY_CAST(TRY_CAST("Tags" AS JSON) AS {_TAGS})'
        return tags, f'("Tags" IS NULL OR "Tags" = \'\' OR {tags} IS NOT NULL)'
    if kind == 'STRUCT("key" VARCHAR, "value" VARCHAR)[]':
        return 'map_from_entries("Tags")', "true"
    return f"CAST(NULL AS {_TAGS})", "false"


def _unreadable(file: BillFile) -> DataFault:
    return DataFault(f"The bill's file {file.name} is damaged and cannot be read; export it again.")


def _unparsable(file: BillFile, column: str, rows: int | None = None) -> DataFault:
    count = "rows" if rows is None else "a row" if rows == 1 else f"{rows} rows"
    return DataFault(f"The bill's file {file.name} has {count} whose {column} is missing or cannot be read.")
