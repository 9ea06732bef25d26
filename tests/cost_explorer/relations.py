"""Files of datasets made by SQL, for bills that are too large to write down."""

from pathlib import Path

import duckdb
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.schemas import Dataset


def part(folder: Path, dataset: Dataset, name: str, values: str) -> Part:
    """A file of a dataset from a relation that has some of its columns."""
    path = folder / f"{name}.parquet"
    with duckdb.connect() as connection:
        known = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {values}").fetchall()}
        columns = ", ".join(
            f'CAST({f"{column}" if column in known else "NULL"} AS {kind}) AS "{column}"'
            for column, kind in {**dataset.columns, "tenant_id": "VARCHAR"}.items()
        )
        copied = connection.execute(f"COPY (SELECT {columns} FROM {values}) TO '{path}' (FORMAT parquet)")
        return Part(path, copied.fetchall()[0][0])
