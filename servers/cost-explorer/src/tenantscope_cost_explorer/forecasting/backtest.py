"""What the same method would have said at earlier months, beside what came."""

from dataclasses import dataclass

import numpy as np

from tenantscope_cost_explorer.forecasting.ahead import SHORTEST, months_ahead, season_of
from tenantscope_cost_explorer.forecasting.season import YEAR, Floats

MOST_ORIGINS = 12


@dataclass(frozen=True, slots=True)
class Rolled:
    """Forecasts from earlier months: rows x origins x steps, not a number where a step has not come yet."""

    errors: Floats
    """What came less what was forecast."""
    naive: Floats
    """The same, for a forecast that nothing changes."""
    seasonal_naive: Floats
    """The same, for one that repeats the month a year before; not a number without a year of history."""
    actual: Floats
    scale: Floats
    """Rows x origins: the mean change a month before each origin, season apart; not a number where nothing changed."""

    @property
    def scaled(self) -> Floats:
        """Absolute errors in units of `scale`: these compare between series."""
        return np.abs(self.errors) / self.scale[:, :, None]

    @property
    def scaled_totals(self) -> Floats:
        """Absolute errors of the whole horizon's sum in units of `scale` (rows x origins)."""
        return np.abs(self.errors.sum(axis=2)) / self.scale

    @property
    def typical(self) -> Floats:
        """The mean scaled error of each row; not a number where none is known."""
        known = np.isfinite(self.scaled)
        count = known.sum(axis=(1, 2))
        summed = np.where(known, self.scaled, 0.0).sum(axis=(1, 2))
        return np.where(count > 0, summed / np.maximum(count, 1), np.nan)

    @property
    def count(self) -> int:
        """Origins from which at least one month has come."""
        return self.errors.shape[1]


def rolled(series: Floats, horizon: int, last_month: int, fleet: Floats | None = None) -> Rolled:
    """Forecast again from each of the last months, with nothing known but what came before.

    Origins keep at least two thirds of the history, and six months, and are the newest twelve, so that these forecasts had
    about as much to go by as the one for which they speak. `fleet` (months) is what a season is borrowed from.
    """
    rows, months = series.shape
    origins = max(0, min(MOST_ORIGINS, months - max(SHORTEST, -(-2 * months // 3))))
    shape = (rows, origins, horizon)
    errors, naive, seasonal, actual = (np.full(shape, np.nan) for _ in range(4))
    scale = np.full((rows, origins), np.nan)
    for place in range(origins):
        back = place + 1
        known, come = series[:, :-back], series[:, months - back :][:, :horizon]
        steps = come.shape[1]
        towards = None if fleet is None else season_of(fleet[:-back], (last_month - back) % YEAR)
        ahead, change = months_ahead(known, steps, (last_month - back) % YEAR, towards)
        errors[:, place, :steps] = come - ahead
        naive[:, place, :steps] = come - known[:, -1:]
        if known.shape[1] >= YEAR:
            seasonal[:, place, :steps] = come - known[:, -YEAR:][:, np.arange(steps) % YEAR]
        actual[:, place, :steps] = come
        scale[:, place] = np.where(change > 0, change, np.nan)
    return Rolled(errors, naive, seasonal, actual, scale)


@dataclass(frozen=True, slots=True)
class Score:
    """How far off forecasts were. Percentages are of what came; None where that was nothing, or no step came."""

    origins: int
    mape: float | None
    """Mean absolute error of a month, in percent of what came."""
    total_error: float | None
    """Median absolute error of the whole horizon's sum, in percent of what came."""
    naive_mape: float | None
    seasonal_naive_mape: float | None


def score(one: Rolled, row: int = 0) -> Score:
    """The score of one row."""
    actual = one.actual[row]
    came = np.abs(actual.sum(axis=1))
    totals = np.abs(one.errors[row].sum(axis=1))
    known = ~np.isnan(totals) & (came > 0)
    return Score(
        origins=one.count,
        mape=_percent(one.errors[row], actual),
        total_error=float(np.median(totals[known] / came[known]) * 100) if known.any() else None,
        naive_mape=_percent(one.naive[row], actual),
        seasonal_naive_mape=_percent(one.seasonal_naive[row], actual),
    )


def _percent(errors: Floats, actual: Floats) -> float | None:
    known = ~np.isnan(errors) & (actual != 0)
    return float((np.abs(errors[known]) / np.abs(actual[known])).mean() * 100) if known.any() else None
