"""A warm authorised call over HTTP: the server's CPU beside the same tool on a bare server, and its calls to STS."""

import json
from collections.abc import Iterator
from statistics import median
from typing import Any

import httpx2
from contract.calls import arguments_for
from fixtures.serving import ACCEPT, answer_of, call_of
from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool import ShownTo

from benchmarks.figures import Figure, say
from benchmarks.parts import TENANTS, floor_http, our_http, sandbox, specs
from benchmarks.stdio import cpu_seconds_of

ROUNDS, CALLS = 30, 60
ASKED = 20
MOST_TIMES_DEARER = 1.3
BODY = json.dumps(call_of("whoami")).encode()


def measure() -> Iterator[Figure]:
    """Call one and the other in turn, in short rounds; then every server's tools, for their calls to STS."""
    token = sandbox().issuer.token(TENANTS[0], "growth")
    with httpx2.Client(headers={**ACCEPT, "authorization": f"Bearer {token}"}, timeout=30) as client:
        yield from _cpu(client)
        for server in specs():
            yield _sts(client, server)


def _cpu(client: httpx2.Client) -> Iterator[Figure]:
    with (
        our_http("tenant-management", TENANTSCOPE_VALKEY_URL="") as (ours, our_url),
        our_http("tenant-management") as (counted, counted_url),
        floor_http() as (floor, floor_url),
    ):
        places = {
            "warm call": (ours.pid, our_url),
            "warm call counted in Valkey": (counted.pid, counted_url),
            "floor": (floor.pid, floor_url),
        }
        for pid, url in places.values():
            _seconds_a_call(client, pid, url, 200)
        rounds: list[dict[str, float]] = []
        for number in range(ROUNDS):
            rounds.append({name: _seconds_a_call(client, *place, CALLS) for name, place in places.items()})
            if number % 10 == 9:
                say(f"warm: {number + 1} of {ROUNDS}")
    bare = median(one["floor"] for one in rounds)
    for name in list(places)[:2]:
        seconds, ratio = median(one[name] for one in rounds), median(one[name] / one["floor"] for one in rounds)
        goal = name == "warm call"
        yield Figure(
            f"{name}, server CPU",
            f"{seconds * 1e3:.2f} ms, {ratio:.2f} x",
            f"floor {bare * 1e3:.2f} ms",
            f"<= {MOST_TIMES_DEARER} x" if goal else "",
            ratio <= MOST_TIMES_DEARER if goal else None,
        )


def _seconds_a_call(client: httpx2.Client, pid: int, url: str, calls: int) -> float:
    before = cpu_seconds_of(pid)
    for _ in range(calls):
        response = client.post(url, content=BODY)
        if response.status_code != 200 or answer_of(response)["result"].get("isError"):
            raise RuntimeError(f"the call failed: {response.text[:300]}")
    return (cpu_seconds_of(pid) - before) / calls


def _sts(client: httpx2.Client, spec: ServerSpec[Any, Any]) -> Figure:
    """Whatever the tools answer, each call is authorised, admitted and given its tenant's session first."""
    tools = [tool for tool in spec.tools if tool.shown_to is not ShownTo.PROVIDER]
    bodies = [json.dumps(call_of(tool.name, arguments_for(tool, Audience.TENANT))).encode() for tool in tools]
    with our_http(spec.name) as (_, url):
        for body in bodies:
            client.post(url, content=body)
        mark, calls = sandbox().emulator.mark(), 0
        for _ in range(ASKED):
            for body in bodies:
                client.post(url, content=body)
                calls += 1
        asked = len(sandbox().emulator.requests(mark, service="sts"))
    say(f"warm: {spec.name}, {asked} calls to STS")
    return Figure(
        f"{spec.name}: STS calls per 1,000 warm calls", f"{asked * 1_000 / calls:g}", f"{calls} calls", "0", asked == 0
    )
