"""A process that appends to one session until it is told otherwise, and says what was acknowledged.

Started as `python -m memory.writing <dsn> <valkey url> <writer> <count>`; prints the number of each call once answered.
"""

import asyncio
import sys
from collections.abc import Sequence

from memory.asking import Agent, Places, process
from tenantscope_core.embeddings import Purpose
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.aws import AwsCaller

SESSION = "crowded"


class NoModel:
    """A model that never answers."""

    tag = "none"
    dimensions = 384
    asymmetric = False

    async def embed(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> list[list[float]]:
        raise Unavailable("The model does not answer.")


def events_of(writer: str, number: int) -> list[dict[str, str]]:
    """The events of a writer's call: two, one keyed, one told apart by its time."""
    second = f"2026-10-05T12:{number // 60:02d}:{number % 60:02d}Z"
    return [
        {"role": "user", "text": f"{writer} {number} asks", "key": f"{writer}-{number}"},
        {"role": "assistant", "text": f"{writer} {number} answers", "at": second},
    ]


async def write(places: Places, writer: str, count: int) -> None:
    """Append, one call after the other."""
    async with process(places) as sources:
        agent = Agent(sources)
        for number in range(count):
            await agent.ask("add_events", session=SESSION, events=events_of(writer, number))
            print(number, flush=True)  # noqa: T201


if __name__ == "__main__":
    dsn, valkey_url, writer, count = sys.argv[1:]
    asyncio.run(write(Places(dsn, valkey_url, NoModel()), writer, int(count)))
