"""What STS refused lately, so that a broken role or a slow STS is asked once and not by every call."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenantscope_core.credentials.broker import Grant, WebIdentityRefused
from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.results.errors import Internal, NotAuthenticated, NotPermitted, ToolFailure, Unavailable

REFUSED_SECONDS = 10.0
RETRYABLE_SECONDS = 1.0  # up to twice that, at random


@dataclass(frozen=True, slots=True)
class _Refusal:
    error: AwsError
    reference: str
    until: datetime


class Refusals:
    """Failures by grant, each for a few seconds; a refused token counts against its holder alone."""

    def __init__(self, *, max_entries: int, clock: Callable[[], datetime], random: Callable[[], float]) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._random = random
        self._refusals: OrderedDict[tuple[object, ...], _Refusal] = OrderedDict()

    def __len__(self) -> int:
        return len(self._refusals)

    def remember(self, grant: Grant, error: AwsError, reference: str) -> None:
        """Keep a failure for a few seconds."""
        seconds = RETRYABLE_SECONDS * (1 + self._random()) if error.retryable else REFUSED_SECONDS
        until = self._clock() + timedelta(seconds=seconds)
        key = _token_key(grant) if isinstance(error, WebIdentityRefused) else grant.key
        self._refusals[key] = _Refusal(error, reference, until)
        self._refusals.move_to_end(key)
        while len(self._refusals) > self._max_entries:
            self._refusals.popitem(last=False)

    def forget(self, grant: Grant) -> None:
        """A session was opened after all."""
        self._refusals.pop(grant.key, None)
        self._refusals.pop(_token_key(grant), None)

    def of(self, grant: Grant) -> ToolFailure | None:
        """The failure that stands for a grant now, with the time that remains of it."""
        now = self._clock()
        for key in (grant.key, _token_key(grant)):
            refusal = self._refusals.get(key)
            if refusal is None:
                continue
            if refusal.until > now:
                return _failure(refusal, (refusal.until - now).total_seconds())
            del self._refusals[key]
        return None


def _token_key(grant: Grant) -> tuple[object, ...]:
    return (*grant.key, hashlib.sha256((grant.token or "").encode()).digest())


def _failure(refusal: _Refusal, remaining_seconds: float) -> ToolFailure:
    error = refusal.error
    if isinstance(error, WebIdentityRefused) and error.sentence is not None:
        return NotAuthenticated(error.sentence)
    if error.retryable or error.fault is Fault.EXPIRED:
        return Unavailable(
            "The credentials for this call cannot be obtained at the moment because AWS STS is limited, slow or down; "
            "try again shortly.",
            retry_after_seconds=remaining_seconds,
        )
    if error.fault is Fault.DENIED:
        return NotPermitted(
            "AWS refuses this server the role that it needs for this caller, so nothing was read; whoever operates the "
            "server has to look at the role's trust policy."
        )
    return Internal(refusal.reference)
