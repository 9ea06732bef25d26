"""A figure with its goal, and the table of them."""

import importlib
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_started = time.monotonic()


@dataclass(frozen=True)
class Figure:
    """One measured thing; `met` is None where there is no goal, as for a peer."""

    what: str
    measured: str
    beside: str = ""
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Measurement:
    """A module of this package whose `measure()` says how far it has come and gives its figures."""

    name: str
    about: str

    def run(self) -> Iterable[Figure]:
        """Measure."""
        return importlib.import_module(f"benchmarks.{self.name}").measure()


def say(line: str) -> None:
    """Tell how far it has come."""
    print(f"[{time.monotonic() - _started:5.0f} s] {line}", file=sys.stderr, flush=True)


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    rows = [("what", "measured", "beside", "goal", "")]
    rows += [(f.what, f.measured, f.beside, f.goal, {True: "ok", False: "MISSED", None: ""}[f.met]) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths).rstrip(), *lines[1:]])
