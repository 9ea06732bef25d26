"""A bucket with committed use, and the server's sources over it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_metrics_logs.sources.activity import Activity
from tenantscope_metrics_logs.sources.cloudwatch import MetricNames, TenantMetrics
from tenantscope_metrics_logs.sources.feature_usage import Features
from tenantscope_metrics_logs.sources.open import Sources
from tenantscope_metrics_logs.sources.usage import Usage

NOBODYS = MetricNames(namespace=None, tenant_dimension="TenantId", of={}, latency=None)


@asynccontextmanager
async def sources_over(bucket: str, folder: Path, *, months: int = 13) -> AsyncGenerator[Sources]:
    """The sources that the tools of a server have, without CloudWatch."""
    reader = DatasetReader(bucket, clock=Clock())
    cache = ObjectCache(folder / "cache", max_bytes=1 << 28)
    engine = DuckDbEngine(reader, cache)
    yield Sources(
        Usage(reader, engine),
        Features(reader, engine),
        Activity(reader, engine, months=months),
        TenantMetrics(NOBODYS),
    )
    cache.close()


def clock_at(day: str) -> Clock:
    """A clock that stands at six in the morning of a day, when rollups run."""
    clock = Clock()
    clock.now = datetime.fromisoformat(f"{day}T06:00:00").replace(tzinfo=UTC)
    return clock


def new_bucket(cloud: Cloud, name: str) -> str:
    """A bucket of one test module."""
    cloud.client("s3").create_bucket(Bucket=name)
    return name
