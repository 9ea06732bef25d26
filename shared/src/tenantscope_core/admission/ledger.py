"""Where calls are counted: the interface, and the ledger of one process."""

import functools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tenantscope_core.admission.limits import Limits

SLOT_RETRY_SECONDS = 1.0
"""When to come back for a slot: nobody knows when a running call ends."""

_ROUNDING = 1e-6  # who waits exactly as long as told is let in


class Bound(StrEnum):
    """Which limit a call met."""

    RATE = "rate"
    CONCURRENCY = "concurrency"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that may not run now."""

    bound: Bound
    retry_after_seconds: float


class Ledger(Protocol):
    """Counts calls. A refused call costs nothing, neither rate nor slot."""

    async def enter(self, caller_key: str, limits: Limits, lease: str) -> Refusal | None:
        """Take one token and one slot under the name `lease`, both or neither; None is yes."""
        ...

    async def leave(self, caller_key: str, lease: str) -> None:
        """Give the slot back; giving back what is not held does nothing.

        The call may have been cancelled: a ledger that waits for somebody here shields the wait, and bounds it.
        """
        ...


class LateLedger:
    """A ledger that is opened by the first call: its client takes long to import."""

    def __init__(self, open_ledger: Callable[[], Ledger]) -> None:
        self._ledger = functools.cache(open_ledger)

    async def enter(self, caller_key: str, limits: Limits, lease: str) -> Refusal | None:
        """Take one token and one slot."""
        return await self._ledger().enter(caller_key, limits, lease)

    async def leave(self, caller_key: str, lease: str) -> None:
        """Give the slot back."""
        await self._ledger().leave(caller_key, lease)


class _Account:
    __slots__ = ("at", "leases", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at
        self.leases: set[str] = set()


class LocalLedger:
    """Counts the calls of this process. The least recently used accounts without running calls make room."""

    def __init__(self, *, monotonic: Callable[[], float], max_accounts: int = 20_000) -> None:
        self._monotonic = monotonic
        self._max_accounts = max_accounts
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    async def enter(self, caller_key: str, limits: Limits, lease: str) -> Refusal | None:
        """Take one token and one slot."""
        now = self._monotonic()
        account = self._accounts.get(caller_key)
        if account is None:
            account = self._accounts[caller_key] = _Account(float(limits.burst), now)
            self._make_room()
        self._accounts.move_to_end(caller_key)
        account.tokens = min(float(limits.burst), account.tokens + (now - account.at) * limits.per_second)
        account.at = now
        if account.tokens < 1 - _ROUNDING:
            return Refusal(Bound.RATE, (1 - account.tokens) / limits.per_second)
        if len(account.leases) >= limits.concurrent:
            return Refusal(Bound.CONCURRENCY, SLOT_RETRY_SECONDS)
        account.tokens -= 1
        account.leases.add(lease)
        return None

    async def leave(self, caller_key: str, lease: str) -> None:
        """Give the slot back."""
        account = self._accounts.get(caller_key)
        if account is not None:
            account.leases.discard(lease)

    def _make_room(self) -> None:
        for _ in range(len(self._accounts)):
            if len(self._accounts) <= self._max_accounts:
                return
            oldest = next(iter(self._accounts))
            if self._accounts[oldest].leases:
                self._accounts.move_to_end(oldest)
            else:
                del self._accounts[oldest]
