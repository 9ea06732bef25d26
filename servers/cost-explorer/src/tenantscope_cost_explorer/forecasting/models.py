"""Three forecasts of series without a season, and their median.

Simple exponential smoothing says that things stay as they are, the damped trend that they go on for a while, Theta that
they go on half as steeply: the median of the three is hard to be led astray. Smoothing constants are those of a small
grid with the least squared one-step error.
"""

import numpy as np

from tenantscope_cost_explorer.forecasting.season import Floats, line

LEVELS = np.arange(0.1, 1.0, 0.1)
"""Smoothing constants of the level."""
_DAMPED = [(level, trend, phi) for level in (0.2, 0.4, 0.6, 0.8) for trend in (0.05, 0.15, 0.3) for phi in (0.8, 0.9)]


def combined(series: Floats, horizon: int) -> Floats:
    """Each row's next `horizon` values (rows x horizon); of one or two values, the last goes on."""
    if series.shape[1] < 3:
        return np.repeat(series[:, -1:], horizon, axis=1)
    level, constant = _smoothed(series)
    ahead = np.arange(1, horizon + 1, dtype=np.float64)
    flat = np.repeat(level[:, None], horizon, axis=1)
    return np.median(np.stack([flat, _theta(series, level, constant, ahead), _damped(series, ahead)]), axis=0)


def _smoothed(series: Floats) -> tuple[Floats, Floats]:
    """Simple exponential smoothing: the last level of each row, and its smoothing constant (Brown 1956)."""
    level = np.repeat(series[:, :1], len(LEVELS), axis=1)
    squares = np.zeros_like(level)
    for month in range(1, series.shape[1]):
        error = series[:, month, None] - level
        squares += error**2
        level += LEVELS * error
    best = squares.argmin(axis=1)
    return np.take_along_axis(level, best[:, None], axis=1)[:, 0], LEVELS[best]


def _theta(series: Floats, level: Floats, constant: Floats, ahead: Floats) -> Floats:
    """Theta, as smoothing with half of the line's slope for drift (Hyndman and Billah 2003)."""
    start = (1 - (1 - constant) ** series.shape[1]) / constant
    drift = line(series)[1] / 2
    return level[:, None] + drift[:, None] * (ahead - 1 + start[:, None])


def _damped(series: Floats, ahead: Floats) -> Floats:
    """The damped trend (Gardner and McKenzie 1985)."""
    of_level, of_trend, phi = np.array(_DAMPED).T
    early = series[:, : min(series.shape[1], 12)]
    level = np.repeat(series[:, :1], len(phi), axis=1)
    trend = np.repeat(line(early)[1][:, None], len(phi), axis=1)
    squares = np.zeros_like(level)
    for month in range(1, series.shape[1]):
        error = series[:, month, None] - (level + phi * trend)
        squares += error**2
        level += phi * trend + of_level * error
        trend = phi * trend + of_level * of_trend * error
    best = squares.argmin(axis=1)[:, None]
    level, trend = np.take_along_axis(level, best, axis=1), np.take_along_axis(trend, best, axis=1)
    steps = np.cumsum(phi[best] ** ahead, axis=1)
    return level + trend * steps
