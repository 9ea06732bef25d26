"""The settings of this server."""

from pathlib import Path

from pydantic import Field
from tenantscope_core.serving.store_settings import RollupSettings


class Settings(RollupSettings):
    """What every server is told, where datasets are, and what the bill is allocated by."""

    allocation_rules: Path | None = Field(default=None, description="rollup: the YAML file with the allocation rules.")
    billing_url: str | None = Field(
        default=None,
        description="rollup: the bill, a FOCUS or CUR 2.0 export with its manifests: `s3://…` or a file or folder; "
        "default `s3://<bucket>/raw/billing/focus/data/`.",
    )
