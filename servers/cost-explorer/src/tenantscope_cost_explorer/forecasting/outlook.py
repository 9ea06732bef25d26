"""One answer about what comes: of a tenant or the fleet, of cost, of revenue, or of what is between them."""

from dataclasses import dataclass

import numpy as np

from tenantscope_cost_explorer.forecasting.ahead import months_ahead, scale_of_past, season_of
from tenantscope_cost_explorer.forecasting.backtest import Rolled, Score, rolled, score
from tenantscope_cost_explorer.forecasting.intervals import Widths, covered, widths
from tenantscope_cost_explorer.forecasting.reconcile import reconciled
from tenantscope_cost_explorer.forecasting.season import Floats
from tenantscope_cost_explorer.forecasting.table import Table, all_ahead, pooled


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes of one series, how far it may be off, and how far it would have been."""

    ahead: Floats
    """The next months."""
    spread: Floats
    """Half widths: levels x months."""
    total_spread: Floats
    """Half widths of the months' sum: levels."""
    errors: int
    """How many errors the widths are from; 0 where they are those of a random walk."""
    score: Score
    coverage: list[float | None]
    """Of past months, the percentage that these widths would have covered, by level."""
    season: bool
    """Whether two years or the fleet's tell a season."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The forecasts of all rows, which sum to that of the whole, and each row's scale."""

    table: Table
    ahead: Floats
    scale: Floats


def of_series(series: Floats, horizon: int, last_month: int) -> Outlook:
    """The outlook of one series (1 x months) that nothing else is known beside."""
    past = rolled(series, horizon, last_month)
    pool = widths(past.scaled.reshape(-1, horizon), past.scaled_totals.reshape(-1))
    ahead, scale = months_ahead(series, horizon, last_month)
    scale = scale_of_past(series, scale)
    return _outlook(ahead[0], float(scale[0]), past, pool, season=season_of(series[0], last_month) is not None)


def of_fleet(table: Table, horizon: int) -> tuple[Outlook, Fleet]:
    """The outlook of the whole, and its rows' forecasts."""
    whole = table.whole[None, :]
    parts, scales = all_ahead(table, horizon)
    own, seen = months_ahead(whole, horizon, table.last_month)
    scale = scale_of_past(whole, seen)
    agreed = reconciled(parts, own[0], scales**2, float(scale[0]) ** 2)
    past = rolled(whole, horizon, table.last_month)
    found = pooled(table, horizon, whole.shape[1])
    # A sum is calmer than what it is of, and its errors are other parts of its changes: its own say how much.
    factor = found.factor(float(past.typical[0]), past.count)
    pool = widths(found.steps * factor, found.totals * factor)
    season = season_of(table.whole, table.last_month) is not None
    outlook = _outlook(agreed.sum(axis=0), float(scale[0]), past, pool, season=season)
    return outlook, Fleet(table, agreed, scales)


def of_row(fleet: Fleet, name: str | None) -> Outlook:
    """The outlook of one row of a fleet."""
    table, horizon = fleet.table, fleet.ahead.shape[1]
    series, place = table.row(name), table.names.index(name)
    past = rolled(series, horizon, table.last_month, table.whole)
    found = pooled(table, horizon, series.shape[1], without=name)
    pool = widths(found.steps, found.totals)
    season = season_of(table.whole, table.last_month) is not None
    own = season_of(series[0], table.last_month) is not None
    return _outlook(fleet.ahead[place], float(fleet.scale[place]), past, pool, season=season or own)


def between(revenue: Floats, cost: Floats, horizon: int, last_month: int) -> tuple[Floats, Floats, int]:
    """Half widths of revenue less cost (levels x months) and of its sum (levels), and from how many errors, as above.

    The errors of both are taken from the same origins and subtracted, so that what moves both together widens nothing.
    The series (1 x months) are of equal length.
    """
    paid, spent = (rolled(series, horizon, last_month) for series in (revenue, cost))
    scale = float(months_ahead(revenue - cost, horizon, last_month)[1][0]) or 1e-12
    errors = np.abs(paid.errors - spent.errors)[0] / scale
    pool = widths(errors, np.abs((paid.errors - spent.errors).sum(axis=2))[0] / scale)
    return pool.steps * scale, pool.total * scale, pool.told


def _outlook(ahead: Floats, scale: float, past: Rolled, pool: Widths, *, season: bool) -> Outlook:
    return Outlook(
        ahead=ahead,
        spread=pool.steps * scale,
        total_spread=pool.total * scale,
        errors=pool.told,
        score=score(past),
        coverage=covered(past.scaled[0], pool.steps),
        season=season,
    )
