"""The Glue tables through which Athena sees the datasets: partitions by projection, so that no crawler is needed."""

from typing import Any

from tenantscope_core.stores import layout
from tenantscope_core.stores.schemas import Dataset


def glue_table(dataset: Dataset, bucket: str, *, fleet: bool) -> dict[str, Any]:
    """The `TableInput` of a dataset, by tenant or for the fleet.

    Every partition key is injected: a query has to name its tenant, month and run, so none can read by accident what
    its manifest does not name.
    """
    keys = ["month", "run"] if fleet else ["tenant_id", "month", "run"]
    folder = f"s3://{bucket}/{layout.prefix(dataset.name, None) if fleet else f'datasets/{dataset.name}/'}"
    columns = {**dataset.columns, "tenant_id": "VARCHAR"} if fleet else dataset.columns
    return {
        "Name": f"fleet_{dataset.name}" if fleet else dataset.name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in keys],
        "StorageDescriptor": {
            "Columns": [{"Name": name.lower(), "Type": _hive_type(kind)} for name, kind in columns.items()],
            "Location": folder,
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
        },
        "Parameters": {
            "classification": "parquet",
            "projection.enabled": "true",
            **{f"projection.{key}.type": "injected" for key in keys},
            "storage.location.template": folder + "".join(f"{key}=${{{key}}}/" for key in keys),
        },
    }


def _hive_type(kind: str) -> str:
    return "string" if kind == "VARCHAR" else kind.lower()
