"""A warm authorised call over HTTP: the server's CPU beside the same tool on a bare server, and its calls to STS."""

import json
from collections.abc import Iterator
from statistics import median

import httpx2
import psutil
from fixtures.serving import ACCEPT, answer_of, call_of

from benchmarks.figures import Figure, say
from benchmarks.parts import TENANTS, floor_http, our_http, sandbox

ROUNDS, CALLS = 5, 300
MOST_TIMES_DEARER = 1.3
BODY = json.dumps(call_of("whoami")).encode()


def measure() -> Iterator[Figure]:
    """Call one and the other in turn."""
    token = sandbox().issuer.token(TENANTS[0], "growth")
    alone = {"TENANTSCOPE_VALKEY_URL": ""}
    with (
        our_http("tenant-management", **alone) as (ours, our_url),
        our_http("tenant-management") as (counted, counted_url),
        floor_http() as (floor, floor_url),
        httpx2.Client(headers={**ACCEPT, "authorization": f"Bearer {token}"}, timeout=30) as client,
    ):
        places = {"ours": (ours, our_url), "with Valkey": (counted, counted_url), "floor": (floor, floor_url)}
        for process, url in places.values():
            _microseconds_a_call(client, process, url, 100)
        mark = sandbox().emulator.mark()
        found: dict[str, list[float]] = {name: [] for name in places}
        for number in range(ROUNDS):
            for name, (process, url) in places.items():
                found[name].append(_microseconds_a_call(client, process, url, CALLS))
            say(f"warm: {number + 1} of {ROUNDS}")
        asked = len(sandbox().emulator.requests(mark, service="sts"))
    cost = {name: median(values) for name, values in found.items()}
    ratio = cost["ours"] / cost["floor"]
    beside = f"floor {cost['floor'] / 1e3:.2f} ms"
    goal = f"<= {MOST_TIMES_DEARER} x"
    yield Figure(
        "warm call, server CPU",
        f"{cost['ours'] / 1e3:.2f} ms, {ratio:.2f} x",
        beside,
        goal,
        ratio <= MOST_TIMES_DEARER,
    )
    yield Figure(
        "warm call counted in Valkey, server CPU",
        f"{cost['with Valkey'] / 1e3:.2f} ms, {cost['with Valkey'] / cost['floor']:.2f} x",
        beside,
    )
    calls = 2 * ROUNDS * CALLS
    yield Figure("STS calls per 1,000 warm calls", f"{asked * 1_000 / calls:g}", f"{calls:,} calls", "0", asked == 0)


def _microseconds_a_call(client: httpx2.Client, process: psutil.Process, url: str, calls: int) -> float:
    before = process.cpu_times()
    for _ in range(calls):
        response = client.post(url, content=BODY)
        if response.status_code != 200 or answer_of(response)["result"].get("isError"):
            raise RuntimeError(f"the call failed: {response.text[:300]}")
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / calls * 1e6
