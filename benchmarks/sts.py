"""STS that takes its time, in a process of its own: `python -m benchmarks.sts SECONDS` prints its URL and serves."""

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from subprocess import PIPE, Popen

from benchmarks import ROOT


async def serve(seconds: float) -> None:
    """Serve until killed, each answer so many seconds after its question."""
    from fixtures.sts_server import Received, Reply, sts_server

    async def wait(_: Received) -> Reply | None:
        await asyncio.sleep(seconds)
        return None

    async with sts_server(lambda: datetime.now(UTC)) as server:
        server.on_sts = wait
        print(server.url, flush=True)
        await asyncio.Event().wait()


@contextmanager
def slow_sts(seconds: float) -> Generator[str]:
    """The URL of such an STS, for a block."""
    process = Popen([sys.executable, "-m", "benchmarks.sts", str(seconds)], stdout=PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
