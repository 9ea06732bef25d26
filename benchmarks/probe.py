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
from typing import TYPE_CHECKING, Any

from benchmarks import ROOT

if TYPE_CHECKING:  # each way imports what it measures, and no other's weight
    from tenantscope_core.credentials.broker import Broker

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


def _instant_broker() -> "Broker":
    from tenantscope_core.credentials.aws import FrozenCredentials
    from tenantscope_core.credentials.broker import Grant, Vended

    class Instant:
        async def prepare(self) -> None: ...

        async def assume(self, grant: Grant) -> Vended:
            made = FrozenCredentials(secrets.token_hex(10), secrets.token_hex(20), secrets.token_hex(400))
            return Vended(made, datetime.now(UTC) + timedelta(hours=1))

    return Instant()


def _percentiles(times: list[float]) -> dict[str, float]:
    times.sort()
    return {"p50": times[len(times) // 2] * 1e6, "p99": times[len(times) * 99 // 100] * 1e6}


async def vault(tenants: int) -> dict[str, float]:
    """Sessions of one vault, whose credentials come from nowhere: what is measured is what keeps them."""
    from tenantscope_core.credentials.aws import AwsClients
    from tenantscope_core.credentials.vault import Vault

    from benchmarks.burst import grant_of

    clients = AwsClients(region="us-east-1")
    names = [f"tenant-{number}" for number in range(tenants)]
    async with Vault(_instant_broker(), clients, clock=lambda: datetime.now(UTC)) as kept:
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
    return {"kilobytes": kilobytes / tenants, "milliseconds": milliseconds / tenants, **_percentiles(times)}


async def calls(tenants: int) -> dict[str, float]:
    """Whole calls of as many tenants, each with its token, from verification to answer; HTTP and STS left out."""
    import httpx2
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec
    from mcp import types
    from pydantic import BaseModel
    from tenantscope_core.admission.admission import Admission
    from tenantscope_core.admission.ledger import LocalLedger
    from tenantscope_core.admission.limits import Limits, TierLimits
    from tenantscope_core.credentials.aws import AwsClients
    from tenantscope_core.credentials.vault import Vault
    from tenantscope_core.identity.claims import ClaimMap
    from tenantscope_core.identity.keys import KeySet
    from tenantscope_core.identity.verifier import TokenRules, Verifier
    from tenantscope_core.metering.calls import Meter
    from tenantscope_core.results.cursors import CursorKey
    from tenantscope_core.tool import READ, Call, ShownTo, tool
    from tenantscope_core.tool.path import Gatekeepers, Roles, ToolPath

    class Answer(BaseModel):
        tenant: str

    @tool(shown_to=ShownTo.TENANT, scopes=set(), effects=READ)
    async def who(call: Call[None]) -> Answer:
        """Whose call it is."""
        return Answer(tenant=call.one_tenant)

    private, issuer = ec.generate_private_key(ec.SECP256R1()), "http://issuer.test"
    public: Any = jwt.get_algorithm_by_name("ES256")
    jwks = {"keys": [{**public.to_jwk(private.public_key(), as_dict=True), "kid": "k", "use": "sig"}]}
    common = {"iss": issuer, "aud": "bench", "exp": time.time() + 7_200, "scope": "costs:read"}

    def token_of(name: str) -> str:
        claims = {**common, "sub": f"user@{name}", "custom:tenantId": name, "custom:tenantTier": "gold"}
        return jwt.encode(claims, private, "ES256", headers={"kid": "k"})

    def clock() -> datetime:
        return datetime.now(UTC)

    async def nothing(*_: object) -> None: ...

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=jwks)))
    keys = KeySet(issuer, jwks_url=f"{issuer}/jwks", open_http=lambda: http, clock=clock)
    verifier = Verifier(TokenRules(issuer, frozenset({"bench"})), ClaimMap(), keys, clock=clock)
    limits = TierLimits(default=Limits(per_minute=1e6, burst=100_000, concurrent=1_000))
    clients = AwsClients(region="us-east-1")
    async with Vault(_instant_broker(), clients, clock=clock) as kept:
        gate = Gatekeepers(
            admission=Admission(LocalLedger(monotonic=time.monotonic), limits),
            vault=kept,
            roles=Roles("arn:aws:iam::111122223333:role/tenant", None),
            standings=None,
            cursor_key=CursorKey(secrets.token_bytes(32)),
            clock=clock,
            provider_scope="provider",
            call_timeout_seconds=60,
        )
        path = ToolPath[None]("bench", [who], gate, None, Meter())

        async def call(token: str) -> types.CallToolResult:
            return await path.call("who", {}, identify=lambda: verifier.identify(token), report_progress=nothing)

        tokens = [token_of(f"tenant-{number}") for number in range(tenants)]
        await call(token_of("first"))
        before, started = resident_kilobytes(), time.perf_counter()
        for token in tokens:
            assert not (await call(token)).is_error
        milliseconds = (time.perf_counter() - started) * 1e3
        kilobytes = resident_kilobytes() - before
        order = random.Random(0)
        times = list[float]()
        for token in [order.choice(tokens) for _ in range(20_000)]:
            asked = time.perf_counter()
            await call(token)
            times.append(time.perf_counter() - asked)
    return {"kilobytes": kilobytes / tenants, "milliseconds": milliseconds / tenants, **_percentiles(times)}


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


WAYS = {"vault": vault, "calls": calls, "sessions": each_its_session, "clients": each_its_clients}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(WAYS[sys.argv[1]](int(sys.argv[2])))))
