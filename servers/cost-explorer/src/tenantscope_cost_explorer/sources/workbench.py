"""One month's allocation in a DuckDB of its own: the bill and the usage in, Parquet files out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
from tenantscope_core.results.errors import DataFault, Unavailable
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.interruptible import Interrupted, Interruptible
from tenantscope_core.stores.schemas import FEATURE_USAGE, LLM_USAGE, USAGE

from tenantscope_cost_explorer.allocation import SUM_THE_BILL, compile_allocation
from tenantscope_cost_explorer.charges import literal
from tenantscope_cost_explorer.report import ALLOCATED_ROWS, UNBALANCED, report_rows
from tenantscope_cost_explorer.rules import RuleSet
from tenantscope_cost_explorer.sources.focus import BillFile, billing_months, create_charges, require_readable

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

MEASURED = (USAGE, FEATURE_USAGE, LLM_USAGE)
"""The datasets that drivers are taken from."""


class Unbalanced(Exception):
    """Allocated and residual do not sum to the bill: a fault of ours, and nothing is committed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one month's allocation may take of this machine."""

    memory: str = "1GB"
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Allocated:
    """A month's result, as files."""

    tenants: Mapping[str, Part]
    fleet: Part
    report: Part
    charges: int


class Workbench:
    """Runs allocations on a worker thread, spilling to `folder`; a task that is cancelled stops its query."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self._folder = folder
        self.limits = limits or Limits()
        self._threads = anyio.CapacityLimiter(1)

    async def months_in(self, files: Sequence[BillFile]) -> dict[str, list[str]]:
        """The billing months in each of these files, by name."""
        return await self._on_thread(lambda connection: {file.name: billing_months(connection, file) for file in files})

    async def allocate(
        self, rules: RuleSet, month: Month, bill: Sequence[BillFile], usage: Mapping[str, Sequence[Path]]
    ) -> Allocated:
        """Allocate a month; `usage` has the files of each of the `MEASURED` datasets.

        Raises:
            DataFault: A file of the bill is damaged; file and column are named.
            Unbalanced: The result does not sum to the bill.
            Unavailable: It needs more memory than it may take.
        """
        out = self._folder / str(month)
        out.mkdir(parents=True, exist_ok=True)
        return await self._on_thread(lambda connection: _allocate(connection, rules, month, bill, usage, out))

    async def _on_thread(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        query = Interruptible()

        def run() -> T:
            import duckdb

            with duckdb.connect(config=self._configuration()) as connection, query.running(connection.interrupt):
                connection.execute("SET TimeZone = 'UTC'")
                try:
                    return work(connection)
                except duckdb.InterruptException:
                    raise Interrupted from None
                except duckdb.OutOfMemoryException as error:
                    raise Unavailable(
                        "The allocation needs more memory than TENANTSCOPE_ROLLUP_MEMORY allows; raise it."
                    ) from error

        return await query.wait(run, self._threads)

    def _configuration(self) -> dict[str, str | bool | int | float | list[str]]:
        return {
            "threads": self.limits.threads,
            "memory_limit": self.limits.memory,
            "temp_directory": str(self._folder / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }


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
        paths = ", ".join(literal(str(path)) for path in usage.get(dataset.name, ()))
        source = f" FROM read_parquet([{paths}], hive_partitioning = false)" if paths else " WHERE false"
        typed = ", ".join(f'CAST({name if paths else "NULL"} AS {kind}) AS "{name}"' for name, kind in columns.items())
        connection.execute(f"CREATE TEMP VIEW {dataset.name} AS SELECT {typed}{source}")
    try:
        for step in compile_allocation(rules, month.first_day):
            connection.execute(step.sql)
            if step.title == SUM_THE_BILL:
                _require_complete(connection, bill)
    except duckdb.Error as error:
        if not isinstance(error, duckdb.InterruptException | duckdb.OutOfMemoryException):
            require_readable(connection, bill)
        raise
    if invoices := connection.execute(UNBALANCED).fetchall():
        raise Unbalanced(f"{month}: allocated and residual do not sum to the bill of invoice {invoices[0][0]}")
    return _write(connection, rules, out)


def _require_complete(connection: "duckdb.DuckDBPyConnection", bill: Sequence[BillFile]) -> None:
    charges, readable = connection.execute("SELECT sum(charges), sum(readable) FROM bill").fetchall()[0]
    if charges != readable:
        require_readable(connection, bill)
        raise DataFault("The bill changed while it was read; run this again.")


def _write(connection: "duckdb.DuckDBPyConnection", rules: RuleSet, out: Path) -> Allocated:
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(f"CREATE TABLE rows AS {ALLOCATED_ROWS}")
    counts = connection.execute("SELECT tenant_id, count(*) FROM rows GROUP BY ALL ORDER BY ALL").fetchall()
    tenants: dict[str, Part] = {}
    for tenant, rows in counts:
        if tenant is not None:
            own = f"SELECT * EXCLUDE (tenant_id) FROM rows WHERE tenant_id = {literal(tenant)}"
            tenants[tenant] = _copy(connection, own, out / f"tenant-{len(tenants)}.parquet", rows)
    charges = connection.execute("SELECT coalesce(sum(charges), 0) FROM bill").fetchall()[0][0]
    return Allocated(
        tenants=tenants,
        fleet=_copy(connection, "FROM rows", out / "fleet.parquet", sum(rows for _, rows in counts)),
        report=_copy(
            connection,
            f"SELECT *, CAST(NULL AS VARCHAR) AS tenant_id FROM ({report_rows(rules)})",
            out / "report.parquet",
        ),
        charges=int(charges),
    )


def _copy(connection: "duckdb.DuckDBPyConnection", query: str, path: Path, rows: int | None = None) -> Part:
    found = connection.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)").fetchall()
    return Part(path, found[0][0] if rows is None else rows)
