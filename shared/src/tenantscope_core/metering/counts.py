"""Tells Valkey every few seconds what was counted, and never lets a call wait for it or fail."""

import asyncio
import functools
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import anyio

from tenantscope_core.metering.calls import CallRecord
from tenantscope_core.metering.tally import Tallies, Tally
from tenantscope_core.results.errors import Unavailable

if TYPE_CHECKING:
    from tenantscope_core.stores.valkey import ValkeyStore

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
REST_SECONDS = 5.0
"""After a failure, before it is tried again."""
FLUSH_SECONDS = 2.0
"""The longest that telling takes, at the end of the process too."""
MAX_TENANTS = 10_000
_AT_ONCE = 100
_AGAIN_SECONDS = 0.5
"""Until what was cancelled and did not end is cancelled again."""


class UseCounts:
    """Counts calls per tenant in this process and adds them up in Valkey, some seconds later.

    While Valkey is down, counts are kept and told later: those of up to `max_tenants`, beside as many that were being
    told when it went; calls of further tenants are not counted, and the log says how many. A process that ends without
    being asked to loses what it has not told yet. `process` names it among all processes.
    """

    def __init__(
        self,
        open_store: Callable[[], "ValkeyStore"],
        *,
        process: str,
        clock: Callable[[], datetime],
        max_tenants: int = MAX_TENANTS,
    ) -> None:
        self._store = functools.cache(open_store)
        self._process = process
        self._clock = clock
        self._waiting = Tallies(max_tenants)
        self._telling: list[tuple[str, Tally]] = []
        self._batch = 0
        self._failed = False
        self._something = asyncio.Event()

    def count(self, record: CallRecord) -> None:
        """Count a call that has ended; at once, for the call waits for it."""
        self._waiting.add(record, self._clock())
        if len(self._waiting):
            self._something.set()

    async def keep_telling(self, *, every_seconds: float = EVERY_SECONDS, rest_seconds: float = REST_SECONDS) -> None:
        """Tell what is counted, until cancelled; while nothing is, nothing happens."""
        while True:
            await self._something.wait()
            await asyncio.sleep(every_seconds)
            if not await self.tell():
                await asyncio.sleep(rest_seconds)

    async def tell(self) -> bool:
        """Tell all that was counted until now; False where Valkey did not take it all, and it is kept."""
        try:
            with anyio.fail_after(FLUSH_SECONDS):
                await self._tell_batch()  # of an attempt that failed
                self._begin_batch()
                await self._tell_batch()
        except (Unavailable, TimeoutError):
            if not self._failed:
                log.warning("valkey does not take the tenants' use; it is kept here and told later")
            self._failed = True
            return False
        if self._failed:
            log.info("valkey takes the tenants' use again")
        self._failed = False
        if not len(self._waiting):
            self._something.clear()
        return True

    def _begin_batch(self) -> None:
        """What is told is told unchanged until it has been taken: told twice, it then counts once."""
        if self._waiting.left_out:
            log.warning("%d calls were not counted: too many tenants at once", self._waiting.left_out)
        self._batch += 1
        self._telling = list(self._waiting.take())

    async def _tell_batch(self) -> None:
        while self._telling:
            await self._tell_some(self._telling[:_AT_ONCE])
            del self._telling[:_AT_ONCE]

    async def _tell_some(self, some: list[tuple[str, Tally]]) -> None:
        from tenantscope_core.metering.use import add_tallies  # its library takes long to import

        try:
            await add_tallies(self._store(), self._process, self._batch, some)
        except (Unavailable, TimeoutError):
            raise
        except Exception as error:  # waiting does not mend what else there is, and others' counts come after these
            log.error("the use of %d tenants is not counted: %s", len(some), type(error).__name__)


@asynccontextmanager
async def telling(counts: UseCounts) -> AsyncGenerator[UseCounts]:
    """Have it told for a block, and the rest at its end."""
    task = asyncio.create_task(counts.keep_telling())
    try:
        yield counts
    finally:
        with anyio.CancelScope(shield=True):
            while not task.done():  # a library can lose a cancellation on its way, and this would wait for ever
                task.cancel()
                await asyncio.wait([task], timeout=_AGAIN_SECONDS)
            await counts.tell()
