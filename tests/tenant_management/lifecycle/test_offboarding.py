"""A tenant leaves: the story, through MCP, on the real stores."""

from typing import Any

from fixtures.serving import content_of, error_fields, text_of
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox


async def onboarded(ask: Ask, tenant: str, **more: Any) -> dict[str, Any]:
    return content_of(await ask("create_tenant", tenant_id=tenant, name=f"{tenant} Ltd", tier="growth", **more))


async def test_a_tenant_leaves_with_a_receipt_of_what_each_store_held(ask: Ask, small_company: Sandbox):
    tenant = "hooli"
    await onboarded(ask, tenant, admin_email="gavin@hooli.example", config={"colour": "blue"}, tags={"a": "b"})
    tried = content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard", dry_run=True))
    assert (tried["before"], tried["after"], tried["changed"]) == ("active", "offboarded", False)
    assert tried["leaving"]["things"] > 0
    refused = await ask("set_tenant_status", tenant_id=tenant, action="offboard")
    assert error_fields(refused)["parameter"] == "confirmation"
    left = content_of(
        await ask("set_tenant_status", tenant_id=tenant, action="offboard", confirmation=tried["confirmation"])
    )
    assert left["after"] == "offboarded", left
    receipt = left["receipt"]
    assert {line["store"] for line in receipt["stores"]} >= {"users", "objects", "database", "cache", "registry"}
    assert all(line["left"] == 0 for line in receipt["stores"])
    assert next(line["held"] for line in receipt["stores"] if line["store"] == "users") == {"user": 1}
    again = content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard"))
    assert again["receipt"] == receipt
    trail = await ask("list_audit_events", tenant_id=tenant)
    assert content_of(trail)["intact"] is True
    assert "gavin" not in text_of(trail)
    assert "blue" not in text_of(trail)
    profile = await ask("get_tenant", tenant_id=tenant)
    assert content_of(profile)["status"] == "offboarded"
    assert "hooli Ltd" not in text_of(profile)
    back = await ask("create_tenant", tenant_id=tenant, name="Hooli again", tier="growth")
    assert error_fields(back)["code"] == "conflict"
