"""Memory and time of whole calls, HTTP left out, as tenants become many in one process."""

from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure, say
from benchmarks.probe import probe

FEW, MANY = 10, (1_000, 10_000)
RUNS = 3
MOST_KILOBYTES, MOST_TIMES_SLOWER = 20, 2.0


def measure() -> Iterator[Figure]:
    """Let each tenant call once, then tenants at random; each number of tenants in a process of its own, in turn."""
    runs: list[dict[int, dict[str, float]]] = []
    for number in range(RUNS):
        runs.append({tenants: probe("calls", tenants) for tenants in (FEW, *MANY)})
        say(f"tenants: {number + 1} of {RUNS}")
    for tenants in MANY:
        kilobytes = median(run[tenants]["kilobytes"] for run in runs)
        yield Figure(
            f"{tenants:,} warm tenants: memory each",
            f"{kilobytes:.1f} KB",
            "",
            f"<= {MOST_KILOBYTES} KB",
            kilobytes <= MOST_KILOBYTES,
        )
        slower = median(run[tenants]["p99"] / run[FEW]["p99"] for run in runs)
        yield Figure(
            f"{tenants:,} warm tenants: p99 of a call",
            f"{median(run[tenants]['p99'] for run in runs):.0f} us, {slower:.2f} x",
            f"{FEW} tenants {median(run[FEW]['p99'] for run in runs):.0f} us",
            f"<= {MOST_TIMES_SLOWER} x",
            slower <= MOST_TIMES_SLOWER,
        )
