"""Look-ups counted: what each found, what it saved, and how sure a rate of hits is."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from tenantscope_semantic_cache.entries import Work
from tenantscope_semantic_cache.models import MoneySaved, OtherModels, SkippedLookups, UsageOfModel

Outcome = Literal["exact", "semantic", "miss"]

_Z_95 = 1.959963984540054
NOT_STATED = "(not stated)"
MAX_CURRENCIES = 5


@dataclass(frozen=True, slots=True)
class Line:
    """What look-ups are counted by. `skipped` and `currency` are '' where there is none, `model` where not stated."""

    day: date
    model: str
    outcome: Outcome
    skipped: str
    currency: str


@dataclass(slots=True)
class Sums:
    """How many look-ups, and what they saved: tokens, money in one currency, milliseconds of model latency."""

    lookups: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = field(default_factory=Decimal)
    latency_ms: int = 0

    def add(self, other: "Sums") -> None:
        """Add other look-ups."""
        self.lookups += other.lookups
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.cost += other.cost
        self.latency_ms += other.latency_ms


def one_lookup(saved: Work | None) -> Sums:
    """A look-up and what it saved; nothing where it found nothing."""
    if saved is None:
        return Sums(1)
    return Sums(1, saved.tokens_in or 0, saved.tokens_out or 0, saved.cost or Decimal(0), saved.latency_ms or 0)


def wilson_95(hits: int, lookups: int) -> tuple[float, float] | None:
    """The 95 % interval of a share, None where there is none (Wilson, JASA 22, 1927)."""
    if lookups == 0:
        return None
    share, z2 = hits / lookups, _Z_95 * _Z_95
    centre = (share + z2 / (2 * lookups)) / (1 + z2 / lookups)
    half = _Z_95 / (1 + z2 / lookups) * math.sqrt(share * (1 - share) / lookups + z2 / (4 * lookups * lookups))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Counted:
    """A line of a period. `model` is None for those beyond the ones that are listed."""

    model: str | None
    outcome: str
    skipped: str
    currency: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a tenant has in the cache now."""

    entries: int
    shared: int
    bytes: int


def count_of(lines: Iterable[Counted], *outcomes: Outcome) -> int:
    """How many look-ups had one of these outcomes."""
    return sum(line.sums.lookups for line in lines if line.outcome in outcomes)


def total(lines: Iterable[Counted]) -> Sums:
    """All lines together; its cost means nothing where there are several currencies."""
    sums = Sums()
    for line in lines:
        sums.add(line.sums)
    return sums


def money(lines: Iterable[Counted]) -> list[MoneySaved]:
    """What was saved in each currency, exactly, most first."""
    amounts: dict[str, Decimal] = {}
    for line in lines:
        if line.currency and line.sums.cost:
            amounts[line.currency] = amounts.get(line.currency, Decimal(0)) + line.sums.cost
    ordered = sorted(amounts.items(), key=lambda one: (-one[1], one[0]))
    return [MoneySaved(currency=currency, amount=plain(amount)) for currency, amount in ordered]


def plain(amount: Decimal) -> Decimal:
    """The same amount without zeros behind its last digit, but in cents at least."""
    cents = amount.quantize(Decimal("0.01"))
    return cents if cents == amount else amount.normalize()


def skipped(lines: Iterable[Counted]) -> list[SkippedLookups]:
    """How many look-ups were not answered by meaning, by reason, most first."""
    reasons: dict[str, int] = {}
    for line in lines:
        if line.skipped:
            reasons[line.skipped] = reasons.get(line.skipped, 0) + line.sums.lookups
    ordered = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    return [SkippedLookups(reason=reason, lookups=lookups) for reason, lookups in ordered]


def by_model(lines: Sequence[Counted], model_count: int) -> tuple[list[UsageOfModel], OtherModels | None]:
    """A row for each model that is listed, most look-ups first, and one for the others."""
    groups: dict[str | None, list[Counted]] = {}
    for line in lines:
        groups.setdefault(line.model, []).append(line)
    others = groups.pop(None, None)
    ordered = sorted(groups.items(), key=lambda one: (-total(one[1]).lookups, one[0] or ""))
    rows = [UsageOfModel(model=model or NOT_STATED, **_row(group)) for model, group in ordered]
    return rows, OtherModels(models=model_count - len(rows), **_row(others)) if others else None


def _row(lines: Sequence[Counted]) -> dict[str, Any]:
    sums, amounts = total(lines), money(lines)
    return {
        "lookups": sums.lookups,
        "exact_hits": count_of(lines, "exact"),
        "semantic_hits": count_of(lines, "semantic"),
        "tokens_in": sums.tokens_in,
        "tokens_out": sums.tokens_out,
        "milliseconds": sums.latency_ms,
        "money": amounts[:MAX_CURRENCIES],
        "currencies": len(amounts),
    }
