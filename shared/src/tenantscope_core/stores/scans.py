"""What the queries of one call read and were billed for, where the engine bills by the byte."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Scans:
    """Queries of a call that ended, bytes that they read, and how many were answered by an earlier result."""

    queries: int = 0
    bytes: int = 0
    reused: int = 0


_of_this_call: ContextVar[Scans | None] = ContextVar("scans_of_this_call", default=None)


@contextmanager
def counting_scans() -> Generator[Scans]:
    """Count the queries of the block, also of the tasks that it starts."""
    scans = Scans()
    mark = _of_this_call.set(scans)
    try:
        yield scans
    finally:
        _of_this_call.reset(mark)


def count_scan(scanned_bytes: int, *, reused: bool) -> None:
    """Add one query to the call that it is of, if it is of one."""
    scans = _of_this_call.get()
    if scans is not None:
        scans.queries += 1
        scans.bytes += scanned_bytes
        scans.reused += reused
