"""Initech comes, is served by every server at once, and years later is gone from all of them: through MCP alone."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from contract.calls import EXAMPLES, some_call
from fixtures.clock import MovingClock
from fixtures.serving import SERVERS, Served, content_of, environment_of, error_fields, serve, text_of
from fixtures.store_contents import rows_of
from mcp.types import CallToolResult
from tenant_management.company_users import Pool
from tenant_management.holdings.world import admin_valkey, keys_of, versions
from tenantscope_core.admission.standing import FRESH_FOR
from tenantscope_sandbox import Sandbox

OTHERS = ("cost-explorer", "memory", "metrics-logs", "pricing", "semantic-cache")
SWITCHED_OFF = {"tenant_suspended", "tenant_not_registered"}


@pytest.fixture(scope="module")
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture(scope="module")
async def all_six(small_company: Sandbox, clock: MovingClock) -> AsyncGenerator[dict[str, Served]]:
    """Every server, its users signed in at Cognito."""
    cognito = {
        "TENANTSCOPE_ISSUER": small_company.cognito_issuer, "TENANTSCOPE_JWKS_URL": small_company.cognito_jwks_url,
        "TENANTSCOPE_AUDIENCE": "", "TENANTSCOPE_CLIENT_IDS": small_company.outputs["AppClientId"],
        "TENANTSCOPE_PROVIDER_GROUP": "provider", "TENANTSCOPE_QUIET_SECONDS": "0.2",
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        yield {
            server.spec.name: await stack.enter_async_context(
                serve(server.spec, environment_of(server, small_company, **cognito), small_company, clock=clock)
            )
            for server in SERVERS
        }


async def ask(served: Served, token: str, tool: str, **arguments: Any) -> CallToolResult:
    async with served.client(token, mode="legacy") as client:
        return await client.call_tool(tool, arguments)


@pytest.mark.requirement("whole-life")
async def test_a_tenant_comes_is_served_everywhere_leaves_and_is_gone_everywhere(
    small_company: Sandbox, all_six: dict[str, Served], clock: MovingClock
):
    staff = small_company.cognito_tokens("ops@company.example", tenant=None, groups=("provider",))["access"]
    tenants, pool = all_six["tenant-management"], Pool(small_company)

    # "Onboard Initech on the growth plan, like Globex."
    answer = content_of(
        await ask(
            tenants, staff, "create_tenant", tenant_id="initech", name="Initech", tier="growth", like="globex",
            admin_email="peter@initech.example",
        )
    )  # fmt: skip
    assert (answer["status"], answer["workflow"]["state"]) == ("active", "done")

    # Its first user signs in, and every server knows it at once.
    peter = pool.sign_in("peter@initech.example")["access"]
    me = content_of(await ask(tenants, peter, "whoami"))
    assert (me["tenant_id"], me["tier"], me["status"]) == ("initech", "growth", "active")
    for name in OTHERS:
        result = await ask(all_six[name], peter, some_call(all_six[name].spec))
        assert not result.is_error or error_fields(result)["code"] not in SWITCHED_OFF | {"not_permitted"}, (
            name,
            result,
        )

    # It works, and leaves something everywhere.
    content_of(await ask(tenants, peter, "manage_tenant_user", action="invite", email="milton@initech.example"))
    content_of(await ask(all_six["memory"], peter, "add_events", **EXAMPLES["add_events"]))
    content_of(await ask(all_six["memory"], peter, "remember", **EXAMPLES["remember"]))
    content_of(await ask(all_six["semantic-cache"], peter, "store_answer", **EXAMPLES["store_answer"]))
    version = content_of(await ask(tenants, peter, "get_tenant"))["version"]
    changed = content_of(await ask(tenants, peter, "update_tenant_config", patch={"theme": "dark"}, version=version))
    moved = content_of(
        await ask(tenants, staff, "update_tenant", tenant_id="initech", version=changed["version"], tier="enterprise")
    )
    assert moved["effect"]["gains"] == ["webhooks"]
    assert {"name": "storage_gb", "before": 20, "after": 5} in moved["effect"]["quotas"]

    # Suspended, its calls are refused with the reason; the company may still act on it.
    await ask(tenants, staff, "set_tenant_status", tenant_id="initech", action="suspend", reason="payment_overdue")
    clock.advance(FRESH_FOR.total_seconds())
    for name in OTHERS:
        refused = await ask(all_six[name], peter, some_call(all_six[name].spec))
        assert error_fields(refused)["code"] == "tenant_suspended", name
        assert "overdue" in text_of(refused), name
    assert (
        content_of(await ask(tenants, staff, "get_tenant", tenant_id="initech"))["status_reason"] == "payment_overdue"
    )
    content_of(await ask(tenants, staff, "set_tenant_status", tenant_id="initech", action="resume"))
    clock.advance(FRESH_FOR.total_seconds())
    assert not (await ask(all_six["memory"], peter, "recall", **{"query": "flights"})).is_error

    # "Initech leaves: give them their data, then erase them everywhere."
    about = {"tenant_id": "initech", "action": "offboard"}
    tried = content_of(await ask(tenants, staff, "set_tenant_status", **about, dry_run=True))
    left = content_of(await ask(tenants, staff, "set_tenant_status", **about, confirmation=tried["confirmation"]))
    held = {line["store"]: line["held"] for line in left["receipt"]["stores"]}
    assert held["users"] == {"user": 2}
    assert held["database"]["memory.event"] == 2
    assert held["database"]["memory.record"] == 1
    assert held["database"]["semantic_cache.entry"] == 1
    assert held["objects"]["registration"] >= 1
    assert all(line["left"] == 0 for line in left["receipt"]["stores"])
    assert left["receipt"]["export"]["files"] > 5

    # Read back from every store, around the servers.
    assert rows_of(small_company, "initech") == {}
    assert [
        v for v in versions(small_company) if "/tenant_id=initech/" in v["Key"] and "exports/" not in v["Key"]
    ] == []
    assert [
        key for key in keys_of(small_company, "initech") if b":admission:" not in key and b":metering:" not in key
    ] == []
    assert pool.in_group("tenant:initech") is None
    assert [pool.get(f"{name}@initech.example") for name in ("peter", "milton")] == [None, None]
    with admin_valkey(small_company) as valkey:
        assert not [line for line in valkey.acl_list() if "ts-initech " in line]
    clock.advance(FRESH_FOR.total_seconds())
    for name, served in all_six.items():
        refused = await ask(served, peter, some_call(served.spec))
        assert error_fields(refused)["code"] == "tenant_suspended", name
