"""The SQL engine on this machine: DuckDB over exactly the files that the manifests name, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from tenantscope_core.results.errors import DataFault, Unavailable
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.interruptible import Interrupted, Interruptible
from tenantscope_core.stores.manifests import Commit, describe
from tenantscope_core.stores.object_cache import ObjectCache, ObjectChanged
from tenantscope_core.stores.sql import DEFAULT_MAX_ROWS, Result, Table, oldest, projection, require_owners, with_tables
from tenantscope_core.stores.sql_text import Scalar, SqlText, string_literal, utc

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_SHIMS = (
    "CREATE TEMP MACRO regexp_like(text, pattern) AS regexp_matches(text, pattern)",
    "CREATE TEMP MACRO approx_percentile(value, fraction) AS quantile_cont(value, fraction)",
)


@dataclass(frozen=True, slots=True)
class DuckDbLimits:
    """What one query may take, and how many run at once; sizes as DuckDB spells them."""

    memory: str = "512MB"
    threads: int = 2
    concurrent: int = 4
    timeout_seconds: float = 30.0


class DuckDbEngine:
    """Fetches the objects of the tables with the caller's credentials, then queries them locally.

    Each query has a database of its own (about 8 ms) that can open the pinned files and no other file, address or
    extension, and whose settings are locked: the text of a query is no way to another tenant's data.
    """

    def __init__(self, reader: DatasetReader, cache: ObjectCache, limits: DuckDbLimits | None = None) -> None:
        self._reader = reader
        self._cache = cache
        self._limits = limits or DuckDbLimits()
        self._threads = anyio.CapacityLimiter(self._limits.concurrent)

    async def query(
        self,
        sql: str,
        parameters: Sequence[Scalar],
        tables: Mapping[str, Table],
        *,
        aws: AwsCaller,
        max_rows: int = DEFAULT_MAX_ROWS,
    ) -> Result:
        """See `SqlEngine.query`; `scanned_bytes` is the size of the files behind the tables."""
        text = SqlText.read(sql)
        values = [utc(value) if isinstance(value, datetime) else value for value in parameters]
        refs = {ref.key: ref for table in tables.values() for commit in table.months.values() for ref in commit.objects}
        require_owners(tables, aws)
        try:
            with anyio.fail_after(self._limits.timeout_seconds):
                async with self._cache.pinned(aws, self._reader.bucket, list(refs.values())) as files:
                    statement = with_tables(text, tables, aws, lambda _table, _month, commit: _source(commit, files))
                    columns, rows = await self._run(statement, values, tables, files, max_rows + 1)
        except TimeoutError:
            raise Unavailable("The query took too long; ask for fewer months, or try again.") from None
        except ObjectChanged as changed:
            raise self._changed(changed, tables) from changed
        return Result(
            columns=columns,
            rows=rows[:max_rows],
            truncated=len(rows) > max_rows,
            scanned_bytes=sum(ref.size for ref in refs.values()),
            stale_since=oldest(tables),
        )

    async def _run(
        self,
        statement: str,
        values: Sequence[Scalar],
        tables: Mapping[str, Table],
        files: Mapping[str, Path],
        max_rows: int,
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        def select(connection: "duckdb.DuckDBPyConnection") -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
            connection.execute(statement, values)
            names = tuple(str(column[0]) for column in connection.description or ())
            return names, connection.fetchmany(max_rows)

        def sound(connection: "duckdb.DuckDBPyConnection", table: Table, key: str) -> None:
            rows = f"SELECT {projection(table)} FROM {_files([files[key]])}"
            connection.execute(f"SELECT max(hash(COLUMNS(*))) FROM ({rows})").fetchall()

        try:
            return await self._on_thread(select, files)
        except _EngineError as error:
            for table in tables.values():
                for month, commit in table.months.items():
                    for ref in commit.objects:
                        try:
                            await self._on_thread(lambda c, t=table, k=ref.key: sound(c, t, k), files)
                        except _EngineError:
                            self._cache.discard(files[ref.key])
                            raise DataFault(
                                f"Stored data of {describe(table.dataset.name, table.tenant, month)} cannot be read; "
                                "its rollup has to be run again."
                            ) from error
            raise error.cause from None

    async def _on_thread(self, work: "Callable[[duckdb.DuckDBPyConnection], T]", files: Mapping[str, Path]) -> T:
        query = Interruptible()

        def run() -> T:
            import duckdb  # 0.1 s and 36 MB, at the first query rather than at start

            connection = duckdb.connect(":memory:", config=self._configuration())
            with connection, query.running(connection.interrupt):
                _lock_down(connection, list(files.values()))
                try:
                    return work(connection)
                except duckdb.InterruptException:
                    raise Interrupted from None
                except duckdb.OutOfMemoryException:
                    raise Unavailable("The query needs more memory than it may use; ask for fewer months.") from None
                except duckdb.Error as error:
                    raise _EngineError(error) from error

        return await query.wait(run, self._threads)

    def _configuration(self) -> dict[str, str | bool | int | float | list[str]]:
        return {
            "threads": self._limits.threads,
            "memory_limit": self._limits.memory,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }

    def _changed(self, changed: ObjectChanged, tables: Mapping[str, Table]) -> DataFault:
        for table in tables.values():
            for month, commit in table.months.items():
                if changed.ref in commit.objects:
                    self._reader.forget(table.dataset.name, table.tenant)
                    named = describe(table.dataset.name, table.tenant, month)
                    return DataFault(f"Stored data of {named} is not what its manifest says; ask again in a minute.")
        raise changed


class _EngineError(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _lock_down(connection: "duckdb.DuckDBPyConnection", files: Sequence[Path]) -> None:
    for shim in _SHIMS:
        connection.execute(shim)
    connection.execute(f"SET allowed_paths = [{', '.join(string_literal(str(path)) for path in files)}]")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _source(commit: Commit, files: Mapping[str, Path]) -> str | None:
    return _files([files[ref.key] for ref in commit.objects]) if commit.objects else None


def _files(paths: Sequence[Path]) -> str:
    listed = ", ".join(string_literal(str(path)) for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"
