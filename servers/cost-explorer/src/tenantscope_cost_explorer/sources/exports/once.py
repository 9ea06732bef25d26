"""That a month's bill is there once: two exports of one period beside each other would count every charge twice.

Exports are told apart by their manifests or else by where they lie, by format and version, and by how they are packed.
Several are fine together as long as they are of different billing accounts; an account that is in two is charged twice.
Only where there are several are the accounts read.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenantscope_core.results.errors import DataFault

from tenantscope_cost_explorer.allocation.charges import literal
from tenantscope_cost_explorer.sources.exports.files import BillFile, Schema, fault_of
from tenantscope_cost_explorer.sources.exports.formats import Format

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Exported:
    """The files of one export, with their columns."""

    format: Format
    files: list[tuple[BillFile, Schema]]


def require_once(connection: "duckdb.DuckDBPyConnection", exports: Sequence[Exported], month: str) -> None:
    """Check that no file stands twice in a month, and no billing account is in two exports.

    Raises:
        DataFault: One does; both files and the period are named.
    """
    _require_no_copies([file for export in exports for file, _ in export.files], month)
    if len(exports) < 2:
        return
    seen: dict[str | None, BillFile] = {}
    for export in exports:
        accounts = _accounts(connection, export, month)
        for account, file in accounts.items():
            if account in seen:
                raise DataFault(
                    f"The bill of {month} is there twice: {seen[account]} and {file} are of different exports and both"
                    f" have billing account {account or '(none)'}. Leave one."
                )
        seen |= accounts


def _require_no_copies(files: Sequence[BillFile], month: str) -> None:
    sizes: dict[int, list[BillFile]] = {}
    for file in files:
        sizes.setdefault(file.path.stat().st_size, []).append(file)
    for alike in sizes.values():
        if len(alike) < 2:
            continue
        found: dict[str, BillFile] = {}
        for file in alike:
            with file.path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest in found:
                raise DataFault(
                    f"The bill of {month} is there twice: {found[digest]} and {file} are the same. Leave one."
                )
            found[digest] = file


def _accounts(connection: "duckdb.DuckDBPyConnection", export: Exported, month: str) -> dict[str | None, BillFile]:
    import duckdb

    found: dict[str | None, BillFile] = {}
    for file, schema in export.files:
        rows = export.format.rows([file], schema)
        try:
            accounts = connection.execute(
                f"SELECT DISTINCT billing_account FROM ({rows}) WHERE month = {literal(month)}"
            ).fetchall()
        except duckdb.Error as error:
            raise fault_of(error, file) from error
        for (account,) in accounts:
            found.setdefault(account, file)
    return found
