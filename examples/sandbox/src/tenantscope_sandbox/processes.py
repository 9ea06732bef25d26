"""Child processes that outlive the command which started them, and are never mistaken for another."""

import os
import pwd
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

PORTS = range(20_000, 30_000)
"""Below the ports that systems give to outgoing connections, so that none takes a stopped part's port."""

_random = random.SystemRandom()
_given: set[int] = set()
_children: dict[int, subprocess.Popen[Any]] = {}
"""Children of this process, kept so that they can be reaped when they end."""


class PartFailed(RuntimeError):
    """A part did not start; the message names it and shows the end of its log."""


@dataclass(frozen=True)
class Process:
    """A process, known by its id and the time it started, so that a recycled id is not it."""

    pid: int
    started: float

    @classmethod
    def start(
        cls, command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None,
        cwd: Path | None = None, user: str | None = None,
    ) -> "Process":  # fmt: skip
        """Start a process in a session of its own, writing to a log."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=None if env is None else dict(env), cwd=cwd, start_new_session=True, **identity_of(user),
            )  # fmt: skip
        _children[child.pid] = child
        return cls(child.pid, psutil.Process(child.pid).create_time())

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        if child := _children.get(self.pid):
            child.poll()
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > 0.05:
                return False
            # A killed process is a zombie before its last thread has let go of the port it listened on.
            return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
        except psutil.NoSuchProcess:
            return False

    def send(self, number: int) -> None:
        """Send a signal to the process and its group, if it still is the one we started."""
        if self.alive():
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return

    def stop(self, number: int = signal.SIGTERM, patience_seconds: float = 15.0) -> None:
        """End the process and everything it started: with `number` first, by force when patience ends."""
        if not self.alive():
            return
        offspring = psutil.Process(self.pid).children(recursive=True)
        self.send(number)
        self.send(signal.SIGCONT)
        if not wait_until(lambda: not self.alive(), patience_seconds):
            self.send(signal.SIGKILL)
            wait_until(lambda: not self.alive(), 5.0)
        _, left = psutil.wait_procs(offspring, timeout=2.0)
        for process in left:
            process.kill()
        if child := _children.pop(self.pid, None):
            child.wait(5.0)

    def as_json(self) -> dict[str, float]:
        """Return it as the state keeps it."""
        return asdict(self)


def identity_of(user: str | None) -> dict[str, Any]:
    """Return the arguments with which subprocess runs something as a user of the system and of its group alone."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def wait_until(holds: Callable[[], bool], timeout_seconds: float) -> bool:
    """Wait until something holds, looking often at first; tell whether it did."""
    deadline = time.monotonic() + timeout_seconds
    pause = 0.01
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return True


def free_port(preferred: int | None = None) -> int:
    """Return the preferred port if nobody listens on it, else a free one of the loopback interface."""
    if preferred and is_free(preferred):
        return preferred
    for _ in range(200):
        port = _random.choice(PORTS)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise PartFailed("no free port on 127.0.0.1")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def tail(log: Path, lines: int = 20) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
