"""One month's allocation in a DuckDB of its own: the bill and the usage in, Parquet files out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenantscope_core.results.errors import DataFault
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.rollup import Refused
from tenantscope_core.stores.schemas import FEATURE_USAGE, LLM_USAGE, USAGE
from tenantscope_core.stores.workbench import DuckDbWorkbench, Limits, copy_part, listed, numbered_parts

from tenantscope_cost_explorer.allocation import SUM_THE_BILL, gather
from tenantscope_cost_explorer.report import ALLOCATED_ROWS, UNBALANCED, report_rows
from tenantscope_cost_explorer.rules import RuleSet
from tenantscope_cost_explorer.saving_evidence import evidence_rows
from tenantscope_cost_explorer.sources.exports import (
    BillFile,
    billing_months,
    create_charges,
    require_one_currency,
    require_readable,
)
from tenantscope_cost_explorer.sources.shares import apportion

if TYPE_CHECKING:
    import duckdb

MEASURED = (USAGE, FEATURE_USAGE, LLM_USAGE)
"""The datasets that drivers are taken from."""


class Unbalanced(Refused):
    """Allocated and residual do not sum to the bill: a fault of ours, and nothing is committed."""


@dataclass(frozen=True, slots=True)
class Allocated:
    """A month's result, as files."""

    tenants: Mapping[str, Part]
    fleet: Part
    report: Part
    evidence: Part
    charges: int


class Workbench:
    """Runs allocations, spilling to `folder`; a task that is cancelled stops its query."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self._duckdb = DuckDbWorkbench(folder, limits)

    @property
    def limits(self) -> Limits:
        """What one month's allocation may take of this machine."""
        return self._duckdb.limits

    async def months_in(self, files: Sequence[BillFile]) -> tuple[dict[str, list[str]], list[DataFault]]:
        """The billing months in each of these files, by name, and what is wrong with those that cannot be read."""
        return await self._duckdb.run(lambda connection: _months_in(connection, files))

    async def allocate(
        self, rules: RuleSet, month: Month, bill: Sequence[BillFile], usage: Mapping[str, Sequence[Path]]
    ) -> Allocated:
        """Allocate a month; `usage` has the files of each of the `MEASURED` datasets.

        Raises:
            DataFault: A file of the bill is damaged; file and column are named.
            Unbalanced: The result does not sum to the bill.
            Unavailable: It needs more memory than it may take.
        """
        out = self._duckdb.folder / str(month)
        return await self._duckdb.run(lambda connection: _allocate(connection, rules, month, bill, usage, out))


def _months_in(
    connection: "duckdb.DuckDBPyConnection", files: Sequence[BillFile]
) -> tuple[dict[str, list[str]], list[DataFault]]:
    months: dict[str, list[str]] = {}
    faults: list[DataFault] = []
    for file in files:
        try:
            months[file.name] = billing_months(connection, file)
        except DataFault as fault:
            faults.append(fault)
    return months, faults


def _allocate(
    connection: "duckdb.DuckDBPyConnection",
    rules: RuleSet,
    month: Month,
    bill: Sequence[BillFile],
    usage: Mapping[str, Sequence[Path]],
    out: Path,
) -> Allocated:
    import duckdb

    create_charges(connection, bill, str(month))
    for dataset in MEASURED:
        columns = {**dataset.columns, "tenant_id": "VARCHAR"}
        paths = usage.get(dataset.name, ())
        source = f" FROM read_parquet({listed(paths)}, hive_partitioning = false)" if paths else " WHERE false"
        typed = ", ".join(f'CAST({name if paths else "NULL"} AS {kind}) AS "{name}"' for name, kind in columns.items())
        connection.execute(f"CREATE TEMP VIEW {dataset.name} AS SELECT {typed}{source}")
    try:
        for step in gather(rules, month.first_day):
            connection.execute(step.sql)
            if step.title == SUM_THE_BILL:
                _require_complete(connection, bill)
                require_one_currency(connection, bill, str(month))
        connection.execute(f"CREATE TABLE evidence AS {evidence_rows(rules, month.first_day)}")
        apportion(connection, rules, month.first_day)
    except duckdb.Error as error:
        if not isinstance(error, duckdb.InterruptException | duckdb.OutOfMemoryException):
            require_readable(connection, bill)
        raise
    if invoices := connection.execute(UNBALANCED).fetchall():
        raise Unbalanced(f"{month}: allocated and residual do not sum to the bill of invoice {invoices[0][0]}")
    return _write(connection, rules, out)


def _require_complete(connection: "duckdb.DuckDBPyConnection", bill: Sequence[BillFile]) -> None:
    (unreadable,) = connection.execute("SELECT sum(unreadable) FROM bill").fetchall()[0]
    if unreadable:
        require_readable(connection, bill)
        raise DataFault("The bill changed while it was read; run this again.")


def _write(connection: "duckdb.DuckDBPyConnection", rules: RuleSet, out: Path) -> Allocated:
    out.mkdir(parents=True, exist_ok=True)
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(f"CREATE VIEW rows AS {ALLOCATED_ROWS}")
    counts = connection.execute(
        "SELECT number, people.tenant, count(*) FROM entries JOIN people ON number = entries.tenant"
        " GROUP BY ALL ORDER BY 1"
    ).fetchall()
    all_rows = connection.execute("SELECT count(*) FROM entries").fetchall()[0][0]
    tenants = numbered_parts(connection, "rows", counts, out)
    fleet = copy_part(connection, "SELECT * EXCLUDE (tenant_number) FROM rows", out / "fleet.parquet", all_rows)
    charges = connection.execute("SELECT coalesce(sum(charges), 0) FROM bill").fetchall()[0][0]
    return Allocated(
        tenants=tenants,
        fleet=fleet,
        report=copy_part(
            connection,
            f"SELECT *, CAST(NULL AS VARCHAR) AS tenant_id FROM ({report_rows(rules)})",
            out / "report.parquet",
        ),
        evidence=copy_part(connection, "FROM evidence ORDER BY ALL", out / "evidence.parquet"),
        charges=int(charges),
    )
