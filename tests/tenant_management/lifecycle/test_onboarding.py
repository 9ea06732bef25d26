"""A tenant is taken in: the story, through MCP, on the real stores."""

from typing import Any

from fixtures.serving import Served, content_of, error_fields
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox


async def test_initech_is_onboarded_like_globex_and_every_step_is_reported(
    ask: Ask, registry_server: Served, small_company: Sandbox
):
    reported: list[tuple[float, float | None, str | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, total, message))

    arguments: dict[str, Any] = {
        "tenant_id": "initech", "name": "Initech", "tier": "growth", "like": "globex",
        "admin_email": "peter@initech.example", "tags": {"owner": "initech"},
    }  # fmt: skip
    async with registry_server.client(registry_server.token(None), mode="legacy") as client:
        answer = content_of(await client.call_tool("create_tenant", arguments, progress_callback=report))
    assert answer["status"] == "active", answer
    assert answer["workflow"]["state"] == "done"
    assert [message for _, _, message in reported if message]
    seen = content_of(await ask("get_tenant", tenant_id="initech"))
    assert (seen["name"], seen["tier"], seen["tags"]) == ("Initech", "growth", {"segment": "named", "owner": "initech"})
    assert seen["config"] == {"locale": "en-US", "owner": "globex"}
    again = content_of(await ask("create_tenant", **arguments))
    assert again == answer
    trail = content_of(await ask("list_audit_events", tenant_id="initech"))
    assert trail["intact"] is True
    assert [event["action"] for event in trail["events"]] == [
        "tenant.activated", "tenant.terms_set", "tenant.onboarding_started",
    ]  # fmt: skip
    other = await ask("create_tenant", **{**arguments, "name": "Another"})
    assert error_fields(other)["code"] == "conflict"
