"""The settings of this server."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from tenantscope_core.serving.settings import CoreSettings


class Settings(CoreSettings):
    """What every server is told, and where costs are."""

    datasets_bucket: str = Field(description="The S3 bucket of the datasets.")
    sql_engine: Literal["duckdb", "athena"] = Field(
        default="duckdb", description="What answers: DuckDB in this process, or Athena for what outgrows it."
    )
    athena_workgroup: str = Field(default="tenantscope", description="The Athena workgroup.")
    glue_database: str = Field(default="tenantscope", description="The Glue database of the datasets.")
    cache_dir: Path | None = Field(
        default=None, description="DuckDB: where fetched objects are kept; a folder of the process's own if unset."
    )
    cache_megabytes: int = Field(default=1_024, ge=16, description="DuckDB: how much of them is kept.")

    allocation_rules: Path | None = Field(default=None, description="rollup: the YAML file with the allocation rules.")
    billing_url: str | None = Field(
        default=None,
        description="rollup: the FOCUS export, `s3://…` or a file or folder; default "
        "`s3://<bucket>/raw/billing/focus/data/`.",
    )
    rollup_memory: str = Field(default="1GB", pattern=r"\d+(MB|GB)", description="rollup: memory for DuckDB.")
    rollup_threads: int = Field(default=2, ge=1, le=256, description="rollup: threads for DuckDB.")
    rollup_dir: Path | None = Field(default=None, description="rollup: a folder for copies; a temporary one if unset.")
