"""A series' next months: scale, outliers and season taken out, the rest forecast, and put back."""

import numpy as np

from tenantscope_cost_explorer.forecasting.models import combined
from tenantscope_cost_explorer.forecasting.season import YEAR, Floats, months_of, seasonal_index

SHORTEST = 6
"""Months of history below which nothing but the last value is believed."""
GONE_AFTER = 2
"""Months at nothing, at the end, after which a series is over."""
_MOST_TIMES = 10.0
"""No forecast is beyond so many times what was ever seen: a line through logarithms has no bound of its own."""
_FAR = 6.0
"""Median absolute deviations from its neighbours beyond which one month is chance."""


def months_ahead(series: Floats, horizon: int, last_month: int, towards: Floats | None = None) -> tuple[Floats, Floats]:
    """Each row's next `horizon` months (rows x horizon), and its scale (rows), all rows being as long as each other.

    The scale, in which the method's errors are measured, is the mean absolute change a month once the season is taken
    out. `towards` is the fleet's season, by calendar month (log scale).
    """
    rows, months = series.shape
    if months < SHORTEST:
        ahead = np.repeat(series.mean(axis=1, keepdims=True), horizon, axis=1) if months else np.zeros((rows, horizon))
        scale = _change(series)
    else:
        ahead, scale = np.empty((rows, horizon)), np.empty(rows)
        logged = (series > 0).all(axis=1)
        if logged.any():
            logs = np.log(series[logged])
            reach = np.log(_MOST_TIMES)
            low, high = logs.min(axis=1, keepdims=True) - reach, logs.max(axis=1, keepdims=True) + reach
            later, adjusted = _seasoned(logs, horizon, last_month, towards)
            ahead[logged], scale[logged] = np.exp(np.clip(later, low, high)), _change(np.exp(adjusted))
        if not logged.all():
            plain = series[~logged]
            size = np.maximum(np.abs(plain).mean(axis=1, keepdims=True), 1e-12)
            later, adjusted = _seasoned(plain / size, horizon, last_month, towards)
            ahead[~logged], scale[~logged] = later * size, _change(adjusted * size)
    if months >= GONE_AFTER:
        ahead[(series[:, -GONE_AFTER:] == 0).all(axis=1)] = 0.0
    return ahead, scale


def scale_of_past(series: Floats, scale: Floats) -> Floats:
    """The scale in which errors of past forecasts are those of the next one.

    With two years but not three most of the past forecasts knew no season yet, and their errors are in units of changes
    with the season in: the scale is then up to halfway there.
    """
    months = series.shape[1]
    if not 2 * YEAR <= months < 3 * YEAR:
        return scale
    blind = (3 * YEAR - months) / YEAR / 2
    return (1 - blind) * scale + blind * _change(series)


def season_of(series: Floats, last_month: int) -> Floats | None:
    """The season of one series (months) on the log scale, None where it is too short or not above zero throughout."""
    if len(series) < 2 * YEAR or (series <= 0).any():
        return None
    return seasonal_index(_without_chance(np.log(series)[None, :]), last_month)[0]


def _change(series: Floats) -> Floats:
    """The mean absolute change a month; of a single month, all of it."""
    if series.shape[1] < 2:
        return np.abs(series).sum(axis=1)
    return np.abs(np.diff(series, axis=1)).mean(axis=1)


def _seasoned(series: Floats, horizon: int, last_month: int, towards: Floats | None) -> tuple[Floats, Floats]:
    """The next months, and the months that there were without their season, chance and all."""
    clean = _without_chance(series)
    season = seasonal_index(clean, last_month, towards)
    now = months_of(last_month, series.shape[1])
    later = months_of((last_month + horizon) % YEAR, horizon)
    return combined(clean - season[:, now], horizon) + season[:, later], series - season[:, now]


def _without_chance(series: Floats) -> Floats:
    """Single months far from their neighbours are given these neighbours' median; never the last, which may be news.

    A month that stood out a year before or after as well is a season, not chance.
    """
    months = series.shape[1]
    if months < SHORTEST + 1:
        return series
    padded = np.pad(series, ((0, 0), (2, 2)), mode="edge")
    around = np.stack([padded[:, shift : shift + months] for shift in (0, 1, 3, 4)])
    local = np.median(around, axis=0)
    off = series - local
    usual = np.maximum(np.median(np.abs(off), axis=1, keepdims=True), 1e-9)
    odd = np.abs(off) > _FAR * usual
    again = np.zeros_like(odd)
    again[:, YEAR:] |= odd[:, :-YEAR]
    again[:, :-YEAR] |= odd[:, YEAR:]
    odd &= ~again
    odd[:, -1:] = False
    return np.where(odd, local, series)
