"""Limits by tier, and under which name a caller is counted."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantscope_core.identity.caller import Caller

_PROVIDER = "provider:"


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a minute in the long run, how many may come at once after a pause, and how many may run side by side."""

    per_minute: float
    burst: int
    concurrent: int

    def __post_init__(self) -> None:
        if self.per_minute <= 0 or self.burst < 1 or self.concurrent < 1:
            raise ValueError("limits let at least one call through")

    @property
    def per_second(self) -> float:
        """The long-run rate."""
        return self.per_minute / 60


@dataclass(frozen=True, slots=True)
class TierLimits:
    """The limits of each tier; `default` for a tier without its own, `provider` for each of the provider's callers."""

    default: Limits = Limits(per_minute=120, burst=30, concurrent=8)
    tiers: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    provider: Limits = Limits(per_minute=600, burst=120, concurrent=16)

    def of(self, caller_key: str, tier: str | None) -> Limits:
        """The limits that hold for a caller."""
        if caller_key.startswith(_PROVIDER):
            return self.provider
        return self.tiers.get(tier, self.default) if tier is not None else self.default


def caller_key(caller: Caller) -> str:
    """Under which name a caller is counted: its tenant, or for the provider's callers each subject alone.

    A tenant id holds no colon, so no tenant is ever counted as the provider. A subject may hold anything: it is hashed.
    """
    if caller.tenant is not None:
        return caller.tenant
    return _PROVIDER + hashlib.sha256(caller.subject.encode()).hexdigest()[:32]
