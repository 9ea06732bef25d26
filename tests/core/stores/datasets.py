"""Small datasets for tests: rows of tenants, written as Parquet and committed."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from fixtures.stores import write_parquet
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.stores.schemas import Dataset

Rows = Sequence[tuple[Any, ...]]


def usage_row(day: str, metric: str, quantity: str) -> tuple[Any, ...]:
    return date.fromisoformat(day), metric, Decimal(quantity), "1"


def parts(folder: Path, dataset: Dataset, rows: Mapping[str, Rows]) -> tuple[dict[str, Part], Part]:
    """Files of each tenant, and the fleet's with all of their rows."""
    folder.mkdir(parents=True, exist_ok=True)
    tenants = {
        tenant: Part(write_parquet(folder / f"{tenant}.parquet", dataset.columns, list(own)), len(own))
        for tenant, own in rows.items()
    }
    pooled = [(*row, tenant) for tenant, own in rows.items() for row in own]
    columns = {**dataset.columns, "tenant_id": "VARCHAR"}
    return tenants, Part(write_parquet(folder / "fleet.parquet", columns, pooled), len(pooled))


async def commit(
    writer: DatasetWriter, folder: Path, dataset: Dataset, month: str, rows: Mapping[str, Rows], *, run: str = "r1"
) -> bool:
    tenants, fleet = parts(folder / f"{month}-{run}", dataset, rows)
    return await writer.commit(dataset.name, month, run=run, inputs=run, tenants=tenants, fleet=fleet)
