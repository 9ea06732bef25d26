"""Many series of unlike length: each begins with its first month that is not nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenantscope_cost_explorer.forecasting.ahead import SHORTEST, months_ahead, scale_of_past, season_of
from tenantscope_cost_explorer.forecasting.backtest import rolled
from tenantscope_cost_explorer.forecasting.season import YEAR, Floats

SAMPLED = 300
"""Series whose past forecasts are looked at: ten thousand would tell the same."""
_ALIKE = 4
"""How many origins the belief that a series is like the others counts as."""
BLOCK = 2_000
"""Rows worked on at once, so that a call that is cancelled ends soon."""


@dataclass(frozen=True, slots=True)
class Table:
    """Series by name, rows x months; the newest month is in calendar month `last_month` (0 is January)."""

    names: list[str | None]
    values: Floats
    last_month: int

    @property
    def whole(self) -> Floats:
        """All together, month by month."""
        return self.values.sum(axis=0)

    def row(self, name: str | None) -> Floats:
        """One series from its first month on (1 x months); empty of one that is not there."""
        if name not in self.names:
            return np.zeros((1, 0))
        values = self.values[self.names.index(name)]
        return values[None, begins(values[None, :])[0] :]


@dataclass(frozen=True, slots=True)
class Pool:
    """Absolute scaled errors of many series: of steps (errors x horizon), of sums, and the mean one of each series."""

    steps: Floats
    totals: Floats
    typical: Floats

    def factor(self, own: float, origins: int) -> float:
        """How much wider than these a series' errors are that is not one of their kind, drawn towards alike."""
        known = self.typical[np.isfinite(self.typical)]
        usual = float(np.median(known)) if len(known) else 0.0
        if usual <= 0 or not np.isfinite(own):
            return 1.0
        return (origins * own / usual + _ALIKE) / (origins + _ALIKE)


def begins(values: Floats) -> NDArray[np.intp]:
    """The first column of each row that is not nothing; the number of columns where all are."""
    something: NDArray[np.bool_] = values != 0
    first: NDArray[np.intp] = something.argmax(axis=1)
    first[~something.any(axis=1)] = values.shape[1]
    return first


def alike(values: Floats) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Rows that begin in the same month, from there on, some at a time; those of nothing are left out."""
    first = begins(values)
    for start in np.unique(first[first < values.shape[1]]):
        rows = np.flatnonzero(first == start)
        for at in range(0, len(rows), BLOCK):
            some = rows[at : at + BLOCK]
            yield some, values[some, start:]


def all_ahead(table: Table, horizon: int) -> tuple[Floats, Floats]:
    """The next months of every row (rows x horizon), their seasons drawn towards the whole's, and each row's scale."""
    towards = season_of(table.whole, table.last_month)
    ahead, scale = np.zeros((len(table.names), horizon)), np.zeros(len(table.names))
    for rows, series in alike(table.values):
        ahead[rows], seen = months_ahead(series, horizon, table.last_month, towards)
        scale[rows] = scale_of_past(series, seen)
    return ahead, scale


def pooled(table: Table, horizon: int, like: int, without: str | None = None) -> Pool:
    """The errors of past forecasts of a sample of the rows.

    `like` is the length of the series that they are to speak for: where it has two years, and so may have a season,
    only rows that have two as well are taken, else only those that have not, unless there are none. The row `without`
    stays out.
    """
    lengths = table.values.shape[1] - begins(table.values)
    fit = lengths > SHORTEST
    if without in table.names:
        fit[table.names.index(without)] = False
    seasoned = lengths >= 2 * YEAR
    alike_in_length = fit & (seasoned == (like >= 2 * YEAR))
    candidates = np.flatnonzero(alike_in_length if alike_in_length.any() else fit)
    chosen = _sample(candidates, np.abs(table.values[candidates]).sum(axis=1))
    steps: list[Floats] = [np.zeros((0, horizon))]
    totals: list[Floats] = [np.zeros(0)]
    typical: list[Floats] = [np.zeros(0)]
    fleet = table.whole
    for _, series in alike(table.values[chosen]):
        one = rolled(series, horizon, table.last_month, fleet)
        steps.append(one.scaled.reshape(-1, horizon))
        totals.append(one.scaled_totals.reshape(-1))
        typical.append(one.typical)
    return Pool(np.concatenate(steps), np.concatenate(totals), np.concatenate(typical))


def _sample(rows: NDArray[np.intp], size: Floats) -> NDArray[np.intp]:
    """A third of the sample are the largest rows, the others evenly from the rest: always the same."""
    if len(rows) <= SAMPLED:
        return rows
    order = rows[np.argsort(-size, kind="stable")]
    largest, rest = order[: SAMPLED // 3], order[SAMPLED // 3 :]
    picks = np.linspace(0, len(rest) - 1, SAMPLED - len(largest)).astype(np.intp)
    return np.sort(np.concatenate([largest, rest[picks]]))
