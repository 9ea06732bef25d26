"""The whole cloud killed under load and brought back: the same server processes answer again."""

from fixtures.clock import MovingClock
from tenantscope_sandbox import Sandbox

from .conftest import Serve
from .load import KNOWN, NEW, Answer, load
from .parts import break_part, mend_part


def owner_of(answer: Answer) -> object:
    return answer["tenant_id"]


async def test_a_killed_cloud_is_survived_and_needs_no_restart_of_ours(
    company: Sandbox, server_in: Serve, clock: MovingClock
):
    """Known tenants are answered throughout; the connections that died with it trouble nobody after."""
    async with server_in("tenant-management") as served:
        await load(served, KNOWN, "get_tenant", owner_of=owner_of, calls_each=1)
        company.emulator.checkpoint()
        await break_part(company, "aws", "down")
        views = await load(served, KNOWN, "whoami", owner_of=owner_of)
        rest = await load(served, NEW, "whoami", owner_of=owner_of)
        assert views.outcomes() == {"ok"}
        assert rest.outcomes() == {"unavailable"}
        await mend_part(company, "aws", "down")
        clock.advance(rest.retry_after_seconds)
        after = await load(served, [*KNOWN, *NEW], "get_tenant", owner_of=owner_of, calls_each=1)
        assert after.outcomes() == {"ok"}
