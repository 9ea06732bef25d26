"""CloudWatch: whatever is asked, what leaves the process names the tenant of the credentials, and no other."""

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tenantscope_metrics_logs
from catalogue import standing_servers
from fixtures.serving import Served, content_of, environment_of, error_fields, serve
from fixtures.stores import Cloud
from isolation.layers import vended
from tenantscope_core.results.errors import InvalidArgument, NotFound, Unavailable
from tenantscope_core.stores.aws import OtherTenant
from tenantscope_metrics_logs.sources.cloudwatch import MAX_HOURS, MetricNames, TenantMetrics
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.company.cloudwatch import DIMENSION, NAMESPACE

HOUR = timedelta(hours=1)
NAMES = MetricNames(NAMESPACE, DIMENSION, {"requests": "Requests", "errors": "Errors"}, "Latency")
UNTIL = datetime(2026, 10, 5, 12, 20, tzinfo=UTC)
SINCE = UNTIL.replace(minute=0) - HOUR


def published(tenant: str, hours_back: int, requests: int, milliseconds: Sequence[float]) -> list[dict[str, Any]]:
    """What an application publishes of one hour of a tenant."""
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - hours_back * HOUR
    common = {"Dimensions": [{"Name": DIMENSION, "Value": tenant}], "Timestamp": at}
    return [
        {**common, "MetricName": "Requests", "Value": float(requests), "Unit": "Count"},
        {**common, "MetricName": "Errors", "Value": float(requests // 10), "Unit": "Count"},
        {**common, "MetricName": "Latency", "Values": list(milliseconds), "Unit": "Milliseconds"},
    ]


@pytest.fixture(scope="module")
def told(small_company: Sandbox) -> Sandbox:
    """Some hours of two tenants, in CloudWatch."""
    data = [
        *published("acme", 3, 10, [100.0, 200.0]),
        *published("acme", 2, 30, [300.0]),
        *published("acme", 27, 20, [1.0]),
        *published("globex", 3, 70_000, [9_999.0]),
    ]
    small_company.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)
    return small_company


@pytest.fixture(scope="module")
async def metrics_logs(told: Sandbox) -> AsyncGenerator[Served]:
    server = next(one for one in standing_servers() if one.spec.name == "metrics-logs")
    async with serve(server.spec, environment_of(server, told), told) as running:
        yield running


async def asked_with(
    served: Served, tenant: str | None, **arguments: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The answer of get_usage from CloudWatch, and what CloudWatch was asked for it."""
    mark = served.sandbox.emulator.mark()
    async with served.client(served.token(tenant)) as client:
        answer = content_of(await client.call_tool("get_usage", {"source": "cloudwatch", **arguments}))
    return answer, served.sandbox.emulator.requests(mark, service="monitoring")


def dimensions_of(requests: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, str]]]:
    """The dimensions of every metric asked for."""
    for request in requests:
        assert request["action"] == "GetMetricData"
        for query in request["parameters"]["MetricDataQueries"]:
            yield query["MetricStat"]["Metric"]["Dimensions"]


@pytest.mark.parametrize("arguments", [{}, {"group_by": "hour"}, {"group_by": "day", "hours": 100}], ids=str)
async def test_every_metric_that_a_tenant_asks_for_is_its_own(metrics_logs: Served, arguments: dict[str, Any]):
    answer, requests = await asked_with(metrics_logs, "acme", **arguments)
    assert answer["of"] == "acme"
    asked = list(dimensions_of(requests))
    assert asked
    assert all(one == [{"Name": DIMENSION, "Value": "acme"}] for one in asked)
    assert all("metrics-logs" in request["principal"] for request in requests)


async def test_the_figures_are_the_tenants_own(metrics_logs: Served):
    answer, _ = await asked_with(metrics_logs, "acme")
    total = answer["total"]
    assert (total["requests"], total["errors"], total["error_percent"]) == (40, 4, 10.0)
    assert (total["mean_ms"], total["p95_ms"]) == (262.5, 300.0)
    assert "p95_ms_worst" not in total
    assert answer["before"]["requests"] == 20
    assert "CloudWatch" in answer["how"]["users"]


async def test_the_provider_that_names_a_tenant_asks_for_it_alone(metrics_logs: Served):
    answer, requests = await asked_with(metrics_logs, None, tenant_id="globex")
    assert (answer["of"], answer["total"]["requests"]) == ("globex", 70_000)
    assert all(one == [{"Name": DIMENSION, "Value": "globex"}] for one in dimensions_of(requests))


async def test_the_fleet_is_asked_for_without_a_tenant_and_by_the_providers_role_alone(metrics_logs: Served):
    _, requests = await asked_with(metrics_logs, None)
    assert list(dimensions_of(requests)) == [[]] * 5
    assert all(request["principal"].count("provider") for request in requests)


@pytest.mark.requirement("filter-holds-alone")
async def test_iam_would_give_another_tenants_metrics_and_the_tool_does_not_ask(metrics_logs: Served):
    """AWS knows no resource and no condition for GetMetricData: with acme's own session, globex's metrics come."""
    now = datetime.now(UTC)
    query = {
        "Id": "requests",
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE, "MetricName": "Requests", "Dimensions": [{"Name": DIMENSION, "Value": "globex"}]
            },
            "Period": 3_600, "Stat": "Sum",
        },
    }  # fmt: skip
    async with vended(metrics_logs) as aws:
        open_to_all = await aws.call(
            "cloudwatch", "get_metric_data", MetricDataQueries=[query], StartTime=now - 24 * HOUR, EndTime=now
        )
    assert open_to_all["MetricDataResults"][0]["Values"] == [70_000.0]
    for arguments in ({}, {"group_by": "hour"}, {"hours": MAX_HOURS}):
        answer, _ = await asked_with(metrics_logs, "acme", **arguments)
        assert answer["total"]["requests"] < 70_000


async def test_a_tenant_without_metrics_is_told_so(metrics_logs: Served):
    async with metrics_logs.client(metrics_logs.token("Acme-2")) as client:
        fields = error_fields(await client.call_tool("get_usage", {"source": "cloudwatch"}))
    assert (fields["code"], fields["parameter"]) == ("not_found", "hours")


async def test_the_choke_point_refuses_credentials_that_are_not_for_the_question(cloud: Cloud):
    metrics, tenant, fleet = TenantMetrics(NAMES), cloud.tenant("acme"), cloud.fleet()
    with pytest.raises(OtherTenant):
        await metrics.of_fleet(tenant, SINCE, UNTIL)
    with pytest.raises(OtherTenant):
        await metrics.of_tenant(fleet, SINCE, UNTIL)
    with pytest.raises(InvalidArgument):
        await metrics.of_tenant(tenant, UNTIL - 3 * MAX_HOURS * HOUR, UNTIL)
    assert tenant.calls == fleet.calls == []


def test_no_other_module_of_the_server_asks_cloudwatch():
    sources = Path(tenantscope_metrics_logs.__file__).parent
    asking = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*.py")
        if any(word in path.read_text() for word in ('"cloudwatch",', "get_metric_", "list_metrics"))
    }
    assert asking - {"tools/get_usage.py", "models.py", "usage_report.py"} == {"sources/cloudwatch.py"}


class Paging:
    """CloudWatch's own shape of an answer in pages, which the emulator never gives; `pages` of one hour each."""

    tenant = "acme"

    def __init__(self, pages: int, status: str = "Complete") -> None:
        self._pages = pages
        self._status = status

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        page = int(parameters.get("NextToken", "0"))
        result = {
            "Id": "requests", "Label": "Requests", "Timestamps": [SINCE + page * HOUR], "Values": [1.0],
            "StatusCode": self._status,
        }  # fmt: skip
        more = {"NextToken": str(page + 1)} if page + 1 < self._pages else {}
        return {"MetricDataResults": [result], "Messages": [], **more}


async def test_pages_are_put_together_and_an_answer_without_end_is_given_up():
    points = await TenantMetrics(NAMES).of_tenant(Paging(3), SINCE, UNTIL)
    assert list(points["requests"].values()) == [1.0, 1.0, 1.0]
    with pytest.raises(Unavailable):
        await TenantMetrics(NAMES).of_tenant(Paging(1_000), SINCE, UNTIL)
    with pytest.raises(Unavailable):
        await TenantMetrics(NAMES).of_tenant(Paging(1, "InternalError"), SINCE, UNTIL)


async def test_a_fleet_that_publishes_nothing_without_a_tenant_is_told_what_to_do(cloud: Cloud):
    with pytest.raises(NotFound, match="without the tenant's dimension"):
        await TenantMetrics(NAMES).of_fleet(cloud.fleet(), SINCE, UNTIL)


async def test_seconds_are_told_as_milliseconds(cloud: Cloud):
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    datum = {"MetricName": "Time", "Dimensions": [{"Name": "T", "Value": "acme"}], "Timestamp": at, "Values": [0.25]}
    cloud.client("cloudwatch").put_metric_data(Namespace="Seconds", MetricData=[datum])
    names = MetricNames("Seconds", "T", {}, "Time", 1_000.0)
    acme = cloud.tenant("acme")
    allowed = {"Effect": "Allow", "Action": "cloudwatch:GetMetricData", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    cloud.client("iam").put_user_policy(UserName="tenant-acme", PolicyName="metrics", PolicyDocument=document)
    points = await TenantMetrics(names).of_tenant(acme, at, at + HOUR)
    assert {name: list(of.values()) for name, of in points.items()} == {
        "p50_ms": [250.0], "p95_ms": [250.0], "mean_ms": [250.0],
    }  # fmt: skip
