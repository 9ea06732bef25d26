"""`python -m benchmarks.soak`: fifty tenants call every tool of every server for a while; what fails and what grows.

Nothing is injected, so every error counts, but for a newcomer's who is told that nothing is known of it yet. The exit
code is 1 where there was one.
"""

import asyncio
import contextlib
import importlib
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psutil
from contract.calls import audiences, working_arguments
from fixtures.serving import ACCEPT, answer_of, call_of
from fixtures.small_company import as_item, registered
from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool import Tool
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.company import TENANTS as COMPANY
from tenantscope_sandbox.processes import free_port

from benchmarks import ROOT
from benchmarks.figures import Figure, say, table
from benchmarks.parts import NO_LIMIT, cleanup, console_script, http_server, specs

TENANTS = 50
STATE = ROOT / ".bench/sandbox"
AT_ONCE, PAUSE_SECONDS = 8, 0.1
SAY_EVERY_SECONDS = 60.0
MOST_TIMES_LARGER = 1.1
_NEWCOMER = "newcomer-"
_MEGABYTE = 1024 * 1024


@dataclass
class Running:
    """One server under load."""

    spec: ServerSpec[Any, Any]
    process: psutil.Process
    url: str
    calls: int = 0
    seconds: list[float] = field(default_factory=list[float])
    errors: Counter[str] = field(default_factory=Counter[str])

    @property
    def megabytes(self) -> float:
        """Its memory now."""
        return self.process.memory_info().rss / _MEGABYTE


class Load:
    """Calls of tenants that are chosen at random."""

    def __init__(self, client: httpx2.AsyncClient, servers: list[Running], tokens: Mapping[str, str]) -> None:
        self._client = client
        self._servers = servers
        self._tokens = tokens
        self._random = random.Random(1)

    async def warm(self) -> None:
        """Each tenant calls each tool once."""
        waiting = [(server, tool, t) for server in self._servers for tool in _tools(server.spec) for t in self._tokens]
        self._random.shuffle(waiting)

        async def work() -> None:
            while waiting:
                await self._call(*waiting.pop())

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def run(self, seconds: float) -> None:
        """Any tenant calls any tool, so many at once, each with pauses."""
        until = time.monotonic() + seconds

        async def work() -> None:
            while time.monotonic() < until:
                server = self._random.choice(self._servers)
                await self._call(server, self._random.choice(_tools(server.spec)), self._random.choice([*self._tokens]))
                await asyncio.sleep(self._random.uniform(0, 2 * PAUSE_SECONDS))

        async def tell() -> None:
            while True:
                await asyncio.sleep(SAY_EVERY_SECONDS)
                calls, wrong = (sum(s.calls for s in self._servers), sum(s.errors.total() for s in self._servers))
                memory = ", ".join(f"{server.spec.name} {server.megabytes:.0f}" for server in self._servers)
                say(f"soak: {calls:,} calls, {wrong} errors; MB: {memory}")

        telling = asyncio.create_task(tell())
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        telling.cancel()

    async def _call(self, server: Running, tool: Tool, tenant: str) -> None:
        async def ask(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
            return await self._asked(server, tenant, name, arguments)

        with contextlib.suppress(LookupError):  # counted where it came
            await ask(tool.name, await working_arguments(server.spec, tool, Audience.TENANT, ask))

    async def _asked(self, server: Running, tenant: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a call.

        Raises:
            LookupError: There is none.
        """
        headers = {**ACCEPT, "authorization": f"Bearer {self._tokens[tenant]}"}
        started = time.perf_counter()
        server.calls += 1
        try:
            response = await self._client.post(server.url, json=call_of(name, arguments), headers=headers)
            result = answer_of(response)["result"] if response.status_code == 200 else None
        except (httpx2.HTTPError, KeyError, StopIteration) as error:
            result, code = None, type(error).__name__
        else:
            code = f"HTTP {response.status_code}"
        server.seconds.append(time.perf_counter() - started)
        if result is not None and not result.get("isError"):
            return result["structuredContent"]
        if result is not None:
            code = result["_meta"]["io.tenantscope/error"]["code"]
        if code == "not_found" and tenant.startswith(_NEWCOMER):
            raise LookupError(code)
        if not server.errors[f"{name}: {code}"]:
            say(f"soak: {name} of {tenant}: {code} {'' if result is None else result['content'][0]['text'][:200]}")
        server.errors[f"{name}: {code}"] += 1
        raise LookupError(code)


def _tools(spec: ServerSpec[Any, Any]) -> list[Tool]:
    return audiences(spec, Audience.TENANT)


def main() -> int:
    """Warm up, load, and print what came of it."""
    minutes = float(os.environ.get("SOAK_MINUTES") or 30)
    with cleanup, contextlib.ExitStack() as stack:
        say("soak: making a company, which takes half a minute once")
        sandbox = stack.enter_context(Sandbox.running(STATE))
        with contextlib.redirect_stdout(sys.stderr):
            importlib.import_module("prepare").prepare(sandbox)  # examples/demo: every server's own jobs
        tokens = _tokens(sandbox)
        servers = [_started(stack, sandbox, spec) for spec in specs()]
        figures = asyncio.run(_soaked(sandbox, servers, tokens, minutes))
    print(table(figures))
    return 1 if any(server.errors for server in servers) else 0


def _tokens(sandbox: Sandbox) -> dict[str, str]:
    """A token of each tenant: those of the company that may call, and newcomers."""
    tiers = {tenant.id: str(tenant.tier) for tenant in COMPANY if tenant.status == "Active"}
    for number in range(TENANTS - len(tiers)):
        name = f"{_NEWCOMER}{number:02d}"
        sandbox.client("dynamodb").put_item(TableName=sandbox.table, Item=as_item(registered(name)))
        tiers[name] = "starter"
    return {name: sandbox.issuer.token(name, tier) for name, tier in tiers.items()}


def _started(stack: contextlib.ExitStack, sandbox: Sandbox, spec: ServerSpec[Any, Any]) -> Running:
    port = free_port()
    env = {**os.environ, **sandbox.server_env(spec.name), "TENANTSCOPE_LIMITS": NO_LIMIT}
    env |= {"TENANTSCOPE_PORT": str(port), "TENANTSCOPE_LOG_LEVEL": "ERROR"}
    process = stack.enter_context(http_server([*console_script(spec.name), "http"], env, port))
    return Running(spec, process, f"http://127.0.0.1:{port}/mcp")


async def _soaked(sandbox: Sandbox, servers: list[Running], tokens: Mapping[str, str], minutes: float) -> list[Figure]:
    limits = httpx2.Limits(max_connections=2 * AT_ONCE)
    async with httpx2.AsyncClient(timeout=60, limits=limits) as client:
        load = Load(client, servers, tokens)
        say(f"soak: {TENANTS} tenants call each tool once")
        await load.warm()
        mark, before = sandbox.emulator.mark(), [server.megabytes for server in servers]
        warming = sum(server.calls for server in servers)
        for server in servers:
            server.seconds.clear()
        say(f"soak: {warming:,} calls; mixed load for {minutes:g} minutes")
        await load.run(minutes * 60)
    asked = len(sandbox.emulator.requests(mark, service="sts"))
    return [*_figures(servers, before), _sts(asked, sum(server.calls for server in servers) - warming)]


def _figures(servers: list[Running], before: list[float]) -> list[Figure]:
    figures: list[Figure] = []
    for server, first in zip(servers, before, strict=True):
        name, now = server.spec.name, server.megabytes
        seconds = sorted(server.seconds)
        wrong = ", ".join(f"{count} x {what}" for what, count in server.errors.most_common()) or "0"
        p99 = f"p99 {seconds[len(seconds) * 99 // 100] * 1e3:.0f} ms" if seconds else ""
        figures += [
            Figure(f"{name}: errors, none injected", wrong, f"{server.calls:,} calls, {p99}", "0", not server.errors),
            Figure(
                f"{name}: memory at the end",
                f"{now:.0f} MB, {now / first:.2f} x",
                f"after warming up {first:.0f} MB",
                f"<= {MOST_TIMES_LARGER} x",
                now / first <= MOST_TIMES_LARGER,
            ),
        ]
    return figures


def _sts(asked: int, calls: int) -> Figure:
    """Sessions last an hour and are renewed before it ends, so a long soak asks again, and a short one never."""
    return Figure("STS calls once every tenant is known", str(asked), f"{calls:,} calls", "renewals alone")


if __name__ == "__main__":
    sys.exit(main())
