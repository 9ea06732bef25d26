"""The `charges` relation of one month over the files of its bill, and who is at fault where it cannot be read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenantscope_core.results.errors import DataFault

from tenantscope_cost_explorer.allocation.charges import literal
from tenantscope_cost_explorer.sources.exports.files import BillFile, Schema, fault_of, schema_of, unparsable
from tenantscope_cost_explorer.sources.exports.formats import FORMATS, Format, format_of
from tenantscope_cost_explorer.sources.exports.intact import require_intact
from tenantscope_cost_explorer.sources.exports.once import Exported, require_once

if TYPE_CHECKING:
    import duckdb

_CURRENCY = "[A-Z]{3}"


def billing_months(connection: "duckdb.DuckDBPyConnection", file: BillFile) -> list[str]:
    """The billing months in a file whose place names none.

    Raises:
        DataFault: It cannot be read, or a row does not say its month.
    """
    import duckdb

    require_intact(connection, file)
    schema = schema_of(connection, file)
    kind = format_of(file, schema)
    try:
        rows = connection.execute(f"SELECT DISTINCT month FROM ({kind.rows([file], schema)})").fetchall()
    except duckdb.Error as error:
        raise fault_of(error, file) from error
    months = [row[0] for row in rows]
    if None in months:
        raise unparsable(file, kind.period(schema))
    return sorted(months)


def create_charges(connection: "duckdb.DuckDBPyConnection", files: Sequence[BillFile], month: str) -> None:
    """Make the view `charges` of a month over these files.

    Of Parquet nothing is read yet but footers, unless it has split costs.

    Raises:
        DataFault: A file cannot be read, lacks a column, or says again what another says.
    """
    shapes: dict[tuple[object, ...], tuple[Format, list[BillFile], Schema]] = {}
    exports: dict[tuple[str, str, str], Exported] = {}
    for file in files:
        if file.month is not None:
            require_intact(connection, file)
        schema = schema_of(connection, file)
        kind = format_of(file, schema)
        shapes.setdefault((file.kind, file.month, *schema.items()), (kind, [], schema))[1].append(file)
        told = (file.export, kind.name, "") if file.listed else (file.export, kind.version(schema), file.kind)
        exports.setdefault(told, Exported(kind, [])).files.append((file, schema))
    require_once(connection, list(exports.values()), month)
    wholes: list[str] = []
    for kind in FORMATS:
        branches = [
            f"SELECT * FROM ({kind.rows(alike, schema)}) WHERE month = {literal(month)}"
            for of, alike, schema in shapes.values()
            if of is kind
        ]
        if branches:
            for name, sql in kind.tables(branches).items():
                _create(connection, f"TABLE {name}", sql, files)
            wholes.append(f"SELECT * EXCLUDE (month) FROM ({kind.together(branches)})")
    _create(connection, "VIEW charges", " UNION ALL BY NAME ".join(wholes), files)


def _create(connection: "duckdb.DuckDBPyConnection", what: str, sql: str, files: Sequence[BillFile]) -> None:
    import duckdb

    try:
        connection.execute(f"CREATE OR REPLACE TEMP {what} AS {sql}")
    except duckdb.Error as error:
        if not isinstance(error, duckdb.InterruptException | duckdb.OutOfMemoryException):
            require_readable(connection, files)
        raise


def require_readable(connection: "duckdb.DuckDBPyConnection", files: Sequence[BillFile]) -> None:
    """Find the file and column that are at fault; slow, and only for when something is.

    Raises:
        DataFault: The first fault found.
    """
    import duckdb

    for file in files:
        schema = schema_of(connection, file)
        kind = format_of(file, schema)
        rows = kind.rows([file], schema)
        faults = ", ".join(f"count(*) FILTER ({check})" for check in kind.faults.values())
        try:
            found = connection.execute(f"SELECT {faults} FROM ({rows})").fetchall()[0]
            connection.execute(f"SELECT count(COLUMNS(*)) FROM ({rows})").fetchall()
        except duckdb.Error as error:
            raise fault_of(error, file) from error
        for column, count in zip(kind.faults, found, strict=True):
            if count:
                raise unparsable(file, column, count)


def require_one_currency(connection: "duckdb.DuckDBPyConnection", files: Sequence[BillFile], month: str) -> None:
    """Check the currencies in `bill`, the sums by invoice and currency: codes of three letters, one an invoice.

    What has no invoice yet may be in several currencies, and stays apart.

    Raises:
        DataFault: They are not; file and column are named.
    """
    wrong = connection.execute(
        f"SELECT DISTINCT currency FROM bill WHERE NOT regexp_full_match(currency, '{_CURRENCY}') ORDER BY 1"
    ).fetchall()
    if wrong:
        file = _first_with(connection, files, f"currency = {literal(wrong[0][0])}")
        raise DataFault(
            f"The bill's file {file} has a {_column(connection, file, 'currency')} that is no code of three capital"
            " letters, as FOCUS has it."
        )
    several = connection.execute(
        "SELECT invoice, min(currency), max(currency) FROM bill"
        f" WHERE NOT ends_with(invoice, {literal(' ' + month)}) GROUP BY ALL HAVING count(*) > 1 ORDER BY 1"
    ).fetchall()
    if several:
        invoice, first, second = several[0]
        file = _first_with(connection, files, f"invoice = {literal(invoice)} AND currency = {literal(second)}")
        raise DataFault(
            f"The bill's invoice {invoice} of {month} is in {first} and in {second}: in its file {file} the"
            f" {_column(connection, file, 'currency')} of one invoice changes."
        )


def _first_with(connection: "duckdb.DuckDBPyConnection", files: Sequence[BillFile], what: str) -> BillFile:
    for file in files:
        schema = schema_of(connection, file)
        rows = format_of(file, schema).rows([file], schema)
        if connection.execute(f"SELECT count(*) FROM ({rows}) WHERE {what}").fetchall()[0][0]:
            return file
    return files[0]


def _column(connection: "duckdb.DuckDBPyConnection", file: BillFile, ours: str) -> str:
    """What the file's format calls its column of currencies."""
    schema = schema_of(connection, file)
    checks = format_of(file, schema).faults
    return next(name for name, check in checks.items() if check == f"{ours} IS NULL")
