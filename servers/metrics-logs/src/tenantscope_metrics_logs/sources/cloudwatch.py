"""CloudWatch metrics of one tenant, or of the fleet. The only place that asks CloudWatch for metrics.

IAM cannot narrow GetMetricData: AWS knows neither a resource nor a condition for it. What keeps a tenant to its own
metrics is the dimension that is added here, from the credentials of the call and from nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.results.errors import InvalidArgument, NotFound, Unavailable
from tenantscope_core.stores.aws import AwsCaller, OtherTenant

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.recent import HOUR, MEAN_MS, Points

MAX_HOURS = 336
_PERIOD_SECONDS = 3_600
_MAX_PAGES = 4


@dataclass(frozen=True, slots=True)
class MetricNames:
    """What the metrics are called in CloudWatch; None where there is no such metric.

    `of` maps our names of summed metrics to theirs. `latency_factor` makes milliseconds of what is measured.
    """

    namespace: str | None
    tenant_dimension: str
    of: Mapping[str, str | None]
    latency: str | None
    latency_factor: float = 1.0


class TenantMetrics:
    """Hourly metrics of whoever the credentials are for."""

    def __init__(self, names: MetricNames) -> None:
        self._names = names

    async def of_tenant(self, aws: AwsCaller, since: datetime, until: datetime) -> Points:
        """The metrics of the tenant whose credentials these are, in [since, until).

        Raises:
            OtherTenant: The credentials are the fleet's, so that no tenant could be asked for.
            NotFound: There are none, or this server is told of no namespace.
        """
        tenant = aws.tenant
        if tenant is None or not is_tenant_id(tenant):
            raise OtherTenant
        points = await self._hourly(aws, [{"Name": self._names.tenant_dimension, "Value": tenant}], since, until)
        if not points:
            raise NotFound(
                f"CloudWatch has no metric of {tenant} in that time; ask for more hours, or source=rollup.",
                parameter="hours",
            )
        return points

    async def of_fleet(self, aws: AwsCaller, since: datetime, until: datetime) -> Points:
        """The metrics that are published without a tenant, which CloudWatch keeps apart from those with one.

        Raises:
            OtherTenant: The credentials are a tenant's.
            NotFound: There are none, or this server is told of no namespace.
        """
        if aws.tenant is not None:
            raise OtherTenant
        points = await self._hourly(aws, [], since, until)
        if not points:
            raise NotFound(
                "CloudWatch has no metric of the whole fleet in that time. It adds nothing up over tenants: a fleet's "
                "metrics are published without the tenant's dimension. Name one tenant, or ask source=rollup.",
                parameter="source",
            )
        return points

    async def _hourly(
        self, aws: AwsCaller, dimensions: Sequence[Mapping[str, str]], since: datetime, until: datetime
    ) -> Points:
        if self._names.namespace is None:
            raise NotFound("This server is told of no CloudWatch metrics; ask with source=rollup.", parameter="source")
        if until - since > 2 * MAX_HOURS * HOUR:
            raise InvalidArgument(f"CloudWatch is asked for {MAX_HOURS} hours at the most.", parameter="hours")
        asked = list(self._queries(dimensions))
        found: dict[str, dict[datetime, float]] = {}
        position: dict[str, str] = {}
        for _ in range(_MAX_PAGES):  # 100,800 points a page, of which there can be 6,000
            page = await aws.call(
                "cloudwatch",
                "get_metric_data",
                MetricDataQueries=asked,
                StartTime=since,
                EndTime=until,
                ScanBy="TimestampAscending",
                **position,
            )
            for result in page["MetricDataResults"]:
                if result["StatusCode"] == "InternalError":
                    raise Unavailable("CloudWatch could not read a metric now; try again shortly.")
                of_metric = found.setdefault(result["Id"], {})
                of_metric |= {_hour(at): self._scaled(result["Id"], value) for at, value in _points(result)}
            if not page.get("NextToken"):
                return {name: points for name, points in found.items() if points}
            position = {"NextToken": page["NextToken"]}
        raise Unavailable("CloudWatch did not come to an end with its answer; ask for fewer hours, or again shortly.")

    def _queries(self, dimensions: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        names = self._names
        asked = [(ours, theirs, "Sum") for ours, theirs in names.of.items()]
        asked += [(metrics.P50_MS, names.latency, "p50"), (metrics.P95_MS, names.latency, "p95")]
        asked += [(MEAN_MS, names.latency, "Average")]
        return [
            {
                "Id": ours,
                "MetricStat": {
                    "Metric": {"Namespace": names.namespace, "MetricName": theirs, "Dimensions": list(dimensions)},
                    "Period": _PERIOD_SECONDS,
                    "Stat": statistic,
                },
            }
            for ours, theirs, statistic in asked
            if theirs is not None
        ]

    def _scaled(self, metric: str, value: float) -> float:
        return value * self._names.latency_factor if metric in (metrics.P50_MS, metrics.P95_MS, MEAN_MS) else value


def _points(result: Mapping[str, Any]) -> list[tuple[datetime, float]]:
    return list(zip(result["Timestamps"], result["Values"], strict=True))


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
