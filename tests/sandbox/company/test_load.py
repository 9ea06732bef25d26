"""The company has moved into a running sandbox, and moves in only once."""

import json
from datetime import UTC, datetime, timedelta

from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.company import TENANTS, load, version
from tenantscope_sandbox.company.cloudwatch import DIMENSION, NAMESPACE, log_group

MARKER = "company/_version.json"


def test_every_tenant_is_registered_and_no_other(sandbox: Sandbox) -> None:
    table = sandbox.client("dynamodb")
    for tenant in TENANTS:
        item = table.get_item(TableName=sandbox.table, Key={"tenantId": {"S": tenant.id}})["Item"]
        assert item["recordType"] == {"S": "tenant"}
    assert "Item" not in table.get_item(TableName=sandbox.table, Key={"tenantId": {"S": "initech"}})


def test_objects_lie_in_the_bucket_as_their_manifest_says(sandbox: Sandbox) -> None:
    s3 = sandbox.client("s3")
    for prefix in ("fleet/llm_usage", "datasets/llm_usage/tenant_id=acme"):
        body = s3.get_object(Bucket=sandbox.bucket, Key=f"{prefix}/_manifest.json")["Body"].read()
        (entry,) = json.loads(body)["months"]["2026-10"]["objects"]
        head = s3.head_object(Bucket=sandbox.bucket, Key=entry["key"])
        assert (head["ContentLength"], head["ETag"]) == (entry["size"], f'"{entry["etag"]}"')


def test_cloudwatch_knows_a_tenants_fortnight(sandbox: Sandbox) -> None:
    """Hourly requests by the tenant's dimension, and its own log group."""
    now = datetime.now(UTC)
    found = sandbox.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="Requests",
        Dimensions=[{"Name": DIMENSION, "Value": "acme"}],
        StartTime=now - timedelta(days=10),
        EndTime=now,
        Period=86_400,
        Statistics=["Sum"],
    )["Datapoints"]
    assert len(found) >= 9
    events = sandbox.client("logs").filter_log_events(logGroupName=log_group("acme"), limit=5)["events"]
    assert {"time", "level", "message", "feature", "status", "ms"} <= set(json.loads(events[0]["message"]))


def test_a_second_load_sends_nothing(sandbox: Sandbox) -> None:
    s3 = sandbox.client("s3")
    before = s3.get_object(Bucket=sandbox.bucket, Key=MARKER)["Body"].read()
    told = datetime.fromisoformat(json.loads(before)["logs_until"])
    said: list[str] = []
    load(sandbox, progress=said.append, clock=lambda: told + timedelta(hours=1))
    assert said == ["company: already made", "company: already loaded"]
    assert s3.get_object(Bucket=sandbox.bucket, Key=MARKER)["Body"].read() == before
    assert json.loads(before)["version"] == version()
