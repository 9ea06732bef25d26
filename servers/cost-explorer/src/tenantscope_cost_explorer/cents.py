"""Cents dealt to parts that were worked out in floating point, or that a rounded total was fixed for already."""

from collections.abc import Sequence
from decimal import Decimal

from tenantscope_core.results.money import round_to_total

ZERO = Decimal(0)
NOTHING = Decimal("0.0001")
"""What is left of a total that is smaller than this is what was lost in dividing, and nobody's."""


def deal(parts: Sequence[Decimal], *, exact: Decimal, cents: Decimal) -> list[Decimal]:
    """`parts` and what is left of the `exact` total, at the end, in cents that sum to `cents`.

    `cents` is `exact` rounded by somebody else, so it may be a cent away from the nearest; the largest part bears that.
    """
    left = exact - sum(parts, ZERO)
    dealt = [*parts, ZERO if abs(left) < NOTHING else left]
    largest = max(range(len(dealt)), key=lambda place: abs(dealt[place]))
    dealt[largest] += cents - sum(dealt, ZERO)
    return round_to_total(dealt, total=cents)
