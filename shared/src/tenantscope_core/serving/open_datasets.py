"""Opens what a server reads datasets with: a reader of commits, and the engine that its settings name."""

import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenantscope_core.serving.spec import Runtime
from tenantscope_core.serving.store_settings import DatasetSettings
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.sql import SqlEngine


@dataclass(frozen=True, slots=True)
class OpenDatasets:
    """What is committed, and what runs SQL over it."""

    reader: DatasetReader
    engine: SqlEngine


@contextmanager
def open_datasets(runtime: Runtime[DatasetSettings]) -> Generator[OpenDatasets]:
    """Open them for a block; nothing is connected before the first question."""
    settings = runtime.settings
    reader = DatasetReader(settings.datasets_bucket, clock=runtime.clock)
    with ExitStack() as stack:
        yield OpenDatasets(reader, _engine(settings, reader, stack))


def _engine(settings: DatasetSettings, reader: DatasetReader, stack: ExitStack) -> SqlEngine:
    if settings.sql_engine == "athena":
        from tenantscope_core.stores.athena_engine import AthenaEngine, AthenaSettings

        return AthenaEngine(
            AthenaSettings(
                database=settings.glue_database,
                workgroup=settings.athena_workgroup,
                output=f"s3://{settings.datasets_bucket}/athena-results/",
                reuse_minutes=settings.athena_reuse_minutes,
                most_bytes=None if settings.athena_most_megabytes is None else settings.athena_most_megabytes << 20,
            )
        )
    from tenantscope_core.stores.duckdb_engine import DuckDbEngine
    from tenantscope_core.stores.object_cache import ObjectCache

    folder = settings.cache_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantscope-")))
    cache = ObjectCache(folder, max_bytes=settings.cache_megabytes << 20)
    stack.callback(cache.close)
    return DuckDbEngine(reader, cache)
