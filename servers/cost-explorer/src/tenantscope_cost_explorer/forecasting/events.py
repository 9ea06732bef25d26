"""Known events laid over a forecast: what ends, what changes its price, what comes once."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tenantscope_core.results.periods import Month

Kind = Literal["contract_end", "price_change", "one_off"]
Side = Literal["cost", "revenue"]
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is known to come in a month.

    A contract's end takes `percent` off from then on, a price change adds `percent` (below zero: takes off); what comes
    once is `amount`.
    """

    month: Month
    kind: Kind
    side: Side
    percent: Decimal | None = None
    amount: Decimal | None = None


def overlaid(
    base: Sequence[Decimal], first: Month, events: Sequence[Event], side: Side
) -> list[tuple[Decimal, Decimal]]:
    """For each month of a forecast that begins in `first`: the factor on it and what is added once, by these events."""
    found: list[tuple[Decimal, Decimal]] = []
    for place in range(len(base)):
        month = first.shift(place)
        factor, added = Decimal(1), Decimal(0)
        for event in events:
            if event.side != side:
                continue
            if event.kind == "one_off":
                added += (event.amount or Decimal(0)) if event.month == month else Decimal(0)
            elif event.month <= month:
                percent = (event.percent or Decimal(0)) / HUNDRED
                factor *= 1 - percent if event.kind == "contract_end" else 1 + percent
        found.append((factor, added))
    return found
