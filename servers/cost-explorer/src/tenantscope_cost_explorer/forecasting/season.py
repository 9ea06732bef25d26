"""The season of monthly series, shrunk as far as the years disagree about it."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
YEAR = 12


def seasonal_index(series: Floats, last_month: int, towards: Floats | None = None) -> Floats:
    """What each calendar month adds to a series (rows x 12, January first), each row summing to about zero.

    `series` (rows x months) ends in calendar month `last_month` (0 is January). Whole years are taken from the end,
    their trend and each year's mean are taken out, and the months' means over the years are pulled towards
    `towards` (12, none if left out) by James and Stein's positive-part factor (1961): the less the years agree, the
    more. Of a single year nothing is learnt: it cannot tell season from chance.
    """
    rows, months = series.shape
    years = months // YEAR
    goal = np.zeros(YEAR) if towards is None else towards
    if years < 2:
        return np.broadcast_to(goal, (rows, YEAR)).copy()
    by_year = _without_trend(series[:, -years * YEAR :]).reshape(rows, years, YEAR)
    by_year = by_year - by_year.mean(axis=2, keepdims=True)
    own = np.roll(by_year.mean(axis=1), last_month + 1, axis=1)
    lined_up = np.roll(by_year, last_month + 1, axis=2)
    noise = ((lined_up - own[:, None, :]) ** 2).sum(axis=(1, 2)) / ((years - 1) * (YEAR - 1))
    distance = ((own - goal) ** 2).sum(axis=1) / (YEAR - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(distance > 0, 1 - noise / years / distance, 0.0)
    return goal + np.clip(kept, 0.0, 1.0)[:, None] * (own - goal)


def months_of(last_month: int, count: int) -> NDArray[np.int64]:
    """The calendar months of `count` columns of which the last is `last_month`."""
    return (last_month - np.arange(count)[::-1]) % YEAR


def _without_trend(series: Floats) -> Floats:
    """What is left without the trend, told by each month and the same a year before: a season has no part in it."""
    months = series.shape[1]
    slope = (series[:, YEAR:] - series[:, :-YEAR]).mean(axis=1, keepdims=True) / YEAR
    return series - slope * np.arange(months, dtype=np.float64)


def line(series: Floats) -> tuple[Floats, Floats]:
    """Each row's least-squares line, and its slope a month."""
    months = series.shape[1]
    at: Floats = np.arange(months, dtype=np.float64) - (months - 1) / 2
    mean = series.mean(axis=1, keepdims=True)
    slope: Floats = ((series - mean) * at).sum(axis=1) / max(float((at**2).sum()), 1.0)
    return mean + slope[:, None] * at, slope
