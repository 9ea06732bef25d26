"""Blocking botocore calls on worker threads: bounded in number, in time and in retries, and cancellable at once."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio import to_thread

from tenantscope_core.credentials.errors import AwsError, Fault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of the calls to one service; `deadline_seconds` spans every attempt of one call."""

    deadline_seconds: float = 20.0
    connect_seconds: float = 2.0
    read_seconds: float = 10.0
    attempts: int = 3
    backoff_seconds: float = 0.1
    longest_backoff_seconds: float = 2.0
    concurrent: int = 32


class Workers:
    """The threads of one service, so that one slow service never takes another's.

    A call that is cancelled or past its deadline returns at once; its thread ends with its socket's timeout, and until
    then still counts against `concurrent`, so that abandoned threads cannot pile up.
    """

    def __init__(self, limits: CallLimits, *, random: Callable[[], float]) -> None:
        self._limits = limits
        self._random = random
        self._slots = anyio.CapacityLimiter(limits.concurrent)

    @property
    def busy(self) -> int:
        """How many threads are at work, abandoned ones among them."""
        return self._slots.statistics().borrowed_tokens

    async def run(self, operation: str, function: Callable[[], T]) -> T:
        """What `function` returns, after as many attempts as the limits allow.

        Raises:
            AwsError: As `function` raised it last, or `Timeout`.
        """
        try:
            with anyio.fail_after(self._limits.deadline_seconds):
                return await self._attempt_repeatedly(function)
        except TimeoutError:
            raise AwsError("Timeout", operation, Fault.UNREACHABLE) from None

    async def _attempt_repeatedly(self, function: Callable[[], T]) -> T:
        backoff = self._limits.backoff_seconds
        for _ in range(self._limits.attempts - 1):
            try:
                return await self._on_thread(function)
            except AwsError as error:
                if not error.retryable:
                    raise
            await anyio.sleep(backoff * (0.5 + self._random() / 2))
            backoff = min(backoff * 2, self._limits.longest_backoff_seconds)
        return await self._on_thread(function)

    async def _on_thread(self, function: Callable[[], T]) -> T:
        slot = _Slot(self._slots, asyncio.get_running_loop())
        await self._slots.acquire_on_behalf_of(slot)
        try:
            # The slot bounds the threads: anyio's own limiter would let go of a thread that is merely abandoned.
            return await to_thread.run_sync(
                slot.work, function, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
            )
        finally:
            slot.leave()


class _Slot:
    """One borrowed slot, given back when both the waiting task and the thread are done with it."""

    def __init__(self, slots: anyio.CapacityLimiter, loop: asyncio.AbstractEventLoop) -> None:
        self._slots = slots
        self._loop = loop
        self._lock = threading.Lock()
        self._working = False
        self._left = False

    def work(self, function: Callable[[], T]) -> T:
        """Run on the thread."""
        with self._lock:
            if self._left:
                raise AwsError("Timeout", "abandoned", Fault.UNREACHABLE)
            self._working = True
        try:
            return function()
        finally:
            with self._lock:
                self._working = False
                abandoned = self._left
            if abandoned:
                with contextlib.suppress(RuntimeError):  # the loop is closed, and its slots with it
                    self._loop.call_soon_threadsafe(self._slots.release_on_behalf_of, self)

    def leave(self) -> None:
        """Called by the task that waited, whatever came of it."""
        with self._lock:
            self._left = True
            working = self._working
        if not working:
            self._slots.release_on_behalf_of(self)
