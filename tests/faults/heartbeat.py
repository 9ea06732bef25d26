"""Notices when something keeps the event loop from running."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

LONGEST_GAP_SECONDS = 1.0
"""A bound on blocking, far above what an answer computes: what blocks here would block for a socket's timeout."""
_BEAT_SECONDS = 0.02


class _Gaps:
    """The longest time between two beats."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self._last = time.monotonic()

    def beat(self) -> None:
        now = time.monotonic()
        self.longest_seconds = max(self.longest_seconds, now - self._last - _BEAT_SECONDS)
        self._last = now


@asynccontextmanager
async def heartbeat() -> AsyncGenerator[None]:
    """Beat for a block: at its end the loop may not have stood still while the rest of the process ran.

    A thread beats as well: for as long as that one stood still, the machine was busy with something else.
    """
    loop, process, ended = _Gaps(), _Gaps(), threading.Event()

    async def beat_in_loop() -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            loop.beat()

    def beat_in_thread() -> None:
        while not ended.wait(_BEAT_SECONDS):
            process.beat()

    thread = threading.Thread(target=beat_in_thread, name="heartbeat")
    thread.start()
    task = asyncio.create_task(beat_in_loop())
    try:
        yield
    finally:
        task.cancel()
        ended.set()
        await asyncio.gather(task, return_exceptions=True)
        thread.join()
    blocked_seconds = loop.longest_seconds - process.longest_seconds
    assert blocked_seconds < LONGEST_GAP_SECONDS, f"the loop stood still for {loop.longest_seconds:.2f} s"
