"""S3 down, slow or hanging: what was fetched still answers and says that it is stale, the rest says to come back."""

from decimal import Decimal
from typing import Any

import pytest
from fixtures.clock import MovingClock
from fixtures.small_company import COSTS
from tenantscope_sandbox import Sandbox

from .conftest import Serve
from .load import Answer, load

DOWN: dict[str, Any] = {"service": "s3", "kind": "error"}
HANGING: dict[str, Any] = {"service": "s3", "kind": "hang"}
CUT_OFF: dict[str, Any] = {"service": "s3", "kind": "disconnect"}
SLOW: dict[str, Any] = {"service": "s3", "kind": "delay", "seconds": [0.05, 0.3]}
SEEN, UNSEEN = ["acme", "globex"], ["acme_corp", "Acme-2"]
STALE_SECONDS = 31
PATIENT = {"TENANTSCOPE_CALL_TIMEOUT_SECONDS": "6"}
"""Queries take the machine's own time, and the machine may be busy."""
LATEST = {"period": "latest"}


def owner_of(answer: Answer) -> Any:
    """The tenant, whose own cost the answer has to be as well: a look-alike's rows would show."""
    tenant = answer["of"]
    (cost,) = answer["costs"]
    assert Decimal(cost["total"]) == COSTS[tenant]
    return tenant


def is_stale(answer: Answer) -> bool:
    return bool(answer["freshness"]["stale"])


@pytest.mark.requirement("degrades-by-choice")
@pytest.mark.parametrize("fault", [DOWN, HANGING, CUT_OFF], ids=["down", "hanging", "cut off"])
async def test_what_was_fetched_answers_as_stale_and_the_rest_says_to_come_back(
    company: Sandbox, server_in: Serve, clock: MovingClock, fault: dict[str, Any]
):
    """Three callers of each tenant: with cached data they are answered, without they fail in time; then all are."""
    async with server_in("cost-explorer", **PATIENT) as served:
        await load(served, SEEN, "get_costs", owner_of=owner_of, calls_each=1, arguments=LATEST)
        clock.advance(STALE_SECONDS)
        with company.emulator.faults(fault):
            storm = await load(
                served, [*SEEN, *UNSEEN] * 3, "get_costs", owner_of=owner_of, calls_each=1, arguments=LATEST
            )
        assert storm.outcomes(SEEN) == {"ok"}
        assert all(is_stale(call.answer) for call in storm.of(SEEN) if call.answer)
        assert storm.outcomes(UNSEEN) == {"unavailable"}
        clock.advance(storm.retry_after_seconds)
        after = await load(served, [*SEEN, *UNSEEN] * 3, "get_costs", owner_of=owner_of, calls_each=1, arguments=LATEST)
        assert after.outcomes() == {"ok"}
        assert not any(is_stale(call.answer) for call in after.calls if call.answer)


async def test_a_slow_s3_makes_answers_late_and_never_another_tenants(company: Sandbox, server_in: Serve):
    async with server_in("cost-explorer", **PATIENT) as served:
        with company.emulator.faults(SLOW):
            storm = await load(served, [*COSTS] * 3, "get_costs", owner_of=owner_of, calls_each=2, arguments=LATEST)
        assert storm.outcomes() == {"ok"}
