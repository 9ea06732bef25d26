"""Botocore's own ways to keep tenants apart beside clients that sign with the credentials of the call."""

from collections.abc import Iterator

from benchmarks.figures import Figure, say
from benchmarks.probe import probe

WAYS = {"sessions": ("a session for each tenant", 15), "clients": ("clients for each tenant", 60)}
OURS = 2_000


def measure() -> Iterator[Figure]:
    """S3 and DynamoDB for each tenant, STS left out."""
    ours = probe("vault", OURS)
    beside = f"ours {ours['kilobytes']:.1f} KB, {ours['milliseconds']:.2f} ms"
    for way, (what, tenants) in WAYS.items():
        found = probe(way, tenants)
        say(f"isolation: {what}")
        yield Figure(what, f"{found['kilobytes']:,.0f} KB, {found['milliseconds']:.1f} ms", beside)
