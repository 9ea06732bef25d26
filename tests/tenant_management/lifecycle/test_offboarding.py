"""A tenant leaves: the story, through MCP, on the real stores."""

import json
from typing import Any

from fixtures.serving import SERVERS, Served, content_of, environment_of, error_fields, serve, text_of
from tenant_management.company_users import Pool
from tenant_management.conftest import Ask
from tenant_management.holdings.world import versions
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


async def test_a_legal_hold_stops_leaving_before_it_begins_and_in_the_middle(ask: Ask, small_company: Sandbox):
    tenant = "tyrell"
    created = await onboarded(ask, tenant, admin_email="eldon@tyrell.example")
    hold = {"tenant_id": tenant, "legal_hold": True}
    held = content_of(await ask("update_tenant", **hold, version=created["version"]))
    tried = content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard", dry_run=True))
    assert tried["leaving"]["legal_hold"] is True
    assert "confirmation" not in tried
    free = {"tenant_id": tenant, "legal_hold": False}
    content_of(await ask("update_tenant", **free, version=held["version"]))
    tried = content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard", dry_run=True))

    leave = {"tenant_id": tenant, "action": "offboard", "confirmation": tried["confirmation"]}
    fault = {"service": "s3", "action": "PutObject", "kind": "error", "status": 503, "code": "SlowDown"}
    with small_company.emulator.faults(fault):
        stopped = error_fields(await ask("set_tenant_status", **leave))
    assert stopped["action"] == "retry_after"
    version = content_of(await ask("get_tenant", tenant_id=tenant))["version"]
    held = content_of(await ask("update_tenant", **hold, version=version))
    refused = await ask("set_tenant_status", **leave)
    assert error_fields(refused)["code"] == "conflict"
    assert "legal hold" in text_of(refused)
    assert Pool(small_company).in_group(f"tenant:{tenant}")
    profile = content_of(await ask("get_tenant", tenant_id=tenant))
    assert (profile["status"], profile["legal_hold"]) == ("offboarding", True)
    content_of(await ask("update_tenant", **free, version=held["version"]))
    assert content_of(await ask("set_tenant_status", **leave))["after"] == "offboarded"


async def test_a_confirmation_is_for_one_tenant_one_version_and_whoever_was_told(ask: Ask, registry_server: Served):
    created = await onboarded(ask, "wonka")
    await onboarded(ask, "slugworth")
    ana, ben = (registry_server.token(None, subject=name) for name in ("ana", "ben"))
    about = {"tenant_id": "wonka", "action": "offboard"}
    told = content_of(await ask("set_tenant_status", token=ana, **about, dry_run=True))["confirmation"]
    content_of(await ask("update_tenant", tenant_id="wonka", version=created["version"], name="Wonka Ltd"))
    for token, given in (
        (ben, {**about, "confirmation": told}),
        (ana, {**about, "tenant_id": "slugworth", "confirmation": told}),
        (ana, {**about, "confirmation": told}),  # the tenant was changed since
        (ana, {**about, "confirmation": ""}),
        (ana, about),
    ):
        fields = error_fields(await ask("set_tenant_status", token=token, **given))
        assert (fields["code"], fields["parameter"]) == ("invalid_argument", "confirmation")
    for tenant in ("wonka", "slugworth"):
        assert content_of(await ask("get_tenant", tenant_id=tenant))["status"] == "active"


async def test_what_a_tenant_takes_along_of_its_trail_is_what_it_may_see(ask: Ask, small_company: Sandbox):
    tenant, user = "tenant-that-asks", "ops-of-ours"
    version = (await onboarded(ask, tenant))["version"]
    secret = "they pay late"
    about = {"tenant_id": tenant}
    content_of(await ask("update_tenant", **about, version=version, name="Ask Ltd", note=secret))
    mine = content_of(await ask("list_audit_events", tenant))["events"]
    theirs = await ask("list_audit_events", **about)
    assert secret in text_of(theirs)
    leave = {**about, "action": "offboard"}
    told = content_of(await ask("set_tenant_status", **leave, dry_run=True))["confirmation"]
    left = content_of(await ask("set_tenant_status", **leave, confirmation=told, note=user))
    key = left["receipt"]["export"]["folder"] + "audit/audit.jsonl"
    body = small_company.client("s3").get_object(Bucket=small_company.bucket, Key=key)["Body"].read().decode()
    lines = [json.loads(line) for line in body.splitlines()]
    chain = ("digest", "previous", "hash")
    shown = [{name: value for name, value in line.items() if name not in chain} for line in lines]
    assert shown[: len(mine)] == list(reversed(mine))
    assert all(line[name] for line in lines for name in chain)
    assert secret not in body
    assert user not in body
    assert "subject" not in body
    assert "salt" not in body


async def test_a_tenant_may_leave_without_an_export(ask: Ask, small_company: Sandbox):
    await onboarded(ask, "duff")
    about = {"tenant_id": "duff", "action": "offboard", "export": False}
    tried = content_of(await ask("set_tenant_status", **about, dry_run=True))
    left = content_of(await ask("set_tenant_status", **about, confirmation=tried["confirmation"]))
    assert left["after"] == "offboarded"
    assert "export" not in left["receipt"]
    assert not [v for v in versions(small_company) if v["Key"].startswith("exports/tenant_id=duff/")]


async def test_a_server_that_is_not_set_up_for_a_store_gives_no_receipt_for_it(ask: Ask, small_company: Sandbox):
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    poorer = environment_of(server, small_company, TENANTSCOPE_QUIET_SECONDS="0", TENANTSCOPE_POSTGRES_DSN="")
    tenant = "cyberdyne"
    await onboarded(ask, tenant)
    about = {"tenant_id": tenant, "action": "offboard"}
    told = content_of(await ask("set_tenant_status", **about, dry_run=True))["confirmation"]
    with small_company.emulator.faults({"service": "s3", "action": "PutObject", "kind": "error", "status": 503}):
        assert (await ask("set_tenant_status", **about, confirmation=told)).is_error
    async with serve(server.spec, poorer, small_company) as lacking, lacking.client(lacking.token(None)) as client:
        refused = error_fields(await client.call_tool("set_tenant_status", about))
    assert refused["code"] == "not_set_up"
    assert content_of(await ask("get_tenant", tenant_id=tenant))["status"] == "offboarding"
    assert content_of(await ask("set_tenant_status", **about))["after"] == "offboarded"
