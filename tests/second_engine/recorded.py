"""An engine that remembers each statement with the files behind it and what DuckDB answered."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.manifests import Commit
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.sql import DEFAULT_MAX_ROWS, Result, SqlEngine, Table, with_tables
from tenantscope_core.stores.sql_text import Scalar, SqlText, identifier


@dataclass(frozen=True)
class Statement:
    """One statement as an engine gets it, its tables defined by Parquet files; `asked` is the tool's own text."""

    asked: str
    sql: str
    files: dict[str, str]
    result: Result


@dataclass
class Recorder:
    """What was asked by all engines of a test, each different statement once."""

    folder: Path
    statements: dict[str, Statement] = field(default_factory=dict[str, Statement])


class RecordingEngine:
    """Answers as the engine that it wraps, and records."""

    def __init__(self, engine: SqlEngine, reader: DatasetReader, cache: ObjectCache, recorder: Recorder) -> None:
        self._engine = engine
        self._reader = reader
        self._cache = cache
        self._recorder = recorder

    async def query(
        self,
        sql: str,
        parameters: Sequence[Scalar],
        tables: Mapping[str, Table],
        *,
        aws: AwsCaller,
        max_rows: int = DEFAULT_MAX_ROWS,
    ) -> Result:
        """As every engine."""
        result = await self._engine.query(sql, parameters, tables, aws=aws, max_rows=max_rows)
        refs = {ref.key: ref for table in tables.values() for commit in table.months.values() for ref in commit.objects}
        files: dict[str, str] = {}
        async with self._cache.pinned(aws, self._reader.bucket, list(refs.values())) as pinned:

            def source(table: Table, month: str, commit: Commit) -> str | None:
                names = [self._kept(pinned[ref.key], files) for ref in commit.objects]
                every = " UNION ALL ".join(f"SELECT * FROM {identifier(name)}" for name in names)
                return f"({every})" if names else None

            statement = with_tables(SqlText.read(sql).rendered(parameters), tables, aws, source)
        self._recorder.statements[statement] = Statement(sql, statement, files, result)
        return result

    def _kept(self, path: Path, files: dict[str, str]) -> str:
        """The name of a copy of a file: what is in the cache goes when it is full."""
        name = f"f_{hashlib.sha256(path.read_bytes()).hexdigest()[:24]}"
        copy = self._recorder.folder / f"{name}.parquet"
        if not copy.exists():
            shutil.copyfile(path, copy)
        files[name] = str(copy)
        return name
