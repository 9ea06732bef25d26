"""Largest remainder over many weights at once, in whole numbers, exactly."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHT_LIMIT = 10**15
"""What the weights of a window may sum to: a double holds each of them, and a quotient is off by one at the most."""


@dataclass(frozen=True, slots=True)
class Window:
    """Who shares a cost, by number in code point order, and by what weights, all above zero."""

    number: int
    tenants: "NDArray[np.int32]"
    weights: "NDArray[np.int64]"
    total: int


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an amount: `sign * (times * weight + rest)` for each weight."""

    sign: int
    times: int
    rest: "NDArray[np.int64]"


def split(amount: int, weights: "NDArray[np.int64]", total: int) -> Parts:
    """An amount of any size in proportion to the weights, by largest remainder (Hamilton); ties go to the first.

    The parts sum to the amount. A negative one is split as its magnitude, so a refund undoes its charge. `total` is the
    sum of the weights, at most about `WEIGHT_LIMIT`.
    """
    times, rest = divmod(abs(amount), total)
    return Parts(-1 if amount < 0 else 1, times, _rest(rest, weights, total))


def _rest(amount: int, weights: "NDArray[np.int64]", total: int) -> "NDArray[np.int64]":
    """The parts of an amount below `total`.

    The quotient is guessed in floating point and mended by its remainder, which is small though the product is not:
    whole numbers of 64 bits wrap around, and what is left of the difference is right.
    """
    import numpy as np

    if amount == 0:
        return np.zeros_like(weights)
    parts = np.floor(weights * (amount / total)).astype(np.int64)
    remainders = (weights.view(np.uint64) * np.uint64(amount) - parts.view(np.uint64) * np.uint64(total)).view(np.int64)
    for wrong, step in ((remainders < 0, -1), (remainders >= total, 1)):
        parts[wrong] += step
        remainders[wrong] -= step * total
    left = amount - int(parts.sum())
    if left:
        least = np.partition(remainders, -left)[-left]
        above = remainders > least
        parts[above] += 1
        parts[np.flatnonzero(remainders == least)[: left - int(np.count_nonzero(above))]] += 1
    return parts
