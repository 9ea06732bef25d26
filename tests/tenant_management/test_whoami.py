"""`whoami`: who asks, what it may call, and the isolation that this session really has."""

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import pytest
from fixtures.clock import MovingClock
from fixtures.serving import SERVERS, Served, content_of, environment_of, serve, text_of
from fixtures.small_company import CROWD, as_item, registered
from tenant_management.conftest import Ask
from tenantscope_core.admission.standing import FRESH_FOR
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.own_session import NOBODYS_KEY, TRIED_FOR

pytestmark = pytest.mark.requirement("isolation-told-truly")

PROBE: dict[str, Any] = {"service": "dynamodb", "contains": NOBODYS_KEY}
ODD = CROWD[11]


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@asynccontextmanager
async def started(sandbox: Sandbox, clock: MovingClock, without: str = "", **settings: str) -> AsyncGenerator[Served]:
    """A server that has not looked at anything yet."""
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    environment = {**environment_of(server, sandbox), **settings}
    environment.pop(without, None)
    async with serve(server.spec, environment, sandbox, clock=clock) as running:
        yield running


@pytest.fixture
async def fresh(small_company: Sandbox, clock: MovingClock) -> AsyncGenerator[Served]:
    async with started(small_company, clock) as running:
        yield running


async def whoami(served: Served, token: str) -> dict[str, Any]:
    return await served.asking(token)("whoami", {})


def registry_layer(answer: dict[str, Any]) -> dict[str, Any]:
    (layer,) = [one for one in answer["isolation"] if one["layer"] == "registry"]
    return layer


@contextmanager
def kept(sandbox: Sandbox, **attributes: Any) -> Generator[None]:
    """Another record of the odd tenant, for a block."""
    dynamodb = sandbox.client("dynamodb")
    dynamodb.put_item(TableName=sandbox.table, Item=as_item(registered(ODD, **attributes)))
    try:
        yield
    finally:
        dynamodb.put_item(TableName=sandbox.table, Item=as_item(registered(ODD)))


async def test_a_tenants_caller_is_told_who_it_is_and_all_that_its_token_opens(ask: Ask, registry_server: Served):
    token = registry_server.token("acme", subject="ana", actor="agent-7")
    result = await ask("whoami", token=token)
    seen = content_of(result)
    assert (seen["audience"], seen["tenant_id"], seen["tier"], seen["subject"]) == ("tenant", "acme", "growth", "ana")
    assert seen["acting_agents"] == ["agent-7"]
    assert seen["status"] == "active"
    assert "tier_in_registry" not in seen
    assert seen["tools"] == [t.name for t in registry_server.spec.tools if t.shown_to.value in ("both", "tenant")]
    assert seen["refused"] == []
    assert seen["scopes"] == sorted(registry_server.spec.scopes)
    assert 0 < seen["expires_in_seconds"] <= 12 * 3600
    assert len(text_of(result).encode()) < 3_000


async def test_the_provider_names_no_tenant_and_is_told_what_its_sessions_reach(ask: Ask, small_company: Sandbox):
    mark = small_company.emulator.mark()
    result = await ask("whoami")
    seen = content_of(result)
    assert seen["audience"] == "provider"
    assert not {"tenant_id", "status", "tier"} & set(seen)
    assert {"list_tenants", "create_tenant", "update_tenant"} <= set(seen["tools"])
    assert "every tenant's" in registry_layer(seen)["how"]
    assert "verified" not in text_of(result)
    assert small_company.emulator.requests(mark, service="dynamodb") == []
    assert len(text_of(result).encode()) < 4_500


async def test_the_sessions_own_denial_is_what_verifies_the_registrys_layer(fresh: Served, small_company: Sandbox):
    mark = small_company.emulator.mark()
    layer = registry_layer(await whoami(fresh, fresh.token("acme")))
    assert (layer["enforced_by"], layer["verified"]) == ("cloud", True)
    asked = small_company.emulator.requests(mark, service="dynamodb")
    assert [(each["keys"], each["status"] == 200) for each in asked][-2:] == [(["acme"], True), ([NOBODYS_KEY], False)]
    assert len({each["access_key_id"] for each in asked}) == 1
    assert {each["action"] for each in asked} == {"GetItem"}


async def test_it_is_tried_once_in_minutes_and_read_once_in_half_a_minute(
    fresh: Served, small_company: Sandbox, clock: MovingClock
):
    token = fresh.token("acme")
    await whoami(fresh, token)

    async def asked_of_twenty() -> tuple[int, int]:
        """Requests for a key of nobody's, and all."""
        mark = small_company.emulator.mark()
        for _ in range(20):
            assert registry_layer(await whoami(fresh, token))["verified"] is True
        asked = small_company.emulator.requests(mark, service="dynamodb")
        return sum(each["keys"] == [NOBODYS_KEY] for each in asked), len(asked)

    assert await asked_of_twenty() == (0, 0)
    clock.advance(FRESH_FOR.total_seconds())
    assert await asked_of_twenty() == (0, 2)  # the standing that every call needs, and the record
    clock.advance(TRIED_FOR.total_seconds())
    assert await asked_of_twenty() == (1, 3)


async def test_thirty_first_calls_at_once_look_once_and_all_are_told(fresh: Served, small_company: Sandbox):
    answers: list[dict[str, Any]] = []
    token = fresh.token("globex")

    async def visit() -> None:
        answers.append(await whoami(fresh, token))

    mark = small_company.emulator.mark()
    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(visit)
    assert [registry_layer(answer).get("verified") for answer in answers] == [True] * 30
    assert sum(each["keys"] == [NOBODYS_KEY] for each in small_company.emulator.requests(mark, service="dynamodb")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 400, "code": "ProvisionedThroughputExceededException"},
        {"kind": "error", "status": 503, "code": "ServiceUnavailable"},
        {"kind": "disconnect"},
        {"kind": "hang", "seconds": 30},
    ],
    ids=["throttled", "down", "cut off", "hanging"],
)
async def test_what_could_not_be_tried_is_not_said_to_be_verified_and_the_rest_is_told(
    fresh: Served, small_company: Sandbox, fault: dict[str, Any]
):
    began = time.monotonic()
    with small_company.emulator.faults({**PROBE, **fault}):
        answer = await whoami(fresh, fresh.token("acme"))
        assert small_company.emulator.struck()[0] > 0
    assert time.monotonic() - began < 5
    layer = registry_layer(answer)
    assert layer["enforced_by"] == "cloud"
    assert "verified" not in layer
    assert answer["status"] == "active"


async def test_a_registry_that_cannot_be_read_leaves_out_what_it_would_have_said(
    fresh: Served, small_company: Sandbox, clock: MovingClock
):
    token = fresh.token("acme")
    await fresh.asking(token)("get_tenant", {})  # its standing is known from here on
    with small_company.emulator.faults({"service": "dynamodb", "kind": "error"}):
        answer = await whoami(fresh, token)
    assert not {"status", "limits", "tier_in_registry"} & set(answer)
    assert "verified" not in registry_layer(answer)
    clock.advance(10)
    assert (await whoami(fresh, token))["status"] == "active"


async def test_the_registrys_tier_and_quotas_are_told_where_they_differ_from_the_token(
    small_company: Sandbox, clock: MovingClock
):
    limits = '{"enterprise": {"per_minute": 900, "burst": 90, "concurrent": 9}}'
    async with started(small_company, clock, TENANTSCOPE_LIMITS=limits) as served:
        token = served.token(ODD)
        with kept(small_company, tier="enterprise", quotas={"users": 3}):
            answer = await whoami(served, token)
        assert (answer["tier"], answer["tier_in_registry"]) == ("growth", "enterprise")
        assert answer["limits"] == {"per_minute": 900, "burst": 90, "concurrent": 9}
        clock.advance(FRESH_FOR.total_seconds())
        with kept(small_company, tier="enterprise", quotas={"requests_per_minute": 60, "concurrent_requests": 2}):
            answer = await whoami(served, token)
        assert answer["limits"] == {"per_minute": 60, "burst": 15, "concurrent": 2}


async def test_a_tenant_just_switched_off_is_told_so_by_what_it_may_still_call(fresh: Served, small_company: Sandbox):
    token = fresh.token(ODD)
    await fresh.asking(token)("get_tenant", {})
    with kept(small_company, status="Suspended"):
        answer = await whoami(fresh, token)
    assert answer["status"] == "suspended"
    (refusal,) = answer["refused"]
    assert refusal["tools"] == answer["tools"]
    assert "suspended" in refusal["why"]


async def test_tools_that_a_token_lacks_scopes_for_are_grouped_by_what_it_lacks(fresh: Served):
    answer = await whoami(fresh, fresh.token("acme", scopes=["users:read"]))
    assert answer["tools"] == ["whoami", "list_tenant_users"]
    lacking = {refusal["why"]: refusal["tools"] for refusal in answer["refused"]}
    assert lacking["the token lacks the scope tenants:read"] == ["get_tenant", "list_tenant_resources", "list_tiers"]
    assert lacking["the token lacks the scope users:write"] == ["manage_tenant_user"]
    assert "create_tenant" not in str(answer)  # the provider's tools are none of a tenant's business


async def test_a_server_that_was_set_up_to_read_says_that_it_changes_no_tenant(
    small_company: Sandbox, clock: MovingClock
):
    async with started(small_company, clock, without="TENANTSCOPE_ADMIN_ROLE_ARN") as served:
        answer = await whoami(served, served.token(None))
    assert "create_tenant" not in answer["tools"]
    (refusal,) = answer["refused"]
    assert {"create_tenant", "update_tenant"} <= set(refusal["tools"])
    assert "that tenant's role" in str(answer["isolation"])
