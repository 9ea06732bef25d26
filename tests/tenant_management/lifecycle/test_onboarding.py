"""A tenant is taken in: the story, through MCP, on the real stores."""

from typing import Any

from fixtures.serving import Served, content_of, error_fields, text_of
from tenant_management.company_users import Pool
from tenant_management.conftest import Ask
from tenant_management.holdings.world import versions
from tenantscope_sandbox import Sandbox


async def test_initrode_is_onboarded_like_globex_and_every_step_is_reported(
    ask: Ask, registry_server: Served, small_company: Sandbox
):
    reported: list[tuple[float, float | None, str | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, total, message))

    arguments: dict[str, Any] = {
        "tenant_id": "initrode", "name": "Initrode", "tier": "growth", "like": "globex",
        "admin_email": "peter@initrode.example", "tags": {"owner": "initrode"},
    }  # fmt: skip
    async with registry_server.client(registry_server.token(None), mode="legacy") as client:
        answer = content_of(await client.call_tool("create_tenant", arguments, progress_callback=report))
    assert answer["status"] == "active", answer
    assert answer["workflow"]["state"] == "done"
    assert [message for _, _, message in reported if message]
    seen = content_of(await ask("get_tenant", tenant_id="initrode"))
    assert (seen["name"], seen["tier"], seen["tags"]) == (
        "Initrode",
        "growth",
        {"segment": "named", "owner": "initrode"},
    )
    assert seen["config"] == {"locale": "en-US", "owner": "globex"}
    again = content_of(await ask("create_tenant", **arguments))
    assert again == answer
    trail = content_of(await ask("list_audit_events", tenant_id="initrode"))
    assert trail["intact"] is True
    assert [event["action"] for event in trail["events"]] == [
        "tenant.activated", "tenant.terms_set", "tenant.onboarding_started",
    ]  # fmt: skip
    other = await ask("create_tenant", **{**arguments, "name": "Another"})
    assert error_fields(other)["code"] == "conflict"


async def test_what_fails_for_good_is_undone_and_the_id_can_be_used_again(ask: Ask, small_company: Sandbox):
    taken = next(user["Attributes"] for user in Pool(small_company).everyone() if user["Enabled"])
    email = next(each["Value"] for each in taken if each["Name"] == "email")
    arguments: dict[str, Any] = {"tenant_id": "vandelay", "name": "Vandelay", "tier": "growth", "tags": {"a": "b"}}
    failed = await ask("create_tenant", **arguments, admin_email=email)
    assert error_fields(failed)["code"] == "invalid_argument"
    assert "undone" in text_of(failed)
    assert content_of(await ask("get_tenant", tenant_id="vandelay"))["status"] == "failed"
    assert not [v for v in versions(small_company) if "/tenant_id=vandelay/" in v["Key"] and v.get("Size") is not None]
    assert Pool(small_company).in_group("tenant:vandelay") is None
    assert content_of(await ask("list_tenants", tag="a=b"))["tenants"] == []
    answer = content_of(await ask("create_tenant", **arguments, admin_email="art@vandelay.example"))
    assert answer["status"] == "active"
    trail = content_of(await ask("list_audit_events", tenant_id="vandelay"))
    assert trail["intact"] is True
    assert "tenant.onboarding_failed" in [event["action"] for event in trail["events"]]


async def test_a_request_key_goes_with_one_set_of_arguments(ask: Ask):
    arguments: dict[str, Any] = {"tenant_id": "umbrella", "name": "Umbrella", "tier": "growth", "request_key": "r-1"}
    first = content_of(await ask("create_tenant", **arguments))
    assert content_of(await ask("create_tenant", **arguments)) == first
    other = error_fields(await ask("create_tenant", **{**arguments, "name": "Umbrella Corp"}))
    assert (other["code"], other["parameter"]) == ("conflict", "request_key")
    another_key = error_fields(await ask("create_tenant", **{**arguments, "name": "U", "request_key": "r-2"}))
    assert (another_key["code"], another_key["parameter"]) == ("conflict", "tenant_id")


async def test_the_same_call_goes_on_although_its_model_has_changed_meanwhile(ask: Ask, small_company: Sandbox):
    arguments: dict[str, Any] = {"tenant_id": "soylent", "name": "Soylent", "like": "globex"}
    down = {"service": "cognito-idp", "kind": "error", "status": 500, "code": "InternalErrorException"}
    with small_company.emulator.faults(down):
        stopped = error_fields(await ask("create_tenant", **arguments))
    assert (stopped["code"], stopped["action"]) == ("unavailable", "retry_after")
    version = content_of(await ask("get_tenant", tenant_id="globex"))["version"]
    content_of(await ask("update_tenant_config", tenant_id="globex", patch={"locale": "fr-FR"}, version=version))
    answer = content_of(await ask("create_tenant", **arguments))
    assert answer["status"] == "active"
    assert content_of(await ask("get_tenant", tenant_id="soylent"))["config"]["locale"] == "en-US"
