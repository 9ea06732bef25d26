"""A shared ledger that this process stands in for while it does not answer."""

import logging
from collections.abc import Callable

import anyio

from tenantscope_core.admission.ledger import Ledger, LocalLedger, Refusal
from tenantscope_core.admission.limits import Limits

logger = logging.getLogger(__name__)


class FallbackLedger:
    """Asks the shared ledger and, while that fails or is slow, counts here.

    After a failure it is left alone for `rest_seconds`, then one call tries it again, so that a dead Valkey costs one
    call `timeout_seconds` every few seconds and the others nothing. Meanwhile each replica grants the whole limit.
    """

    def __init__(
        self,
        shared: Ledger,
        local: LocalLedger,
        *,
        monotonic: Callable[[], float],
        timeout_seconds: float = 0.25,
        rest_seconds: float = 3.0,
    ) -> None:
        self._shared = shared
        self._local = local
        self._monotonic = monotonic
        self._timeout_seconds = timeout_seconds
        self._rest_seconds = rest_seconds
        self._failed = False
        self._again_at = 0.0

    @property
    def is_local(self) -> bool:
        """Whether the shared ledger failed last, so that calls are counted here."""
        return self._failed

    async def enter(self, caller_key: str, limits: Limits, lease: str) -> Refusal | None:
        """Take one token and one slot, there or here."""
        if self._may_ask():
            try:
                with anyio.fail_after(self._timeout_seconds):
                    refusal = await self._shared.enter(caller_key, limits, lease)
            except Exception as error:  # whatever a client raises: counting must not be what fails a call
                self._rest(error)
            else:
                self._failed = False
                return refusal
        return await self._local.enter(caller_key, limits, lease)

    async def leave(self, caller_key: str, lease: str) -> None:
        """Give the slot back on both sides; one of them knows it, or both where an answer got lost."""
        await self._local.leave(caller_key, lease)
        if self._failed:
            return  # what is still held there ends with its lease
        try:
            with anyio.fail_after(self._timeout_seconds):
                await self._shared.leave(caller_key, lease)
        except Exception as error:
            self._rest(error)

    def _may_ask(self) -> bool:
        if not self._failed:
            return True
        if self._monotonic() < self._again_at:
            return False
        self._again_at = self._monotonic() + self._rest_seconds  # the others stay here while this one asks
        return True

    def _rest(self, error: Exception) -> None:
        if not self._failed:
            logger.warning("the shared ledger failed, calls are counted in this process: %s", type(error).__name__)
        self._failed = True
        self._again_at = self._monotonic() + self._rest_seconds
