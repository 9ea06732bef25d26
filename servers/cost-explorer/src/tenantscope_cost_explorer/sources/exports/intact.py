"""Whether a file came whole: what DuckDB would take for less than it is, or for more than can be read.

DuckDB takes a gzip file that ends early for a shorter one, without a word, so these are unpacked once before. Of
Parquet only the footer is read.
"""

import zlib
from typing import TYPE_CHECKING

from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores.sql_text import string_literal

from tenantscope_cost_explorer.sources.exports.files import BillFile, fault_of, unreadable

if TYPE_CHECKING:
    import duckdb

MAX_RATIO = 200
"""How much larger than packed a file may be, once it is larger than `RATIO_FROM_BYTES`; real bills come to 10 to 50."""
RATIO_FROM_BYTES = 1 << 30
MAX_PARQUET_ROWS = 1_000_000_000
_CHUNK_BYTES = 1 << 20
_ANY_GZIP = 31


def require_intact(connection: "duckdb.DuckDBPyConnection", file: BillFile) -> None:
    """Check that a file is whole, has rows, and is of a size that can be.

    Raises:
        DataFault: It is not.
    """
    if not file.path.stat().st_size:
        raise DataFault(f"The bill's file {file} is empty; export it again.")
    match file.kind:
        case "parquet":
            _require_footer(connection, file)
        case "csv.gz":
            _require_unpacked(file)
        case _:
            with file.path.open("rb") as stream:
                rows = _Rows()
                while not rows.found and (chunk := stream.read(_CHUNK_BYTES)):
                    rows.look(chunk)
            rows.require(file)


class _Rows:
    """Whether anything but white space follows the first line."""

    def __init__(self) -> None:
        self.found = False
        self._header_ended = False

    def look(self, chunk: bytes) -> None:
        if self.found:
            return
        if not self._header_ended:
            _, end, chunk = chunk.partition(b"\n")
            self._header_ended = bool(end)
        self.found = self._header_ended and bool(chunk.strip())

    def require(self, file: BillFile) -> None:
        if not self.found:
            raise _no_rows(file)


def _require_footer(connection: "duckdb.DuckDBPyConnection", file: BillFile) -> None:
    import duckdb

    try:
        found = connection.execute(
            f"SELECT num_rows FROM parquet_file_metadata({string_literal(str(file.path))})"
        ).fetchall()
    except duckdb.Error as error:
        raise fault_of(error, file) from error
    rows = found[0][0]
    if not rows:
        raise _no_rows(file)
    if rows > MAX_PARQUET_ROWS:
        raise DataFault(f"The bill's file {file} says it has {rows:,} rows; at most {MAX_PARQUET_ROWS:,} are read.")


def _require_unpacked(file: BillFile) -> None:
    limit = max(RATIO_FROM_BYTES, MAX_RATIO * file.path.stat().st_size)
    unpacked, rows = 0, _Rows()
    try:
        with file.path.open("rb") as stream:
            packed = stream.read(_CHUNK_BYTES)
            while packed.strip(b"\0"):  # members follow one another, and may be padded with zeros
                member = zlib.decompressobj(_ANY_GZIP)
                while not member.eof:
                    chunk = member.decompress(packed, _CHUNK_BYTES)
                    packed = member.unconsumed_tail or stream.read(_CHUNK_BYTES) if not member.eof else b""
                    if not chunk and not packed and not member.eof:
                        raise DataFault(f"The bill's file {file} ends before it is whole; export it again.")
                    unpacked += len(chunk)
                    rows.look(chunk)
                    if unpacked > limit:
                        raise DataFault(
                            f"The bill's file {file} unpacks to more than {MAX_RATIO} times its size, as no bill does."
                        )
                packed = member.unused_data or stream.read(_CHUNK_BYTES)
    except zlib.error as error:
        raise unreadable(file) from error
    rows.require(file)


def _no_rows(file: BillFile) -> DataFault:
    return DataFault(f"The bill's file {file} has a header and no rows; export it again.")
