"""Statistics that a few wild values do not move."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

MOST_ORDINARY = 3.5
"""The modified z-score above which a value is an outlier: Iglewicz and Hoaglin, How to Detect and Handle Outliers
(1993)."""
LEAST_SPREAD = 0.1
"""The least spread of logarithms that counts as one, about ten per cent: among equals nobody stands out for less."""
_CONSISTENT = 1.4826


def median(values: Sequence[Decimal]) -> Decimal:
    """The value in the middle, or the mean of the two there.

    Raises:
        ValueError: There is none.
    """
    if not values:
        raise ValueError("the median of nothing")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@dataclass(frozen=True, slots=True)
class Spread:
    """Where positive values lie on a log scale: their median, and the median of the distances from it (MAD)."""

    middle: Decimal
    deviation: float

    @classmethod
    def of(cls, values: Sequence[Decimal]) -> "Spread":
        """The spread of at least one positive value."""
        middle = median(values)
        logs = sorted(abs(math.log(value / middle)) for value in values)
        half = len(logs) // 2
        deviation = logs[half] if len(logs) % 2 else (logs[half - 1] + logs[half]) / 2
        return cls(middle, max(deviation * _CONSISTENT, LEAST_SPREAD))

    def score(self, value: Decimal) -> float:
        """How many robust deviations a positive value lies above the middle."""
        return math.log(value / self.middle) / self.deviation


def low_percentile(values: Sequence[Decimal], percent: int) -> Decimal:
    """The value that so many per cent of the values do not reach, from below: the nearest rank, rounded down."""
    return sorted(values)[(len(values) - 1) * percent // 100]
