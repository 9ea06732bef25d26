"""The columns of `charges` in SQL: how a format's own columns become text, numbers, times and tags.

A charge belongs to the month of its billing period, whatever days it covers, so that a month ties to its invoices.
Where an export has no invoice (FOCUS 1.0, or a bill that is not issued yet) billing account and month stand for it.
"""

from collections.abc import Iterable, Mapping, Sequence

from tenantscope_cost_explorer.allocation.charges import literal
from tenantscope_cost_explorer.sources.exports.files import BillFile, Schema, reader

TEXTS = (
    "service",
    "charge_category",
    "charge_class",
    "sub_account",
    "billing_account",
    "resource",
    "region",
    "commitment_status",
    "description",
    "charge_frequency",
    "pricing_category",
    "commitment",
    "sku",
    "resource_type",
    "unit",
    "iam_principal",
    "user_identifier",
)
NO_TEXT = "CAST(NULL AS VARCHAR)"
NO_NUMBER = "CAST(NULL AS DECIMAL(38,12))"
_MAP = "MAP(VARCHAR, VARCHAR)"
NO_TAGS = f"CAST(map() AS {_MAP})"
_NEEDED = ("month", "day", "currency", "effective", "billed")


def charge_rows(
    files: Sequence[BillFile],
    values: Mapping[str, str],
    *,
    tags: tuple[str, str],
    beside: Mapping[str, str] | None = None,
    also: Iterable[str] = (),
) -> str:
    """The rows of files as charges: `values` has the SQL of each column, `tags` that of the map and of its being read.

    `beside` are further columns, `also` further conditions of a row that is readable.
    """
    texts = ", ".join(f"{values.get(name, NO_TEXT)} AS {name}" for name in TEXTS)
    more = "".join(f", {sql} AS {name}" for name, sql in (beside or {}).items())
    needed = " AND ".join([*(f"{name} IS NOT NULL" for name in _NEEDED), "tags_read", *also])
    return f"""
SELECT *, {needed} AS readable,
  coalesce(invoice_id, coalesce(billing_account, '') || ' ' || month) AS invoice
FROM (
  SELECT {values["month"]} AS month, {values["day"]} AS day, {values["day_end"]} AS day_end,
    {values["invoice_id"]} AS invoice_id, {values["currency"]} AS currency,
    {texts}, {tags[0]} AS tags, {tags[1]} AS tags_read,
    {values["effective"]} AS effective, {values["billed"]} AS billed,
    {values.get("quantity", NO_NUMBER)} AS quantity, {values.get("listed", NO_NUMBER)} AS listed{more}
  FROM {reader(files)}
)"""


def text(name: str, schema: Schema) -> str:
    """A column as text; NULL where there is none or it is empty."""
    return f"nullif(CAST(\"{name}\" AS VARCHAR), '')" if name in schema else NO_TEXT


def number(name: str, schema: Schema) -> str:
    """A column as an exact number; NULL where there is none or it is none."""
    return f'TRY_CAST("{name}" AS DECIMAL(38,12))' if name in schema else NO_NUMBER


def time(name: str, schema: Schema) -> str:
    """A column as a UTC timestamp without a zone; the connection's own zone is UTC."""
    if name not in schema:
        return "CAST(NULL AS TIMESTAMP)"
    if schema[name].startswith("TIMESTAMP") and "ZONE" not in schema[name]:
        return f'"{name}"'
    return f'CAST(TRY_CAST("{name}" AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)'


def day(name: str, schema: Schema) -> str:
    """A column as a day, in UTC."""
    return f"CAST({time(name, schema)} AS DATE)"


def day_end(start: str, end: str, schema: Schema) -> str:
    """The first day that a charge no longer covers."""
    first = day(start, schema)
    if end not in schema:
        return f"{first} + 1"
    last = f"CAST({time(end, schema)} - INTERVAL 1 MICROSECOND AS DATE)"
    return f"greatest({first}, coalesce({last}, {first})) + 1"


def is_time(name: str, schema: Schema) -> str | None:
    """Whether what a column says can be read as a time; None where its type says so of every row."""
    if schema.get(name) != "VARCHAR":
        return None
    return f'("{name}" IS NULL OR {time(name, schema)} IS NOT NULL)'


def month(named: str | None, name: str, schema: Schema) -> str:
    """The billing period: as the file's place names it, else as the column says."""
    if named is not None:
        return f"CAST({literal(named)} AS VARCHAR)"
    return f"strftime({time(name, schema)}, '%Y-%m')"


def pairs(name: str, schema: Schema) -> tuple[str, str]:
    """A column of keys and values as a map, and whether it could be read; an empty map where there is no such column.

    It may be a map, FOCUS' key-value format (a JSON object as text), a list of structs of key and value, or a struct.
    """
    kind = schema.get(name)
    if kind is None:
        return NO_TAGS, "true"
    if kind == _MAP:
        return f'"{name}"', "true"
    if kind in ("VARCHAR", "JSON"):
        tags = f'TRY(TRY_CAST(TRY_CAST("{name}" AS JSON) AS {_MAP}))'
    elif kind.upper() == 'STRUCT("KEY" VARCHAR, "VALUE" VARCHAR)[]':
        tags = f'TRY(map_from_entries("{name}"))'
    elif kind.startswith("STRUCT(") and not kind.endswith("]"):
        tags = f'TRY_CAST(to_json("{name}") AS {_MAP})'
    elif kind.startswith("MAP("):
        tags = f'TRY_CAST("{name}" AS {_MAP})'
    else:
        return f"CAST(NULL AS {_MAP})", "false"
    empty = f" OR \"{name}\" = ''" if kind == "VARCHAR" else ""
    return tags, f'("{name}" IS NULL{empty} OR {tags} IS NOT NULL)'
