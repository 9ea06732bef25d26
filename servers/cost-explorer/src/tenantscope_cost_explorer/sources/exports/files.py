"""One file of an export: how DuckDB reads it, what columns it has, and how a sentence says what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores.workbench import listed

if TYPE_CHECKING:
    import duckdb

Schema = Mapping[str, str]
"""Columns and their types."""


@dataclass(frozen=True, slots=True)
class BillFile:
    """A local copy of one object of the bill; `month` where its place names the billing period.

    `export` tells the exports apart that lie below one prefix; where its manifest lists the file (`listed`), the files
    are one export whatever their columns.
    """

    name: str
    path: Path
    month: str | None
    export: str = ""
    listed: bool = False

    @property
    def kind(self) -> str:
        """What it is packed as: `parquet`, `csv` or `csv.gz`."""
        name = self.name.lower()
        return "parquet" if name.endswith(".parquet") else "csv.gz" if name.endswith(".gz") else "csv"

    def __str__(self) -> str:
        return self.name if self.month is None or self.month in self.name else f"{self.name} of {self.month}"


def is_bill(name: str) -> bool:
    """Whether a file of that name can hold charges."""
    return name.lower().endswith((".parquet", ".csv", ".csv.gz"))


def reader(files: Sequence[BillFile]) -> str:
    """The table function that reads these files, all of one kind."""
    paths = listed([file.path for file in files])
    match files[0].kind:
        case "parquet":
            return f"read_parquet({paths}, hive_partitioning = false)"
        case kind:
            packed = "gzip" if kind == "csv.gz" else "none"
            return (
                f"read_csv({paths}, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"',"
                f" nullstr = ['NULL', ''], compression = '{packed}', hive_partitioning = false)"
            )


def schema_of(connection: "duckdb.DuckDBPyConnection", file: BillFile) -> Schema:
    """The columns of a file.

    Raises:
        DataFault: It cannot be read.
    """
    import duckdb

    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {reader([file])}").fetchall()
    except duckdb.Error as error:
        raise fault_of(error, file) from error
    return {str(row[0]): str(row[1]) for row in rows}


def fault_of(error: "duckdb.Error", file: BillFile) -> Exception:
    """What a failure to read the file comes to: a fault of the file, unless the engine was stopped or lacked memory."""
    import duckdb

    if isinstance(error, duckdb.InterruptException | duckdb.OutOfMemoryException):
        return error
    return unreadable(file)


def unreadable(file: BillFile) -> DataFault:
    """The file as a whole is no use."""
    return DataFault(f"The bill's file {file} is damaged and cannot be read; export it again.")


def unparsable(file: BillFile, column: str, rows: int | None = None) -> DataFault:
    """Rows of the file lack what is needed."""
    count = "rows" if rows is None else "a row" if rows == 1 else f"{rows} rows"
    return DataFault(f"The bill's file {file} has {count} whose {column} is missing or cannot be read.")
