"""Intervals from the errors of earlier forecasts: so wide that the asked share of them would have been inside."""

from dataclasses import dataclass

import numpy as np

from tenantscope_cost_explorer.forecasting.season import Floats

LEVELS = (0.80, 0.95)
ENOUGH = 40
"""Errors below which the tail of a distribution is not known: the 95th of a hundred needs about as many."""
_WALK = (1.606, 2.456)
"""Half widths, in mean absolute changes, of a random walk with normal steps after one step: 1.2816 and 1.9600 standard
deviations, of which a mean absolute change is 0.7979."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Half widths in units of a series' scale: levels x steps, and of the whole horizon's sum; from how many errors."""

    steps: Floats
    total: Floats
    errors: int

    @property
    def told(self) -> int:
        """How many errors told the widths: none where they are those of a random walk."""
        return self.errors if self.errors >= ENOUGH else 0


def widths(scaled: Floats, totals: Floats) -> Widths:
    """Split conformal half widths (Vovk et al. 2005; Lei et al. 2018), never narrower at a later step.

    `scaled` (errors x steps) and `totals` (errors) are absolute scaled errors of rolling origins, of one series or of
    many: pooling takes them for draws of one distribution. A step of which fewer than `ENOUGH` are known is as wide as
    one of a random walk, and no narrower than the step before.
    """
    horizon = scaled.shape[1]
    ahead = np.arange(1, horizon + 1, dtype=np.float64)
    steps = np.empty((len(LEVELS), horizon))
    total = np.empty(len(LEVELS))
    # A walk's sum over h steps has the variance h(h+1)(2h+1)/6 of its steps'.
    walk_total = np.sqrt(horizon * (horizon + 1) * (2 * horizon + 1) / 6)
    for place, (level, walk) in enumerate(zip(LEVELS, _WALK, strict=True)):
        for step in range(horizon):
            found = _quantile(scaled[:, step], level)
            steps[place, step] = walk * np.sqrt(ahead[step]) if found is None else found
        found = _quantile(totals, level)
        total[place] = walk * walk_total if found is None else found
    steps = np.maximum.accumulate(np.maximum.accumulate(steps, axis=1), axis=0)
    return Widths(steps, np.maximum.accumulate(total), int(np.isfinite(scaled[:, 0]).sum()))


def _quantile(errors: Floats, level: float) -> float | None:
    """The (n + 1) x level-th smallest of n errors; None of too few."""
    known = np.sort(errors[np.isfinite(errors)])
    if len(known) < ENOUGH:
        return None
    return float(known[min(int(np.ceil((len(known) + 1) * level)), len(known)) - 1])


def covered(scaled: Floats, steps: Floats) -> list[float | None]:
    """The share of errors (origins x steps) that were inside, in percent, for each level; None of none."""
    known = np.isfinite(scaled)
    if not known.any():
        return [None for _ in LEVELS]
    return [float((scaled <= level)[known].mean() * 100) for level in steps]
