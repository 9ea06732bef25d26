"""Limits by tier and quota, and under which name a caller is counted."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantscope_core.admission.quotas import NO_QUOTAS, Quotas
from tenantscope_core.identity.caller import Caller

_PROVIDER = "provider:"
_BURST_OF_A_MINUTE = 4  # a quota of calls a minute lets so large a part of them come at once: a quarter


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

    def of(self, caller_key: str, tier: str | None, quotas: Quotas = NO_QUOTAS) -> Limits:
        """The limits that hold for a caller: the tier's, and in its place what the tenant's own quotas say.

        Quotas that allow no calls are no limits; who admits refuses them before.
        """
        if caller_key.startswith(_PROVIDER):
            return self.provider
        tiers = self.tiers.get(tier, self.default) if tier is not None else self.default
        if quotas == NO_QUOTAS:
            return tiers
        burst = tiers.burst if quotas.per_minute is None else max(1, int(quotas.per_minute / _BURST_OF_A_MINUTE))
        return Limits(
            per_minute=quotas.per_minute or tiers.per_minute,
            burst=quotas.burst or burst,
            concurrent=quotas.concurrent or tiers.concurrent,
        )


def caller_key(caller: Caller) -> str:
    """Under which name a caller is counted: its tenant, or for the provider's callers each subject alone.

    A tenant id holds no colon, so no tenant is ever counted as the provider. A subject may hold anything: it is hashed.
    """
    if caller.tenant is not None:
        return caller.tenant
    return _PROVIDER + hashlib.sha256(caller.subject.encode()).hexdigest()[:32]
