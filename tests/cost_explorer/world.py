"""Costs committed as the rollup commits them, from a query that says what they are; and sources over them."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.schemas import ALLOCATED_COST, REVENUE, Dataset
from tenantscope_cost_explorer.sources.open import Sources, sources_of

DEFAULTS = {
    "ChargePeriodEnd": '"ChargePeriodStart" + 1',
    "ServiceName": "'Compute'",
    "x_Feature": "NULL",
    "ChargeCategory": "'Usage'",
    "ChargeFrequency": "'Usage-Based'",
    "BillingCurrency": "'USD'",
    "x_Method": "'direct'",
    "BilledCost": '"EffectiveCost"',
}


class World:
    """A bucket, and what is committed in it."""

    def __init__(self, cloud: Cloud, bucket: str, folder: Path) -> None:
        cloud.client("s3").create_bucket(Bucket=bucket)
        self.cloud, self.bucket, self._folder, self._clock = cloud, bucket, folder, Clock()
        self._clock.now = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
        self._writer = DatasetWriter(cloud.fleet(), bucket, clock=self._clock)

    async def costs(self, month: str, select: str, tenants: Collection[str] = ()) -> None:
        """Commit a month of `allocated_cost`; what the query does not give has a plain value, or none."""
        await self._commit(ALLOCATED_COST, month, select, tenants)

    async def revenue(self, month: str, select: str) -> None:
        """Commit a month of `revenue`."""
        await self._commit(REVENUE, month, select, ())

    async def _commit(self, dataset: Dataset, month: str, select: str, tenants: Collection[str]) -> None:
        with duckdb.connect() as connection:
            given = {str(row[0]) for row in connection.execute(f"DESCRIBE {select}").fetchall()}
            values = {name: f'"{name}"' if name in given else DEFAULTS.get(name, "NULL") for name in dataset.columns}
            typed = ", ".join(f'CAST({values[name]} AS {kind}) AS "{name}"' for name, kind in dataset.columns.items())
            connection.execute(f"CREATE TABLE found AS SELECT {typed}, tenant_id FROM ({select})")

            def part(name: str, columns: str) -> Part:
                path = self._folder / f"{dataset.name}-{month}-{name}.parquet"
                connection.execute(f"COPY (SELECT {columns}) TO '{path}' (FORMAT parquet)")
                return Part(path, 1)

            own = {one: part(one, f"* EXCLUDE (tenant_id) FROM found WHERE tenant_id = '{one}'") for one in tenants}
            fleet = part("fleet", "* FROM found")
        await self._writer.commit(dataset.name, month, run=f"r-{month}", inputs="i", tenants=own, fleet=fleet)

    @asynccontextmanager
    async def sources(self, folder: Path) -> AsyncGenerator[Sources]:
        """What the tools are given, on DuckDB."""
        reader = DatasetReader(self.bucket, clock=self._clock)
        cache = ObjectCache(folder / "cache", max_bytes=1 << 28)
        try:
            yield sources_of(reader, DuckDbEngine(reader, cache))
        finally:
            cache.close()
