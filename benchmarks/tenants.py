"""Memory and time of a warm session as tenants become many."""

from collections.abc import Iterator

from benchmarks.figures import Figure, say
from benchmarks.probe import probe

FEW, MANY = 10, (1_000, 10_000)
MOST_KILOBYTES, MOST_TIMES_SLOWER = 20, 2.0


def measure() -> Iterator[Figure]:
    """Fill a vault, then ask it for tenants at random."""
    few = probe("vault", FEW)
    for tenants in MANY:
        found = probe("vault", tenants)
        say(f"tenants: {tenants:,}")
        yield Figure(
            f"{tenants:,} warm tenants: memory each",
            f"{found['kilobytes']:.1f} KB",
            "",
            f"<= {MOST_KILOBYTES} KB",
            found["kilobytes"] <= MOST_KILOBYTES,
        )
        slower = found["p99"] / few["p99"]
        yield Figure(
            f"{tenants:,} warm tenants: p99 of a session",
            f"{found['p99']:.0f} us, {slower:.2f} x",
            f"{FEW} tenants {few['p99']:.0f} us",
            f"<= {MOST_TIMES_SLOWER} x of a whole call",
        )
