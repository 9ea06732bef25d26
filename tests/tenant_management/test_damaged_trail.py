"""What a tenant's session can write into its trail stops nobody from acting on it, nor hides what others did."""

from typing import Any

import pytest
from fixtures.serving import Served, content_of
from isolation.layers import vended
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox

HEADS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a word": {"seq": {"S": "x"}, "hash": {"S": "x"}, "at": {"S": "x"}},
    "a time without a zone": {"seq": {"N": "1"}, "hash": {"S": "x"}, "at": {"S": "2026-01-01T00:00:00"}},
    "too large a number": {"seq": {"N": "1E30"}, "hash": {"N": "1"}, "at": {"S": "2026-01-01T00:00:00+00:00"}},
}


@pytest.mark.requirement("audited-by-name")
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_a_tenant_that_damaged_the_head_of_its_trail_can_be_suspended_all_the_same(
    ask: Ask, registry_server: Served, small_company: Sandbox, head: dict[str, Any]
):
    tenant = f"cutter{list(HEADS.values()).index(head)}"
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))
    damaged = {"tenantId": {"S": tenant}, "entry": {"S": "audit-head"}, **head}
    if not head:
        damaged["digest"] = {"S": "x"}
    async with vended(registry_server, tenant) as aws:
        await aws.call("dynamodb", "put_item", TableName=small_company.outputs["JournalTable"], Item=damaged)
    assert content_of(await ask("list_audit_events", tenant_id=tenant))["intact"] is False
    about = {"tenant_id": tenant, "action": "suspend", "reason": "security"}
    assert content_of(await ask("set_tenant_status", **about))["after"] == "suspended"
    trail = content_of(await ask("list_audit_events", tenant_id=tenant))
    assert trail["events"][0]["action"] == "tenant.suspended"


@pytest.mark.requirement("audited-by-name")
async def test_an_entry_that_cannot_be_read_hides_no_other_from_the_fleets_trail(
    ask: Ask, registry_server: Served, small_company: Sandbox
):
    tenant = "smudge"
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))
    newest = content_of(await ask("list_audit_events"))["events"][0]
    at = newest["at"].replace("Z", "+00:00")
    smudge = {
        "tenantId": {"S": tenant}, "entry": {"S": f"audit:{at}:999"}, "kind": {"S": f"audit:{at[:7]}"},
        "kindSort": {"S": f"{at}:~"},
    }  # fmt: skip
    async with vended(registry_server, tenant) as aws:
        await aws.call("dynamodb", "put_item", TableName=small_company.outputs["JournalTable"], Item=smudge)
    seen = content_of(await ask("list_audit_events"))["events"]
    assert newest["seq"] in {event["seq"] for event in seen if event["tenant_id"] == tenant}
    assert content_of(await ask("list_audit_events", tenant_id=tenant))["events"]
