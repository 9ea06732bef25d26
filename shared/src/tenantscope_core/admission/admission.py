"""Admits a call or says when to come back."""

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from tenantscope_core.admission.ledger import Bound, Ledger, Refusal
from tenantscope_core.admission.limits import Limits, TierLimits
from tenantscope_core.admission.quotas import NO_QUOTAS, Quotas
from tenantscope_core.results.errors import RateLimited
from tenantscope_core.results.statuses import FELT_WITHIN_SECONDS


def _new_lease() -> str:
    return secrets.token_hex(16)


class Admission:
    """The rate and the number of concurrent calls of each caller, by tier and quota."""

    def __init__(self, ledger: Ledger, limits: TierLimits, *, new_lease: Callable[[], str] = _new_lease) -> None:
        self._ledger = ledger
        self._limits = limits
        self._new_lease = new_lease

    @asynccontextmanager
    async def admit(self, caller_key: str, tier: str | None, quotas: Quotas = NO_QUOTAS) -> AsyncGenerator[None]:
        """Run the body as one call of a caller; see `caller_key` for its name.

        Raises:
            RateLimited: The caller has used up its rate or its slots, and `retry_after_seconds` says when one is free;
                or its quotas allow no calls.
        """
        require_calls(quotas)
        limits = self._limits.of(caller_key, tier, quotas)
        lease = self._new_lease()
        try:
            refusal = await self._ledger.enter(caller_key, limits, lease)
        except BaseException:  # cancelled on the way, perhaps after the lease was granted
            await self._ledger.leave(caller_key, lease)
            raise
        if refusal is not None:
            raise _rate_limited(refusal, limits)
        try:
            yield
        finally:
            await self._ledger.leave(caller_key, lease)


def require_calls(quotas: Quotas) -> None:
    """Let quotas pass that allow calls at all.

    Raises:
        RateLimited: They allow none.
    """
    if quotas.allow_no_calls:
        raise RateLimited(
            "This tenant's quota allows no calls; the SaaS company can raise it.",
            retry_after_seconds=float(FELT_WITHIN_SECONDS),
        )


def _rate_limited(refusal: Refusal, limits: Limits) -> RateLimited:
    sentence = (
        f"More than {limits.burst} calls at once, or {limits.per_minute:g} a minute; wait before the next call."
        if refusal.bound is Bound.RATE
        else f"{limits.concurrent} calls are running already, the most at a time; wait for one to end."
    )
    return RateLimited(sentence, retry_after_seconds=refusal.retry_after_seconds)
