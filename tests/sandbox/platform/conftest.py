"""Two tenants' data in a bare sandbox, put there by the account's root."""

import pytest
from tenantscope_sandbox import Sandbox

TENANTS = ("acme", "acme_corp", "globex")


@pytest.fixture(scope="session")
def stocked(bare_sandbox: Sandbox) -> Sandbox:
    dynamodb, s3 = bare_sandbox.client("dynamodb"), bare_sandbox.client("s3")
    for tenant in TENANTS:
        item = {
            "tenantId": {"S": tenant}, "tenantName": {"S": tenant.title()}, "tenantStatus": {"S": "Active"},
            "tier": {"S": "growth"}, "recordType": {"S": "tenant"},
        }  # fmt: skip
        dynamodb.put_item(TableName=bare_sandbox.table, Item=item)
        s3.put_object(Bucket=bare_sandbox.bucket, Key=costs_key(tenant), Body=tenant.encode())
    return bare_sandbox


def costs_key(tenant: str) -> str:
    return f"datasets/allocated_cost/tenant_id={tenant}/month=2026-09/run=1/part-0.parquet"
