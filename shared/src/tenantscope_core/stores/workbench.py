"""A DuckDB of one job's own: on a worker thread, within its limits, spilling to a folder."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
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
_BATCH_ROWS, _BATCH_TENANTS = 400_000, 250


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
    connection.execute(
        f"""CREATE OR REPLACE TABLE tenant_numbers AS
        SELECT row_number() OVER (ORDER BY tenant_id) AS tenant_number, * FROM (
          SELECT tenant_id, count(*) AS rows FROM {table} WHERE tenant_id IS NOT NULL GROUP BY ALL);
        CREATE OR REPLACE VIEW numbered_rows AS
        SELECT {table}.*, tenant_number FROM {table} JOIN tenant_numbers USING (tenant_id)"""
    )
    counts = connection.execute("SELECT tenant_number, tenant_id, rows FROM tenant_numbers ORDER BY 1").fetchall()
    rows = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    tenants = numbered_parts(connection, "numbered_rows", counts, out)
    return tenants, copy_part(connection, f"FROM {table}", out / "fleet.parquet", rows)


def numbered_parts(
    connection: "duckdb.DuckDBPyConnection", view: str, counts: Sequence[tuple[int, str, int]], out: Path
) -> dict[str, Part]:
    """A view's rows as one Parquet file for each tenant, without `tenant_id` and `tenant_number`.

    `counts` has the number, the id and the rows of each tenant, by number. Many tenants are written by one statement:
    one of its own for each takes five times as long. What `view` reads must not be temporary.
    """
    parts: dict[str, Part] = {}
    batches = _batches(counts)
    taking = threading.Lock()

    def write(own: "duckdb.DuckDBPyConnection") -> None:
        while True:
            with taking:
                batch = next(batches, None)
            if batch is None:
                return
            parts.update(_written(own, view, batch, out))

    threads = int(connection.execute("SELECT current_setting('threads')").fetchall()[0][0])
    connection.execute("SET threads = 1")  # with more, each thread of a statement writes a file of its own
    try:
        _beside(connection, write, threads)
    finally:
        connection.execute(f"SET threads = {threads}")
    return {tenant: parts[tenant] for _, tenant, _ in counts}


def _written(
    connection: "duckdb.DuckDBPyConnection", view: str, batch: Sequence[tuple[int, str, int]], out: Path
) -> dict[str, Part]:
    first, last = batch[0][0], batch[-1][0]
    if first == last:
        own = f"SELECT * EXCLUDE (tenant_id, tenant_number) FROM {view} WHERE tenant_number = {first}"
        return {batch[0][1]: copy_part(connection, own, out / f"tenant-{first}.parquet", batch[0][2])}
    folder = out / f"tenants-{first}"
    many = f"SELECT * EXCLUDE (tenant_id) FROM {view} WHERE tenant_number BETWEEN {first} AND {last}"
    options = "FORMAT parquet, COMPRESSION zstd, PARTITION_BY (tenant_number), OVERWRITE"
    connection.execute(f"COPY ({many}) TO {string_literal(str(folder))} ({options})")
    parts: dict[str, Part] = {}
    for number, tenant, rows in batch:
        (path,) = (folder / f"tenant_number={number}").iterdir()
        # out of folders whose names a reader takes for columns
        parts[tenant] = Part(path.rename(out / f"tenant-{number}.parquet"), rows)
    return parts


def _beside(
    connection: "duckdb.DuckDBPyConnection", work: "Callable[[duckdb.DuckDBPyConnection], None]", threads: int
) -> None:
    """The same work on this thread and on others, each with a connection; when it fails here, it ends there."""
    failures: list[BaseException] = []

    def on_thread(own: "duckdb.DuckDBPyConnection") -> None:
        try:
            work(own)
        except BaseException as error:  # told on the thread that waits
            failures.append(error)

    others = [connection.cursor() for _ in range(threads - 1)]
    running = [threading.Thread(target=on_thread, args=(own,), daemon=True) for own in others]
    for thread in running:
        thread.start()
    try:
        work(connection)
    except BaseException:
        while any(thread.is_alive() for thread in running):
            for own in others:
                own.interrupt()
            time.sleep(0.02)
        raise
    finally:
        for thread in running:
            thread.join()
        for own in others:
            own.close()
    if failures:
        raise failures[0]


def _batches(counts: Sequence[tuple[int, str, int]]) -> Iterator[list[tuple[int, str, int]]]:
    """Tenants whose rows DuckDB keeps together until it writes them, so that each has one file."""
    batch, rows = list[tuple[int, str, int]](), 0
    for one in counts:
        if batch and (rows + one[2] > _BATCH_ROWS or len(batch) == _BATCH_TENANTS):
            yield batch
            batch, rows = [], 0
        batch.append(one)
        rows += one[2]
    if batch:
        yield batch
