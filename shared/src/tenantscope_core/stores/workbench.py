"""A DuckDB of one job's own: on a worker thread, within its limits, spilling to a folder."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.interruptible import Interrupted, Interruptible
from tenantscope_core.stores.sql_text import string_literal

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one month of a rollup may take of this machine."""

    memory: str = "1GB"
    threads: int = 2


class DuckDbWorkbench:
    """Runs one piece of work at a time; a task that is cancelled stops its query.

    Each piece has a database of its own, in memory as far as it fits. With `keep` all have the same one, until `close`.
    """

    def __init__(self, folder: Path, limits: Limits | None = None, *, keep: bool = False) -> None:
        self.folder = folder
        self.limits = limits or Limits()
        self._keep = keep
        self._kept: duckdb.DuckDBPyConnection | None = None
        self._threads = anyio.CapacityLimiter(1)

    async def run(self, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
        """What `work` returns or raises, in UTC.

        Raises:
            Unavailable: It needs more memory or disk than there is.
        """
        query = Interruptible()

        def on_thread() -> T:
            import duckdb

            with self._connection() as connection, query.running(connection.interrupt):
                try:
                    return work(connection)
                except duckdb.InterruptException:
                    raise Interrupted from None
                except duckdb.OutOfMemoryException as error:
                    raise Unavailable(
                        "The rollup needs more memory than TENANTSCOPE_ROLLUP_MEMORY allows, or more disk than "
                        "TENANTSCOPE_ROLLUP_DIR has; raise it."
                    ) from error

        return await query.wait(on_thread, self._threads)

    def close(self) -> None:
        """Let go of what was kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    @contextmanager
    def _connection(self) -> "Generator[duckdb.DuckDBPyConnection]":
        if self._kept is not None:
            yield self._kept
            return
        import duckdb

        connection = duckdb.connect(":memory:", config=self._configuration())
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            yield connection
        finally:
            if self._keep:
                self._kept = connection
            else:
                connection.close()

    def _configuration(self) -> dict[str, str | bool | int | float | list[str]]:
        return {
            "threads": self.limits.threads,
            "memory_limit": self.limits.memory,
            "temp_directory": str(self.folder / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }


def listed(paths: Sequence[Path]) -> str:
    """Paths as the list that DuckDB's readers take."""
    return "[" + ", ".join(string_literal(str(path)) for path in paths) + "]"


def copy_part(connection: "duckdb.DuckDBPyConnection", query: str, path: Path, rows: int | None = None) -> Part:
    """The rows of a query as a Parquet file; `rows` is their number where it is known."""
    target = string_literal(str(path))
    found = connection.execute(f"COPY ({query}) TO {target} (FORMAT parquet, COMPRESSION zstd)").fetchall()
    return Part(path, found[0][0] if rows is None else rows)


def tenant_parts(connection: "duckdb.DuckDBPyConnection", table: str, out: Path) -> tuple[dict[str, Part], Part]:
    """A table as one Parquet file for each tenant, without `tenant_id`, and one of all its rows for the fleet.

    Rows whose `tenant_id` is NULL are the fleet's alone.
    """
    out.mkdir(parents=True, exist_ok=True)
    counts = connection.execute(f"SELECT tenant_id, count(*) FROM {table} GROUP BY ALL ORDER BY ALL").fetchall()
    tenants: dict[str, Part] = {}
    for tenant, rows in counts:
        if tenant is not None:
            own = f"SELECT * EXCLUDE (tenant_id) FROM {table} WHERE tenant_id = {string_literal(tenant)}"
            tenants[tenant] = copy_part(connection, own, out / f"tenant-{len(tenants)}.parquet", rows)
    return tenants, copy_part(connection, f"FROM {table}", out / "fleet.parquet", sum(rows for _, rows in counts))
