"""What the tools read from, opened once for the life of the server."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tenantscope_core.serving.spec import Runtime
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.sql import SqlEngine

from tenantscope_cost_explorer.settings import Settings
from tenantscope_cost_explorer.sources.costs import Costs


@dataclass(frozen=True, slots=True)
class Sources:
    """Committed costs."""

    costs: Costs


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    settings = runtime.settings
    reader = DatasetReader(settings.datasets_bucket, clock=runtime.clock)
    with ExitStack() as stack:
        yield Sources(Costs(reader, _engine(settings, reader, stack)))


def _engine(settings: Settings, reader: DatasetReader, stack: ExitStack) -> SqlEngine:
    if settings.sql_engine == "athena":
        from tenantscope_core.stores.athena_engine import AthenaEngine, AthenaSettings

        return AthenaEngine(
            AthenaSettings(
                database=settings.glue_database,
                workgroup=settings.athena_workgroup,
                output=f"s3://{settings.datasets_bucket}/athena-results/",
            )
        )
    from tenantscope_core.stores.duckdb_engine import DuckDbEngine
    from tenantscope_core.stores.object_cache import ObjectCache

    folder = settings.cache_dir or Path(
        stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantscope-cost-explorer-"))
    )
    cache = ObjectCache(folder, max_bytes=settings.cache_megabytes << 20)
    stack.callback(cache.close)
    return DuckDbEngine(reader, cache)
