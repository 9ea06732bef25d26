"""The parts of the sandbox: each a real server, started as a child process on a loopback port."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tenantscope_sandbox.processes import Process
from tenantscope_sandbox.state import State

from . import aws, issuer, postgres, valkey


class Starts(Protocol):
    """What starts a part on a port."""

    def __call__(self, state: State, port: int, progress: Callable[[str], None]) -> Process:
        """Start it, and return at once."""
        ...


@dataclass(frozen=True)
class Part:
    """How one part starts, and when it is ready."""

    name: str
    start: Starts
    ready: Callable[[State, int], bool]
    external: Callable[[], bool] = lambda: False
    stop_signal: int = signal.SIGTERM
    patience_seconds: float = 60.0


PARTS = {
    part.name: part
    for part in (
        Part("aws", aws.start, aws.ready),
        Part("postgres", postgres.start, postgres.ready, postgres.external, signal.SIGINT),
        Part("valkey", valkey.start, valkey.ready, valkey.external),
        Part("issuer", issuer.start, issuer.ready),
    )
}
