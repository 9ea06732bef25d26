"""What finding tenants costs among a hundred thousand, beside a thousand: requests and units of read capacity."""

import asyncio
import time
from collections.abc import Iterator, Mapping

from fixtures.many_tenants import Cost, many_tenants

from benchmarks.figures import Figure, say
from benchmarks.parts import sandbox

FEW, MANY, STEP = 1_000, 100_000, 10_000


def measure() -> Iterator[Figure]:
    """Ask the same of both."""
    few, many = asyncio.run(_asked())
    for name, cost in many.items():
        beside = f"{_told(few[name])} of {FEW:,}"
        yield Figure(f"tenants, {name}, of {MANY:,}", _told(cost), beside, "the same", cost == few[name])


async def _asked() -> tuple[Mapping[str, Cost], Mapping[str, Cost]]:
    async with many_tenants(sandbox()) as tenants:
        tenants.grow(FEW)
        few = await tenants.ask_all()
        started = time.monotonic()
        for count in range(STEP, MANY + 1, STEP):
            tenants.grow(count)
            say(f"registry: {count:,} tenants after {time.monotonic() - started:.0f} s")
        return few, await tenants.ask_all()


def _told(cost: Cost) -> str:
    return f"{cost.requests} requests, {cost.units:g} RCU"
