"""What the tools read from, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.open_datasets import open_datasets
from tenantscope_core.serving.spec import Runtime

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.settings import Settings
from tenantscope_metrics_logs.sources.activity import Activity
from tenantscope_metrics_logs.sources.cloudwatch import MetricNames, TenantMetrics
from tenantscope_metrics_logs.sources.feature_usage import Features
from tenantscope_metrics_logs.sources.usage import Usage


@dataclass(frozen=True, slots=True)
class Sources:
    """Committed usage and use of features, and CloudWatch for what is not committed yet."""

    usage: Usage
    features: Features
    activity: Activity
    cloudwatch: TenantMetrics


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    with open_datasets(runtime) as datasets:
        yield Sources(
            Usage(datasets.reader, datasets.engine),
            Features(datasets.reader, datasets.engine),
            Activity(datasets.reader, datasets.engine, months=runtime.settings.activity_months),
            TenantMetrics(metric_names(runtime.settings)),
        )


def metric_names(settings: Settings) -> MetricNames:
    """What the metrics are called in CloudWatch, as the settings say."""
    return MetricNames(
        namespace=settings.cloudwatch_namespace,
        tenant_dimension=settings.cloudwatch_tenant_dimension,
        of={
            metrics.REQUESTS: settings.cloudwatch_requests,
            metrics.ERRORS: settings.cloudwatch_errors,
            metrics.THROTTLED: settings.cloudwatch_throttled,
            metrics.BYTES: settings.cloudwatch_bytes,
        },
        latency=settings.cloudwatch_latency,
        latency_factor=1_000.0 if settings.cloudwatch_latency_unit == "Seconds" else 1.0,
    )
