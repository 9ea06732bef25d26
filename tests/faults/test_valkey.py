"""Valkey down or hanging: limits are counted in the process meanwhile, and no call fails or waits for it."""

import asyncio
import json

import pytest
from tenantscope_sandbox import Sandbox
from valkey.asyncio import Valkey

from .conftest import Serve
from .load import KNOWN, NEW, Answer, load
from .parts import break_part, mend_part

EVERYBODY = [*KNOWN, *NEW]
BURST = 4
FEW = json.dumps({"default": {"per_minute": 0.01, "burst": BURST, "concurrent": 20}})
ASKED_AGAIN_WITHIN_SECONDS = 15


def owner_of(answer: Answer) -> object:
    return answer["tenant_id"]


async def counted_in_valkey(company: Sandbox, tenant: str) -> bool:
    """Whether the shared ledger has an account of this tenant."""
    async with Valkey.from_url(company.valkey_admin_url) as client:  # pyright: ignore[reportUnknownMemberType]
        return bool(await client.exists(f"ts:{{{tenant}}}:admission:bucket"))


@pytest.mark.requirement("degrades-by-choice")
@pytest.mark.parametrize("how", ["down", "hanging"])
async def test_calls_go_on_without_valkey_and_are_counted_there_again_when_it_is_back(
    company: Sandbox, server_in: Serve, how: str
):
    async with server_in("tenant-management") as served:
        await load(served, EVERYBODY, "whoami", owner_of=owner_of, calls_each=1)
        await break_part(company, "valkey", how)
        storm = await load(served, EVERYBODY, "whoami", owner_of=owner_of)
        assert storm.outcomes() == {"ok"}
        await mend_part(company, "valkey", how)
        async with Valkey.from_url(company.valkey_admin_url) as client:  # pyright: ignore[reportUnknownMemberType]
            await client.flushdb()  # pyright: ignore[reportUnknownMemberType]
        async with asyncio.timeout(ASKED_AGAIN_WITHIN_SECONDS):
            while not await counted_in_valkey(company, "crowd-050"):
                after = await load(served, ["crowd-050"], "whoami", owner_of=owner_of, calls_each=1)
                assert after.outcomes() == {"ok"}


@pytest.mark.requirement("degrades-by-choice")
async def test_limits_hold_in_the_process_while_valkey_is_down(company: Sandbox, server_in: Serve):
    """A tenant that calls too often is refused, and told when to come back; the others are not."""
    async with server_in("tenant-management", TENANTSCOPE_LIMITS=FEW) as served:
        await break_part(company, "valkey", "down")
        greedy = await load(served, [KNOWN[0]] * 10, "whoami", owner_of=owner_of, calls_each=1)
        others = await load(served, NEW, "whoami", owner_of=owner_of, calls_each=1)
        codes = [call.failure["code"] if call.failure else "ok" for call in greedy.calls]
        assert (codes.count("ok"), codes.count("rate_limited")) == (BURST, 10 - BURST)
        assert greedy.retry_after_seconds > 60
        assert others.outcomes() == {"ok"}
