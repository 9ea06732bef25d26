"""Twenty new tenants at once while STS takes 80 ms, and what a tenant that is known feels of it."""

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from unittest import mock

import httpx2
from fixtures.serving import ACCEPT, call_of, request_of
from fixtures.sts_server import Received, Reply, StsServer, sts_server
from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker, Grant
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault
from tenantscope_sandbox.processes import free_port

from benchmarks.figures import Figure, say
from benchmarks.parts import http_server, our_http, sandbox
from benchmarks.peers import peers
from benchmarks.sts import slow_sts

RUNS, NEW, AGAIN, STS_SECONDS, MOST_SECONDS, MOST_STALL_SECONDS = 15, 20, 50, 0.08, 0.25, 0.1
HTTP_RUNS = 3
IDENTITY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}
MULTI_TENANT_PEER = "awslabs.aws-healthomics-mcp-server"
_ACTIVE = json.dumps({"Item": {"tenantStatus": {"S": "active"}}}).encode()
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


def grant_of(tenant: str) -> Grant:
    """A grant of a tenant, as a server makes them."""
    expires = datetime.now(UTC) + timedelta(hours=2)
    role = "arn:aws:iam::111122223333:role/tenant"
    return Grant("bench", role, tenant, "gold", frozenset({"costs:read"}), token_expires=expires)


def measure() -> Iterator[Figure]:
    """Burst again and again, each time with tenants that nobody has seen: first over HTTP, then in one process."""
    yield from _over_http()
    with slow_sts(STS_SECONDS) as url, mock.patch.dict(os.environ, IDENTITY):
        cold, bursts, stalls = asyncio.run(_bursts(url))
    say("burst: done")
    beside = f"STS {STS_SECONDS * 1e3:.0f} ms"
    most = f"<= {MOST_SECONDS} s"
    yield Figure(
        f"{NEW} new tenants' sessions, first of the process", f"{cold:.3f} s", beside, most, cold <= MOST_SECONDS
    )
    yield Figure(
        f"{NEW} new tenants' sessions, later", f"{median(bursts):.3f} s", beside, most, median(bursts) <= MOST_SECONDS
    )
    yield Figure(
        "known tenant during the burst, longest wait",
        f"{median(stalls) * 1e3:.1f} ms",
        "",
        f"<= {MOST_STALL_SECONDS * 1e3:.0f} ms",
        median(stalls) <= MOST_STALL_SECONDS,
    )


@dataclass(frozen=True)
class _Found:
    """Seconds of each burst, the first of the process first, and STS calls per request of known tenants."""

    bursts: list[float]
    asked: float


def _over_http() -> Iterator[Figure]:
    issuer = sandbox().issuer
    body = call_of("whoami")
    ours = asyncio.run(_measured(None, [[issuer.token(t, "growth") for t in _names(run)] for run in _runs()], body))
    yield from _figures("tenant-management", ours, is_peer=False)
    for peer in peers()[0]:
        if peer.name == MULTI_TENANT_PEER:
            # It does not verify what it is sent, so the sandbox's tokens are as good as any.
            tokens = [[issuer.token(tenant) for tenant in _names(run)] for run in _runs()]
            say(f"burst: {peer.label}")
            try:
                theirs = asyncio.run(
                    _measured((peer.command, peer.environment), tokens, request_of("initialize", HELLO))
                )
            except (RuntimeError, OSError, httpx2.HTTPError) as error:
                yield Figure(f"{peer.label}: {NEW} new tenants over HTTP", f"not measured: {error}", "", "a peer")
            else:
                yield from _figures(peer.label, theirs, is_peer=True)


def _figures(name: str, found: _Found, *, is_peer: bool) -> Iterator[Figure]:
    beside = f"STS {STS_SECONDS * 1e3:.0f} ms"
    for when, seconds in (("first of the process", found.bursts[0]), ("later", median(found.bursts[1:]))):
        yield Figure(
            f"{name}: {NEW} new tenants over HTTP, {when}",
            f"{seconds:.3f} s",
            beside,
            "a peer" if is_peer else f"<= {MOST_SECONDS} s",
            None if is_peer else seconds <= MOST_SECONDS,
        )
    yield Figure(
        f"{name}: STS calls per request of known tenants",
        f"{found.asked:g}",
        f"{AGAIN} requests",
        "a peer" if is_peer else "0",
        None if is_peer else found.asked == 0,
    )


def _runs() -> range:
    return range(HTTP_RUNS + 1)


def _names(run: int) -> list[str]:
    return [f"burst-{run}-{number}" for number in range(NEW)]


async def _measured(
    peer: tuple[Sequence[str], Any] | None, tokens: Sequence[Sequence[str]], body: dict[str, Any]
) -> _Found:
    """Bursts against a server of ours, or a peer's, whose STS is slow; then a known tenant again and again."""
    async with _waiting_sts() as sts, _served(peer, sts.url) as url, _clients() as clients:

        async def ask(client: httpx2.AsyncClient, token: str) -> None:
            answer = await client.post(url, json=body, headers={**ACCEPT, "authorization": f"Bearer {token}"})
            if answer.status_code != 200 or '"isError":true' in answer.text:
                raise RuntimeError(f"{answer.status_code} {answer.text[:200]}")

        await asyncio.gather(*(client.get(url) for client in clients), return_exceptions=True)  # connections
        bursts: list[float] = []
        for burst in tokens:
            started = time.perf_counter()
            await asyncio.gather(*(ask(client, token) for client, token in zip(clients, burst, strict=True)))
            bursts.append(time.perf_counter() - started)
        before = len(sts.sts)
        for _ in range(AGAIN):
            await ask(clients[0], tokens[-1][0])
        return _Found(bursts, (len(sts.sts) - before) / AGAIN)


@asynccontextmanager
async def _waiting_sts() -> AsyncGenerator[StsServer]:
    async def wait(_: Received) -> Reply | None:
        await asyncio.sleep(STS_SECONDS)
        return None

    async def registered(_: Received) -> Reply | None:
        return Reply(body=_ACTIVE, headers={"Content-Type": "application/x-amz-json-1.0"})

    async with sts_server(lambda: datetime.now(UTC)) as server:
        server.on_sts, server.on_s3 = wait, registered
        yield server


@asynccontextmanager
async def _clients() -> AsyncGenerator[list[httpx2.AsyncClient]]:
    clients = [httpx2.AsyncClient(timeout=30) for _ in range(NEW)]
    try:
        yield clients
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))


@asynccontextmanager
async def _served(peer: tuple[Sequence[str], Any] | None, sts_url: str) -> AsyncGenerator[str]:
    if peer is None:
        # The registry too is asked there, and answers at once: the emulator's own would take longer than STS.
        stubs = {"AWS_ENDPOINT_URL_STS": sts_url, "AWS_ENDPOINT_URL_DYNAMODB": sts_url}
        with our_http("tenant-management", **stubs) as (_, url):
            yield url
        return
    (command, env), port = peer, free_port()
    settings = {
        "MCP_TRANSPORT": "streamable-http", "MCP_HOST": "127.0.0.1", "MCP_PORT": str(port), "MCP_PATH": "/mcp",
        "MCP_MULTI_TENANT": "true", "MCP_INBOUND_AUTH": "jwt", "AWS_ENDPOINT_URL_STS": sts_url,
        "MCP_JWT_ROLE_ARN": "arn:aws:iam::111122223333:role/tenant",
    }  # fmt: skip
    with http_server(command, {**env, **settings}, port):
        yield f"http://127.0.0.1:{port}/mcp"


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
