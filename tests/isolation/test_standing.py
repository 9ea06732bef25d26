"""The registry's switch, thrown while a tenant is being served, and its limits, changed meanwhile."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from catalogue import StandingServer
from contract.calls import arguments_for, audiences, some_call
from fixtures.clock import MovingClock
from fixtures.serving import Served, answer_of, call_of, environment_of, serve
from fixtures.small_company import CROWD, as_item, registered
from tenantscope_core.admission.standing import FRESH_FOR
from tenantscope_core.identity.caller import Audience
from tenantscope_sandbox import Sandbox


@pytest.mark.requirement("suspended-refused")
@pytest.mark.parametrize(
    "switched",
    [{"status": "Suspended"}, {"sbtaws_active": False}, {"isActive": False}],
    ids=["status", "soft delete", "soft delete of old"],
)
async def test_a_tenant_suspended_while_it_works_is_refused_soon_and_served_again_when_it_is_active(
    server: StandingServer, small_company: Sandbox, switched: dict[str, Any]
):
    """Its session at STS is still good and its registry entry still fresh; neither keeps it in for longer."""
    tenant, clock = CROWD[-1], MovingClock()
    dynamodb = small_company.client("dynamodb")

    def register(status: str = "Active", **attributes: object) -> None:
        item = as_item(registered(tenant, status, **attributes))
        dynamodb.put_item(TableName=small_company.table, Item=item)

    async with serve(server.spec, environment_of(server, small_company), small_company, clock=clock) as served:

        async def code() -> str | None:
            result = answer_of(await served.post(call_of(some_call(served.spec)), served.token(tenant)))["result"]
            return result["_meta"]["io.tenantscope/error"]["code"] if result.get("isError") else None

        try:
            assert await code() != "tenant_suspended"
            register(**switched)
            clock.advance(FRESH_FOR.total_seconds())
            assert await code() == "tenant_suspended"
            register()
            clock.advance(FRESH_FOR.total_seconds())
            assert await code() != "tenant_suspended"
        finally:
            register()


LIMITED, WIDE = "crowd-198", {"per_minute": 1e6, "burst": 100_000, "concurrent": 10_000}
LIMITS = {"default": WIDE, "tiny": {"per_minute": 0.01, "burst": 1, "concurrent": 1}}


@dataclass(frozen=True)
class Limited:
    """A server, and one tenant whose record changes while it is served."""

    served: Served
    clock: MovingClock

    def register(self, **attributes: Any) -> None:
        item = as_item(registered(LIMITED, **attributes))
        self.served.sandbox.client("dynamodb").put_item(TableName=self.served.sandbox.table, Item=item)

    async def failure(self) -> dict[str, Any]:
        """What machines are told of the failure of a call, nothing where it worked."""
        call = call_of(some_call(self.served.spec))
        result = answer_of(await self.served.post(call, self.served.token(LIMITED)))["result"]
        if not result.get("isError"):
            return {}
        return {**result["_meta"]["io.tenantscope/error"], "text": result["content"][0]["text"]}

    async def codes(self, calls: int) -> set[str | None]:
        return {(await self.failure()).get("code") for _ in range(calls)}

    def reads(self, since: int) -> int:
        """How often DynamoDB was asked by the door: whoever reads the record for itself reads more of it."""
        asked = self.served.sandbox.emulator.requests(since)
        return sum("statusReason" in json.dumps(record) for record in asked if record["action"] == "GetItem")


@asynccontextmanager
async def limited(server: StandingServer, sandbox: Sandbox) -> AsyncGenerator[Limited]:
    clock = MovingClock()
    environment = environment_of(server, sandbox, TENANTSCOPE_LIMITS=json.dumps(LIMITS))
    async with serve(server.spec, environment, sandbox, clock=clock) as served:
        tenant = Limited(served, clock)
        tenant.register()
        try:
            yield tenant
        finally:
            tenant.register()


@pytest.mark.requirement("admission-follows")
async def test_a_change_of_quota_or_tier_is_followed_within_half_a_minute_without_a_read_for_each_call(
    server: StandingServer, small_company: Sandbox
):
    async with limited(server, small_company) as tenant:
        mark = small_company.emulator.mark()
        assert "rate_limited" not in await tenant.codes(20)
        assert tenant.reads(mark) == 1
        tenant.register(quotas={"requests_per_minute": 1})
        tenant.clock.advance(FRESH_FOR.total_seconds())
        assert "rate_limited" not in await tenant.codes(1), "the call that learns of it"
        assert await tenant.codes(5) >= {"rate_limited"}
        tenant.register(quotas={"requests_per_minute": 1_000_000, "concurrent_requests": 100})
        assert await tenant.codes(5) == {"rate_limited"}
        tenant.clock.advance(FRESH_FOR.total_seconds())
        assert "rate_limited" not in await tenant.codes(20), "nobody waits out a limit that was raised"
        tenant.register(tier="tiny")
        tenant.clock.advance(FRESH_FOR.total_seconds())
        await tenant.codes(2)
        assert await tenant.codes(5) == {"rate_limited"}
        assert tenant.reads(mark) == 4


@pytest.mark.requirement("admission-follows")
async def test_a_quota_of_nothing_refuses_every_call_from_the_first_and_ends_when_it_is_raised(
    server: StandingServer, small_company: Sandbox
):
    async with limited(server, small_company) as tenant:
        tenant.register(quotas={"requests_per_minute": 0})
        for _ in range(3):
            failure = await tenant.failure()
            assert failure["code"] == "rate_limited"
            assert "quota allows no calls" in failure["text"]
            assert failure["retry_after_seconds"] == 30
        tenant.register()
        tenant.clock.advance(FRESH_FOR.total_seconds())
        assert "rate_limited" not in await tenant.codes(3)


@pytest.mark.requirement("suspended-refused")
async def test_a_suspended_tenant_is_told_why_and_the_provider_may_still_act_on_it(
    server: StandingServer, small_company: Sandbox
):
    async with limited(server, small_company) as tenant:
        tenant.register(status="Suspended", statusReason="payment_overdue")
        failure = await tenant.failure()
        assert failure["code"] == "tenant_suspended"
        assert "suspended, because a payment is overdue" in failure["text"]
        for tool in audiences(server.spec, Audience.PROVIDER):
            if tool.names_tenant != "no" and tool.effects.read_only:
                call = call_of(tool.name, {**arguments_for(tool, Audience.PROVIDER), "tenant_id": LIMITED})
                answer = answer_of(await tenant.served.post(call, tenant.served.token(None)))
                assert "tenant_suspended" not in json.dumps(answer)
