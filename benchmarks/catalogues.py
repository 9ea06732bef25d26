"""What a model has to read of each server's tools: name, description and input schema."""

from collections.abc import Iterator

from catalogue import standing_servers, visible_bytes

from benchmarks.figures import Figure

MOST_KILOBYTES, MOST_OF_ALL = 12, 60


def measure() -> Iterator[Figure]:
    """Add up, in the longer of the two forms that callers are shown."""
    total = 0.0
    for server in standing_servers():
        kilobytes = sum(visible_bytes(tool) for tool in server.spec.tools) / 1_000
        total += kilobytes
        yield Figure(
            f"{server.spec.name}: a model reads",
            f"{kilobytes:.1f} KB",
            f"{len(server.spec.tools)} tools",
            f"<= {MOST_KILOBYTES} KB",
            kilobytes <= MOST_KILOBYTES,
        )
    yield Figure("all that stand: a model reads", f"{total:.1f} KB", "", f"<= {MOST_OF_ALL} KB", total <= MOST_OF_ALL)
