"""The registry down, slow or hanging: whose standing is known is served, and what needs its data says to come back."""

from typing import Any

import pytest
from fixtures.clock import MovingClock
from tenantscope_sandbox import Sandbox

from .conftest import Serve
from .load import KNOWN, NEW, Answer, load

DOWN: dict[str, Any] = {"service": "dynamodb", "kind": "error"}
HANGING: dict[str, Any] = {"service": "dynamodb", "kind": "hang"}
SLOW: dict[str, Any] = {"service": "dynamodb", "kind": "delay", "seconds": [0.2, 0.6]}
THROTTLED: dict[str, Any] = {
    "service": "dynamodb", "kind": "error", "status": 400, "code": "ProvisionedThroughputExceededException",
}  # fmt: skip
STALE_SECONDS = 31


def owner_of(answer: Answer) -> Any:
    return answer["tenant_id"]


@pytest.mark.requirement("degrades-by-choice")
@pytest.mark.parametrize("fault", [DOWN, HANGING, THROTTLED], ids=["down", "hanging", "throttled"])
async def test_known_tenants_are_served_while_the_registry_cannot_be_read(
    company: Sandbox, server_in: Serve, clock: MovingClock, fault: dict[str, Any]
):
    """An active tenant stays active, a new one is told when to come back, and the registry is not hammered."""
    async with server_in("tenant-management") as served:
        await load(served, KNOWN, "whoami", owner_of=owner_of, calls_each=1)
        clock.advance(STALE_SECONDS)
        mark = company.emulator.mark()
        with company.emulator.faults(fault):
            known = await load(served, [*KNOWN, *KNOWN], "whoami", owner_of=owner_of)
            attempts = len(company.emulator.requests(mark, service="dynamodb"))
            new = await load(served, NEW, "whoami", owner_of=owner_of, calls_each=1)
        assert known.outcomes() == {"ok"}
        assert attempts <= len(KNOWN) * 3 * 2  # for its standing, and for what whoami itself looks for
        assert new.outcomes() == {"unavailable"}
        after = await load(served, [*KNOWN, *NEW], "whoami", owner_of=owner_of, calls_each=1)
        assert after.outcomes() == {"ok"}


@pytest.mark.parametrize("fault", [DOWN, HANGING], ids=["down", "hanging"])
async def test_what_needs_the_registrys_data_says_to_come_back_and_other_calls_go_on(
    company: Sandbox, server_in: Serve, fault: dict[str, Any]
):
    """`get_tenant` fails with a time to retry; `whoami` of the same tenants does not wait for it."""
    async with server_in("tenant-management") as served:
        await load(served, KNOWN, "whoami", owner_of=owner_of, calls_each=1)
        with company.emulator.faults(fault):
            profiles = await load(served, KNOWN, "get_tenant", owner_of=owner_of, calls_each=1)
            views = await load(served, KNOWN, "whoami", owner_of=owner_of)
        assert profiles.outcomes() == {"unavailable"}
        assert views.outcomes() == {"ok"}
        after = await load(served, KNOWN, "get_tenant", owner_of=owner_of, calls_each=1)
        assert after.outcomes() == {"ok"}


async def test_a_slow_registry_makes_answers_late_and_never_another_tenants(company: Sandbox, server_in: Serve):
    async with server_in("tenant-management") as served:
        with company.emulator.faults(SLOW):
            storm = await load(served, [*KNOWN, *NEW], "get_tenant", owner_of=owner_of, calls_each=2)
        assert storm.outcomes() == {"ok"}


async def test_a_tenant_known_to_be_suspended_stays_suspended_while_the_registry_is_down(
    company: Sandbox, server_in: Serve, clock: MovingClock
):
    async with server_in("tenant-management") as served:
        before = await load(served, ["tundra"], "whoami", owner_of=owner_of, calls_each=1)
        clock.advance(STALE_SECONDS)
        with company.emulator.faults(DOWN):
            during = await load(served, ["tundra"] * 5, "whoami", owner_of=owner_of)
        assert before.outcomes() == during.outcomes() == {"tenant_suspended"}
