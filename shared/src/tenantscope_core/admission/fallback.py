"""A shared ledger that this process stands in for while it does not answer."""

import logging
from collections.abc import Callable

import anyio

from tenantscope_core.admission.ledger import Ledger, LocalLedger, Refusal
from tenantscope_core.admission.limits import Limits
from tenantscope_core.stores.resting import Resting

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
        self._timeout_seconds = timeout_seconds
        self._resting = Resting(rest_seconds=rest_seconds, monotonic=monotonic)

    @property
    def is_local(self) -> bool:
        """Whether the shared ledger failed last, so that calls are counted here."""
        return self._resting.failed

    async def enter(self, caller_key: str, limits: Limits, lease: str) -> Refusal | None:
        """Take one token and one slot, there or here."""
        if self._resting.may_ask():
            try:
                with anyio.fail_after(self._timeout_seconds):
                    refusal = await self._shared.enter(caller_key, limits, lease)
            except Exception as error:  # whatever a client raises: counting must not be what fails a call
                self._rest(error)
            else:
                self._resting.answered()
                return refusal
        return await self._local.enter(caller_key, limits, lease)

    async def leave(self, caller_key: str, lease: str) -> None:
        """Give the slot back on both sides; one of them knows it, or both where an answer got lost."""
        await self._local.leave(caller_key, lease)
        if self._resting.failed:
            return  # what is still held there ends with its lease
        try:
            with anyio.fail_after(self._timeout_seconds, shield=True):
                await self._shared.leave(caller_key, lease)
        except Exception as error:
            self._rest(error)

    def _rest(self, error: Exception) -> None:
        if not self._resting.failed:
            logger.warning("the shared ledger failed, calls are counted in this process: %s", type(error).__name__)
        self._resting.did_not_answer()
