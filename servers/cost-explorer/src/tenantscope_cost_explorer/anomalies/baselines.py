"""What a day or a month of a series should have cost, and by how much it may miss: from its own past, robustly.

Days: a level (median of four weeks) times a factor of the weekday (median of eight weeks, shrunk towards 1 by two
pseudo-observations), as in classical seasonal decomposition with medians in place of means. Months: a random walk with
drift, in logarithms. How far a value may miss is 1.4826 x MAD of the residuals' logarithms (Hampel, "The influence
curve and its role in robust estimation", 1974), or what their 90th percentile implies of a normal law where tails are
heavier; it never falls below a floor, and is widened where the past is short. A series that most days is zero has no
such scale: its values are held against half of its largest. A score is a miss in these units: a rank, no probability.

A miss scores nothing unless it is larger than all but one of those in its past.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

WEEK = 7
LEVEL_DAYS, REFERENCE_DAYS, FEWEST_DAYS = 28, 56, 21
FEWEST_MONTHS, MOST_MONTHS = 6, 12
_SHRINK = 2.0
_MAD_TO_SIGMA, _NORMAL_90 = 1.4826, 1.645
_DAY_FLOOR, _MONTH_FLOOR = 0.03, 0.05
_CENT = 0.01


@dataclass(frozen=True, slots=True)
class Judged:
    """One value against what was expected; `score` is signed."""

    expected: float
    score: float


def judge_day(values: Sequence[float], reference: Sequence[int], at: int) -> Judged:
    """The value at `at` judged by the values at `reference`, indices of earlier days in order; at least one."""
    overall = median(values[i] for i in reference)
    factors = [_weekday(values, reference, weekday, overall) for weekday in range(WEEK)]
    weekday = at % WEEK
    if overall <= 0:
        half = max(max(abs(values[i]) for i in reference) / 2, _CENT)
        return Judged(factors[weekday], (values[at] - factors[weekday]) / half)
    level = median(values[i] / (factors[i % WEEK] or 1.0) for i in reference[-LEVEL_DAYS:])
    expectations = [level * factor for factor in factors]
    offset = max(0.05 * level, _CENT)
    misses = [_miss(values[i], expectations[i % WEEK], offset) for i in reference]
    miss = _miss(values[at], expectations[weekday], offset)
    if sum((one >= miss) if miss > 0 else (one <= miss) for one in misses) > 1:
        miss = 0.0
    return Judged(expectations[weekday], miss / (max(_scale(misses), _DAY_FLOOR) * (1 + 6 / len(reference))))


def judge_month(values: Sequence[float], days: Sequence[int]) -> Judged:
    """The last of monthly sums judged by those before it, each by the day; `days` are the months' lengths."""
    rates = [max(value, 0.0) / length for value, length in zip(values, days, strict=True)]
    offset = max(0.05 * median(rates[:-1]), _CENT / 30)
    steps = [_miss(after, before, offset) for before, after in pairwise(rates[:-1])]
    drift = median(steps)
    expected = max((rates[-2] + offset) * math.exp(drift) - offset, 0.0)
    scale = max(_scale([step - drift for step in steps]), _MONTH_FLOOR) * (1 + 6 / len(steps))
    return Judged(expected * days[-1], _miss(rates[-1], expected, offset) / scale)


def _weekday(values: Sequence[float], reference: Sequence[int], weekday: int, overall: float) -> float:
    """A weekday's factor to the level, or, of a series that mostly is zero, its value."""
    same = [values[i] for i in reference if i % WEEK == weekday]
    if not same:
        return 1.0 if overall > 0 else 0.0
    if overall <= 0:
        return median(same) * len(same) / (len(same) + _SHRINK)
    return max((median(same) / overall * len(same) + _SHRINK) / (len(same) + _SHRINK), 0.0)


def _miss(value: float, expected: float, offset: float) -> float:
    return math.log((max(value, 0.0) + offset) / (max(expected, 0.0) + offset))


def _scale(misses: Sequence[float]) -> float:
    sizes = sorted(abs(miss) for miss in misses)
    return max(_MAD_TO_SIGMA * median(sizes), sizes[math.ceil(0.9 * len(sizes)) - 1] / _NORMAL_90)
