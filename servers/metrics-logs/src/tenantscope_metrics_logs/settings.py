"""The settings of this server."""

from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field
from tenantscope_core.serving.store_settings import RollupSettings

AccessLogFormat: TypeAlias = Literal["auto", "combined", "alb", "cloudfront", "api-gateway", "json"]


class Settings(RollupSettings):
    """What every server is told, where datasets are, and what tenants' metrics are called in CloudWatch."""

    activity_months: int = Field(
        default=13, ge=3, le=60, description="How many months back tenants' activity is looked at."
    )
    cloudwatch_namespace: str | None = Field(
        default=None,
        description="CloudWatch: the namespace of the metrics that tell tenants apart; unset, none is read.",
    )
    cloudwatch_tenant_dimension: str = Field(
        default="TenantId", min_length=1, description="CloudWatch: the dimension that names the tenant."
    )
    cloudwatch_requests: str = Field(default="Requests", description="CloudWatch: the metric of requests (its sum).")
    cloudwatch_errors: str | None = Field(default="Errors", description="CloudWatch: the metric of failed requests.")
    cloudwatch_throttled: str | None = Field(default=None, description="CloudWatch: that of throttled requests.")
    cloudwatch_bytes: str | None = Field(default=None, description="CloudWatch: that of bytes sent.")
    cloudwatch_latency: str | None = Field(default="Latency", description="CloudWatch: that of a request's time.")
    cloudwatch_latency_unit: Literal["Milliseconds", "Seconds"] = Field(
        default="Milliseconds", description="CloudWatch: what it counts."
    )

    access_log_rules: Path | None = Field(
        default=None, description="rollup: the YAML file that says whose a line is, and which routes are a feature."
    )
    access_log_url: str | None = Field(
        default=None,
        description="rollup: the access log, `s3://…` or a file or folder; default `s3://<bucket>/raw/access_log/`.",
    )
    access_log_format: AccessLogFormat = Field(
        default="auto", description="rollup: the log's format; recognised by its first lines if `auto`."
    )
