"""A rollup whose S3 dies under it: no reader ever sees half a month, and running it again finishes the work."""

import asyncio
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

from fixtures.clock import MovingClock
from fixtures.serving import Served, content_of
from fixtures.small_company import COSTS, MONTHS, rollup_of
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.processes import wait_until

from .conftest import Serve
from .parts import break_part, mend_part

MONTH = MONTHS[0]
CENT = Decimal("0.01")
EXACT: dict[str | None, Decimal] = {**{tenant: cost / 2 for tenant, cost in COSTS.items()}}
EXACT[None] = sum(EXACT.values(), Decimal(10))
BEFORE = {tenant: cost.quantize(CENT) for tenant, cost in EXACT.items()}
AFTER = {tenant: (cost * 2).quantize(CENT) for tenant, cost in EXACT.items()}
LATE_TENANT = "globex"
THE_LATE_COMMIT_HANGS: dict[str, Any] = {
    "service": "s3", "action": "PutObject", "kind": "hang",
    "contains": f"datasets/allocated_cost/tenant_id={LATE_TENANT}/_manifest.json",
}  # fmt: skip
THE_MARGINS_COMMIT_HANGS = {**THE_LATE_COMMIT_HANGS, "contains": "fleet/margin/_manifest.json"}
STALE_SECONDS, READY_SECONDS = 31, 30


async def totals(served: Served, clock: MovingClock) -> dict[str | None, Decimal]:
    """What every tenant, and the provider under None, reads of the month now."""
    clock.advance(STALE_SECONDS)
    found: dict[str | None, Decimal] = {}
    for tenant in BEFORE:
        async with served.client(served.token(tenant)) as client:
            answer = content_of(await client.call_tool("get_costs", {"period": MONTH}))
        found[tenant] = Decimal(answer["costs"][0]["total"])
    return found


def has_been_committed(company: Sandbox, tenant: str, before: bytes) -> bool:
    return manifest(company, tenant) != before


def manifest(company: Sandbox, tenant: str) -> bytes:
    key = f"datasets/allocated_cost/tenant_id={tenant}/_manifest.json"
    return company.client("s3").get_object(Bucket=company.bucket, Key=key)["Body"].read()


async def rolled_up(company: Sandbox, folder: Path, price: Decimal) -> str:
    """Run the rollup to its end, and return what it said."""
    command, environment = rollup_of(company, folder, *MONTHS, price=price)
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_rollup_that_loses_s3_midway_is_run_again_and_nobody_saw_half_a_month(
    company: Sandbox, server_in: Serve, clock: MovingClock, tmp_path: Path
):
    """Each reader has the old month or the new one, the fleet the old one until all tenants are done."""
    old = {tenant: manifest(company, tenant) for tenant in COSTS}
    command, environment = rollup_of(company, tmp_path, *MONTHS, price=Decimal(2))
    async with server_in("cost-explorer", TENANTSCOPE_CALL_TIMEOUT_SECONDS="20") as served:
        assert await totals(served, clock) == BEFORE
        company.emulator.set_faults(THE_LATE_COMMIT_HANGS)
        rollup = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            others = [tenant for tenant in COSTS if tenant != LATE_TENANT]
            assert await asyncio.to_thread(
                wait_until, lambda: all(has_been_committed(company, one, old[one]) for one in others), READY_SECONDS
            )
            midway = await totals(served, clock)
            assert midway == {**AFTER, LATE_TENANT: BEFORE[LATE_TENANT], None: BEFORE[None]}
            company.emulator.checkpoint()
            await break_part(company, "aws", "down")
            said, error = await asyncio.to_thread(rollup.communicate, timeout=READY_SECONDS)
        finally:
            rollup.kill()
        assert rollup.returncode == 1
        assert "Traceback" not in said + error
        await mend_part(company, "aws", "down")
        assert await totals(served, clock) == midway
        await rolled_up(company, tmp_path, Decimal(2))
        assert await totals(served, clock) == AFTER
        assert "2 unchanged" in await rolled_up(company, tmp_path, Decimal(2))
        await rolled_up(company, tmp_path, Decimal(1))
        assert await totals(served, clock) == BEFORE


async def test_a_rollup_killed_while_it_commits_margins_is_run_again_and_does_only_what_is_left(
    company: Sandbox, server_in: Serve, clock: MovingClock, tmp_path: Path
):
    command, environment = rollup_of(company, tmp_path, *MONTHS, price=Decimal(2))

    async def costs(served: Served) -> Decimal:
        clock.advance(STALE_SECONDS)
        async with served.client(served.token(None)) as client:
            return Decimal(content_of(await client.call_tool("get_margins", {"period": MONTH}))["bill"])

    async with server_in("cost-explorer", TENANTSCOPE_CALL_TIMEOUT_SECONDS="20") as served:
        before = await costs(served)
        company.emulator.set_faults(THE_MARGINS_COMMIT_HANGS)
        rollup = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            await asyncio.to_thread(company.emulator.wait_struck, 1, READY_SECONDS)
        finally:
            rollup.kill()
            rollup.communicate()
        company.emulator.clear_faults()
        assert await costs(served) == before
        said = await rolled_up(company, tmp_path, Decimal(2))
        assert ("rollup: 2 unchanged" in said, "margins: 2 committed" in said) == (True, True)
        assert await costs(served) == 2 * before
        assert "margins: 2 unchanged" in await rolled_up(company, tmp_path, Decimal(2))
        assert "margins: 2 committed" in await rolled_up(company, tmp_path, Decimal(1))
        assert await costs(served) == before
