"""The token issuer down or hanging: cached keys serve; without any, HTTP says 503 and when to come back."""

import pytest
from fixtures.clock import MovingClock
from tenantscope_sandbox import Sandbox

from .conftest import Serve
from .load import KNOWN, NEW, Answer, load
from .parts import break_part, mend_part

KEYS_ARE_OLD_SECONDS = 11 * 60
EVERYBODY = [*KNOWN, *NEW]


def owner_of(answer: Answer) -> object:
    return answer["tenant_id"]


@pytest.mark.requirement("keys-survive")
@pytest.mark.parametrize("how", ["down", "hanging"])
async def test_cached_keys_serve_everybody_while_the_issuer_is_away(
    company: Sandbox, server_in: Serve, clock: MovingClock, how: str
):
    async with server_in("tenant-management") as served:
        await load(served, EVERYBODY, "whoami", owner_of=owner_of, calls_each=1)
        await break_part(company, "issuer", how)
        clock.advance(KEYS_ARE_OLD_SECONDS)
        storm = await load(served, EVERYBODY, "whoami", owner_of=owner_of)
        assert storm.outcomes() == {"ok"}


@pytest.mark.parametrize("how", ["down", "hanging"])
async def test_without_keys_every_call_is_told_to_come_back_and_then_is_answered(
    company: Sandbox, server_in: Serve, clock: MovingClock, how: str
):
    """A server that starts while its issuer is away answers 503 with Retry-After; 401 would be wrong of good tokens."""
    await break_part(company, "issuer", how)
    async with server_in("tenant-management") as served:
        storm = await load(served, EVERYBODY, "whoami", owner_of=owner_of, calls_each=2)
        assert {call.status for call in storm.calls} == {503}
        assert storm.outcomes() == {"unavailable"}
        await mend_part(company, "issuer", how)
        clock.advance(storm.retry_after_seconds)
        after = await load(served, EVERYBODY, "whoami", owner_of=owner_of, calls_each=1)
        assert after.outcomes() == {"ok"}


async def test_a_burst_at_a_cold_start_waits_for_the_keys_and_is_not_refused(company: Sandbox, server_in: Serve):
    """Nobody is told that its key is unknown while the first caller is still fetching the keys."""
    async with server_in("tenant-management") as served:
        storm = await load(served, EVERYBODY, "whoami", owner_of=owner_of, calls_each=1)
        assert storm.outcomes() == {"ok"}
