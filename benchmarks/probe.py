"""Memory and time of many tenants in a process of its own, so that one way leaves nothing behind for the next."""

import asyncio
import gc
import json
import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import ROOT

SERVICES = ("s3", "dynamodb")
CREDENTIALS = {
    "aws_access_key_id": "ASIAEXAMPLE",
    "aws_secret_access_key": "example",
    "aws_session_token": "t" * 800,
}


def probe(way: str, tenants: int) -> dict[str, float]:
    """What one way takes for so many tenants: `kilobytes` and `milliseconds` a tenant, and `p50`, `p99` in µs."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.probe", way, str(tenants)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return json.loads(done.stdout)


def resident_kilobytes() -> float:
    """Memory of this process after a collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


async def vault(tenants: int) -> dict[str, float]:
    """Sessions of one vault, whose credentials come from nowhere: what is measured is what keeps them."""
    from tenantscope_core.credentials.aws import AwsClients, FrozenCredentials
    from tenantscope_core.credentials.broker import Grant, Vended
    from tenantscope_core.credentials.vault import Vault

    from benchmarks.burst import grant_of

    class Instant:
        async def prepare(self) -> None: ...

        async def assume(self, grant: Grant) -> Vended:
            made = FrozenCredentials(secrets.token_hex(10), secrets.token_hex(20), secrets.token_hex(400))
            return Vended(made, datetime.now(UTC) + timedelta(hours=1))

    clients = AwsClients(region="us-east-1")
    names = [f"tenant-{number}" for number in range(tenants)]
    async with Vault(Instant(), clients, clock=lambda: datetime.now(UTC)) as kept:
        await kept.session_for(grant_of("first"))
        before, started = resident_kilobytes(), time.perf_counter()
        for name in names:
            await kept.session_for(grant_of(name))
        milliseconds = (time.perf_counter() - started) * 1e3
        kilobytes = resident_kilobytes() - before
        order = random.Random(0)
        grants = [grant_of(order.choice(names)) for _ in range(20_000)]
        times = list[float]()
        for grant in grants:
            asked = time.perf_counter()
            await kept.session_for(grant)
            times.append(time.perf_counter() - asked)
    times.sort()
    return {
        "kilobytes": kilobytes / tenants,
        "milliseconds": milliseconds / tenants,
        "p50": times[len(times) // 2] * 1e6,
        "p99": times[len(times) * 99 // 100] * 1e6,
    }


async def each_its_session(tenants: int) -> dict[str, float]:
    """A boto3 session and its clients for every tenant."""
    import boto3

    new: Any = boto3.Session
    return _made(tenants, lambda: _clients(new(**CREDENTIALS)))


async def each_its_clients(tenants: int) -> dict[str, float]:
    """One session, and clients of its own for every tenant."""
    import boto3

    session: Any = boto3.Session()
    return _made(tenants, lambda: [session.client(name, **CREDENTIALS) for name in SERVICES])


def _clients(session: Any) -> list[Any]:
    return [session.client(name) for name in SERVICES]


def _made(tenants: int, make: Callable[[], object]) -> dict[str, float]:
    kept = [make()]
    before, started = resident_kilobytes(), time.perf_counter()
    kept += [make() for _ in range(tenants)]
    milliseconds = (time.perf_counter() - started) * 1e3
    return {"kilobytes": (resident_kilobytes() - before) / tenants, "milliseconds": milliseconds / tenants}


WAYS = {"vault": vault, "sessions": each_its_session, "clients": each_its_clients}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(WAYS[sys.argv[1]](int(sys.argv[2])))))
