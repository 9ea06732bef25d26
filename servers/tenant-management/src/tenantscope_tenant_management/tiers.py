"""Tiers: what a tenant of each may use and how much of it, and what moving between them means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ENFORCED = {
    "requests_per_minute": "every server",
    "requests_burst": "every server",
    "concurrent_requests": "every server",
    "users": "invitations",
}
"""Quotas that are held here, and by what; all others are the product's own to hold."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier. `quotas` are whole numbers by name, each with its unit in it: `storage_gb`, `requests_per_minute`."""

    name: str
    title: str
    description: str
    features: tuple[str, ...]
    quotas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """What one tenant may use: its features, and its quotas with its own exceptions applied."""

    features: frozenset[str]
    quotas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class QuotaMove:
    """A quota that changes; None where there is none."""

    name: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A quota of which more is used than it will allow."""

    name: str
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What other terms mean for a tenant."""

    gains: Sequence[str] = ()
    loses: Sequence[str] = ()
    quotas: Sequence[QuotaMove] = field(default=())
    exceeded: Sequence[Exceeded] = field(default=())
    unmeasured: Sequence[str] = ()


def terms(tier: Tier, overrides: Mapping[str, int]) -> Terms:
    """A tenant's terms: the tier's, its own exceptions before the tier's quotas."""
    return Terms(frozenset(tier.features), {**tier.quotas, **overrides})


def effect(before: Terms, after: Terms, use: Mapping[str, int]) -> Effect:
    """What a tenant gains and loses by other terms, and what it now has too much of.

    A quota is exceeded where its use is known and above it; one that shrinks and that nothing measures is `unmeasured`.
    """
    names = sorted({*before.quotas, *after.quotas})
    moves = [QuotaMove(n, before.quotas.get(n), after.quotas.get(n)) for n in names]
    moved = [each for each in moves if each.before != each.after]
    tight = [each for each in moved if each.after is not None and (each.before is None or each.after < each.before)]
    exceeded = [
        Exceeded(name, limit, use[name]) for name, limit in sorted(after.quotas.items()) if use.get(name, 0) > limit
    ]
    return Effect(
        gains=sorted(after.features - before.features),
        loses=sorted(before.features - after.features),
        quotas=moved,
        exceeded=exceeded,
        unmeasured=[each.name for each in tight if each.name not in use],
    )
