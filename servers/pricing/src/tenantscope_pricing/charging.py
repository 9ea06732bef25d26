"""What one quantity costs under one price, exactly: allowance, tiers, packages, percentages; nothing is rounded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tenantscope_pricing.book import ZERO, Flat, Model, Package, Percentage, PerUnit, Tier, Tiered


@dataclass(frozen=True, slots=True)
class Step:
    """Units that are charged at one price. `up_to` is the end of their tier, None where it has none."""

    quantity: Decimal
    unit_price: Decimal
    fee: Decimal
    amount: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """An exact amount, and how it came about: `quantity` = `included` (free) + `billable`."""

    quantity: Decimal
    included: Decimal
    billable: Decimal
    amount: Decimal
    steps: tuple[Step, ...] = ()


def charge(model: Model, quantity: Decimal, included: Decimal = ZERO) -> Charge:
    """What a quantity costs, of which the first `included` units are free. Below zero counts as zero.

    Tiers count all units, the free ones too, so an allowance uses up the lowest tiers. Of a percentage, the quantity is
    the amount that it is of.
    """
    quantity = max(quantity, ZERO)
    free = min(quantity, included)
    billable = quantity - free
    match model:
        case Flat():
            return Charge(quantity, free, billable, model.amount)
        case PerUnit():
            steps = _steps(_step(billable, Tier(None, model.unit_price)))
        case Package():
            packages = billable // model.size + (1 if billable % model.size else 0)
            steps = _steps(_step(packages, Tier(None, model.price)))
        case Percentage():
            steps = _steps(_step(billable, Tier(None, model.percent / 100)))
        case Tiered(mode="volume"):
            tier = next(one for one in model.tiers if one.up_to is None or quantity <= one.up_to)
            steps = _steps(_step(billable, tier))
        case Tiered():
            steps = _graduated(model.tiers, free, quantity)
    return Charge(quantity, free, billable, sum((step.amount for step in steps), ZERO), steps)


def scaled(tiered: Tiered, ends: Sequence[Decimal | None], fees: Sequence[Decimal]) -> Tiered:
    """The same tiers with other ends and fees, as a part of a month has them."""
    tiers = zip(tiered.tiers, ends, fees, strict=True)
    return Tiered(tiered.mode, tuple(replace(tier, up_to=end, fee=fee) for tier, end, fee in tiers))


def _graduated(tiers: tuple[Tier, ...], start: Decimal, end: Decimal) -> tuple[Step, ...]:
    """The units after `start` up to `end`, each at the price of its own tier."""
    steps: list[Step] = []
    below = ZERO
    for tier in tiers:
        upper = end if tier.up_to is None else min(end, tier.up_to)
        steps.extend(_steps(_step(upper - max(start, below), tier)))
        below = upper if tier.up_to is None else tier.up_to
    return tuple(steps)


def _step(quantity: Decimal, tier: Tier) -> Step:
    return Step(quantity, tier.unit_price, tier.fee, quantity * tier.unit_price + tier.fee, tier.up_to)


def _steps(step: Step) -> tuple[Step, ...]:
    return (step,) if step.quantity > 0 else ()
