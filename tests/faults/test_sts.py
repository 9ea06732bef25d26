"""STS down, slow or hanging: sessions that are open serve, new ones say when to come back, and STS sees no storm."""

from typing import Any

import pytest
from fixtures.clock import MovingClock
from fixtures.small_company import CROWD
from tenantscope_sandbox import Sandbox

from .conftest import Serve
from .load import KNOWN, NEW, Answer, load

DOWN: dict[str, Any] = {"service": "sts", "kind": "error", "status": 503}
HANGING: dict[str, Any] = {"service": "sts", "kind": "hang"}
SLOW: dict[str, Any] = {"service": "sts", "kind": "delay", "seconds": [0.3, 0.8]}
THROTTLED: dict[str, Any] = {"service": "sts", "kind": "error", "status": 400, "code": "Throttling"}
ATTEMPTS = 2


def owner_of(answer: Answer) -> Any:
    return answer["tenant_id"]


@pytest.mark.requirement("sts-down")
@pytest.mark.parametrize("fault", [DOWN, HANGING, THROTTLED], ids=["down", "hanging", "throttled"])
async def test_open_sessions_serve_while_sts_gives_no_new_ones(
    company: Sandbox, server_in: Serve, clock: MovingClock, fault: dict[str, Any]
):
    """Known tenants are answered without a wait; new ones are told when to come back, and then are answered."""
    async with server_in("tenant-management") as served:
        await load(served, KNOWN, "whoami", owner_of=owner_of, calls_each=1)
        mark = company.emulator.mark()
        with company.emulator.faults(fault):
            storm = await load(
                served, [*KNOWN, *NEW], "whoami", owner_of=owner_of, calls_each=1 if fault is HANGING else 5
            )
        assert storm.outcomes(KNOWN) == {"ok"}
        assert storm.outcomes(NEW) == {"unavailable"}
        if fault is HANGING:
            assert storm.ended_before(KNOWN, NEW)
        asked = company.emulator.requests(mark, service="sts")
        assert len(asked) <= len(NEW) * ATTEMPTS * 2
        clock.advance(storm.retry_after_seconds)
        after = await load(served, [*KNOWN, *NEW], "whoami", owner_of=owner_of, calls_each=1)
        assert after.outcomes() == {"ok"}


async def test_a_slow_sts_makes_new_tenants_wait_once_and_nobody_else(company: Sandbox, server_in: Serve):
    """One call to STS for each new tenant, however many of its calls wait for it; and each gets its own answer."""
    async with server_in("tenant-management") as served:
        await load(served, KNOWN, "whoami", owner_of=owner_of, calls_each=1)
        mark = company.emulator.mark()
        with company.emulator.faults(SLOW):
            storm = await load(served, [*NEW, *NEW, *NEW, *KNOWN], "whoami", owner_of=owner_of, calls_each=1)
        assert storm.outcomes() == {"ok"}
        assert len(company.emulator.requests(mark, service="sts")) == len(NEW)
        assert storm.ended_before(KNOWN, NEW)


async def test_a_session_is_renewed_ahead_and_outlives_an_sts_that_is_down_then(
    company: Sandbox, server_in: Serve, clock: MovingClock
):
    """In the last minutes of a session calls go on; STS is asked in the background and not by every call."""
    async with server_in("tenant-management") as served:
        await load(served, KNOWN, "whoami", owner_of=owner_of, calls_each=1)
        clock.advance(3_600 - 20)
        mark = company.emulator.mark()
        with company.emulator.faults(DOWN):
            storm = await load(served, KNOWN, "whoami", owner_of=owner_of, calls_each=5)
        assert storm.outcomes() == {"ok"}
        assert len(company.emulator.requests(mark, service="sts")) <= len(KNOWN) * ATTEMPTS * 2


async def test_a_role_that_refuses_is_asked_once_and_not_by_every_call(company: Sandbox, server_in: Serve):
    """An AccessDenied of STS is remembered: 100 calls of one tenant cost one."""
    denied = {"service": "sts", "kind": "error", "status": 403, "code": "AccessDenied"}
    async with server_in("tenant-management") as served:
        mark = company.emulator.mark()
        with company.emulator.faults(denied):
            storm = await load(served, [CROWD[30]] * 20, "whoami", owner_of=owner_of, calls_each=5)
        assert storm.outcomes() == {"not_permitted"}
        assert len(company.emulator.requests(mark, service="sts")) == 1
