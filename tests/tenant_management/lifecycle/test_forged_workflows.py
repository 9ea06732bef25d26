"""A workflow is the provider's word: no tenant's session can write one, and one that is damaged stops no other."""

import json
from typing import Any

import pytest
from fixtures.serving import Served, content_of, error_fields
from fixtures.small_company import own_company
from isolation.layers import refused, vended
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.jobs import run_job
from tenantscope_sandbox.processes import PartFailed

TENANT = "forger"
USERS_DOWN = {"service": "cognito-idp", "kind": "error", "status": 500, "code": "InternalErrorException"}


small_company = own_company("module")  # what is there is counted here


def forged(tenant: str) -> dict[str, Any]:
    """An onboarding that would give a tenant the terms of another tier, if anybody went on with it."""
    steps: list[dict[str, Any]] = [{"name": "quotas", "state": "waiting", "at": None, "told": None, "outcome": {}}]
    flow: dict[str, Any] = {
        "kind": "onboarding", "id": "k", "digest": "d", "started": "2026-01-01T00:00:00+00:00", "by": "ops",
        "inputs": {"tier": "enterprise", "admin_email": None, "sample_data": False}, "steps": steps, "state": "running",
        "fault": None, "revision": 99, "lease_owner": None, "lease_until": None,
    }  # fmt: skip
    return {
        "tenantId": {"S": tenant}, "entry": {"S": "workflow:onboarding"}, "revision": {"N": "99"},
        "document": {"S": json.dumps(flow)}, "kind": {"S": "workflow:open"}, "kindSort": {"S": f"2026:{tenant}"},
    }  # fmt: skip


@pytest.mark.requirement("administered-by-the-provider")
async def test_a_tenants_session_cannot_write_a_workflow_of_its_own(
    ask: Ask, registry_server: Served, small_company: Sandbox
):
    content_of(await ask("create_tenant", tenant_id=TENANT, name="Forger", tier="growth"))
    item, table = forged(TENANT), small_company.outputs["JournalTable"]
    put = {"TableName": table, "Item": item}
    async with vended(registry_server, TENANT) as aws:
        await refused(aws.call("dynamodb", "put_item", **put))
        await refused(aws.call("dynamodb", "transact_write_items", TransactItems=[{"Put": put}]))
        ends_by_itself = {name: item[name] for name in ("tenantId", "entry")} | {"gone": {"N": "1"}}
        await refused(aws.call("dynamodb", "put_item", TableName=table, Item=ends_by_itself))
    assert content_of(await ask("get_tenant", tenant_id=TENANT))["tier"] == "growth"


@pytest.mark.requirement("administered-by-the-provider")
async def test_the_job_goes_on_with_others_beside_workflows_that_are_none_or_cannot_be_read(
    ask: Ask, small_company: Sandbox
):
    table, dynamodb = small_company.outputs["JournalTable"], small_company.client("dynamodb")
    hidden, elsewhere = forged("hidden"), forged("hidden") | {"entry": {"S": "workflow:other"}}
    hidden.pop("document")
    for item in (hidden, elsewhere, forged("garbled") | {"document": {"S": '{"steps": [1]}'}}):
        dynamodb.put_item(TableName=table, Item=item)
    asked = {"tenant_id": "behind", "name": "Behind", "tier": "growth"}
    with small_company.emulator.faults(USERS_DOWN):
        assert error_fields(await ask("create_tenant", **asked))["action"] == "retry_after"
    with pytest.raises(PartFailed, match="garbled: onboarding stopped"):
        run_job(small_company, "tenant-management", "resume")
    assert content_of(await ask("get_tenant", tenant_id="behind"))["status"] == "active"
    assert (
        content_of(await ask("create_tenant", tenant_id="hidden", name="Hidden", tier="growth"))["status"] == "active"
    )
