"""Blocking work on a thread that ends when the task waiting for it is cancelled."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")
_INTERRUPT_EVERY_SECONDS = 0.02


class Interrupted(Exception):
    """The work ended because it was told to."""


class Interruptible:
    """One piece of work that has an `interrupt`; the waiting task leaves only when the thread has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._interrupt: Callable[[], None] | None = None

    @contextmanager
    def running(self, interrupt: Callable[[], None]) -> Generator[None]:
        """On the thread: the part that `interrupt`, called from the event loop, ends.

        Raises:
            Interrupted: The task was cancelled before it began.
        """
        with self._lock:
            if self._cancelled:
                raise Interrupted
            self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None

    async def wait(self, work: Callable[[], T], limiter: anyio.CapacityLimiter) -> T:
        """What `work` returns or raises, from a thread of `limiter`."""
        result: list[T] = []
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._interrupt_on_cancel)
            try:
                result.append(await anyio.to_thread.run_sync(work, limiter=limiter))
            except Interrupted:
                await anyio.lowlevel.checkpoint_if_cancelled()
                raise
            except Exception as error:  # raised below, out of the group that would wrap it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return result[0]

    async def _interrupt_on_cancel(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                while self._interrupt_once():  # again and again: one that comes before the query starts is lost
                    await anyio.sleep(_INTERRUPT_EVERY_SECONDS)

    def _interrupt_once(self) -> bool:
        with self._lock:
            self._cancelled = True
            if self._interrupt is None:
                return False
            self._interrupt()
            return True
