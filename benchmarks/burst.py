"""Twenty new tenants at once while STS takes 80 ms, and what a tenant that is known feels of it."""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from unittest import mock

from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker, Grant
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault

from benchmarks.figures import Figure, say
from benchmarks.sts import slow_sts

RUNS, NEW, STS_SECONDS, MOST_SECONDS, MOST_STALL_SECONDS = 15, 20, 0.08, 0.25, 0.1
IDENTITY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}


def grant_of(tenant: str) -> Grant:
    """A grant of a tenant, as a server makes them."""
    expires = datetime.now(UTC) + timedelta(hours=2)
    role = "arn:aws:iam::111122223333:role/tenant"
    return Grant("bench", role, tenant, "gold", frozenset({"costs:read"}), token_expires=expires)


def measure() -> Iterator[Figure]:
    """Burst again and again, each time with tenants that nobody has seen."""
    with slow_sts(STS_SECONDS) as url, mock.patch.dict(os.environ, IDENTITY):
        cold, bursts, stalls = asyncio.run(_bursts(url))
    say("burst: done")
    beside = f"STS {STS_SECONDS * 1e3:.0f} ms"
    most = f"<= {MOST_SECONDS} s"
    yield Figure(
        f"{NEW} new tenants, sessions at hand", f"{median(bursts):.3f} s", beside, most, median(bursts) <= 0.25
    )
    yield Figure(f"{NEW} new tenants, first of the process", f"{cold:.3f} s", beside, most, cold <= MOST_SECONDS)
    yield Figure(
        "known tenant during the burst, longest wait",
        f"{median(stalls) * 1e3:.1f} ms",
        "",
        f"<= {MOST_STALL_SECONDS * 1e3:.0f} ms",
        median(stalls) <= MOST_STALL_SECONDS,
    )


async def _bursts(url: str) -> tuple[float, list[float], list[float]]:
    sts = Sts(region="us-east-1", endpoint_url=url)
    broker = AssumeRoleBroker(sts, policy=lambda _: None)
    clients = AwsClients(region="us-east-1", endpoint_url=url)
    async with Vault(broker, clients, clock=lambda: datetime.now(UTC)) as vault:
        walls, stalls = list[float](), list[float]()
        known = grant_of("known")
        for run in range(RUNS + 1):
            started = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for number in range(NEW):
                    group.create_task(vault.session_for(grant_of(f"tenant-{run}-{number}")))
                waiting = group.create_task(_longest_wait(vault, known)) if run else None
            walls.append(time.perf_counter() - started)
            if waiting is not None:
                stalls.append(waiting.result())
            else:
                await vault.session_for(known)
    sts.close()
    clients.close()
    return walls[0], walls[1:], stalls


async def _longest_wait(vault: Vault, known: Grant) -> float:
    """The longest time in which a known tenant, who asks every millisecond, has no session, the loop's own included."""
    longest = 0.0
    until = time.perf_counter() + STS_SECONDS
    while (started := time.perf_counter()) < until:
        await vault.session_for(known)
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - started - 0.001)
    return longest
