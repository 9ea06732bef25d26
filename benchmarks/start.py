"""From the start of a process to its answer to `initialize` over stdio, and its peak memory after `tools/list`."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import IO, Any

from benchmarks.figures import Figure, say
from benchmarks.parts import FLOOR, SERVERS, console_script, environment

RUNS = 9
MOST_TIMES_SLOWER, MOST_TIMES_LARGER = 1.2, 1.25
_CLIENT = {"name": "bench", "version": "1"}
_INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT}


def measure() -> Iterator[Figure]:
    """Start each in turn, several times over."""
    commands = {"floor": FLOOR, **{server: console_script(server) for server in SERVERS}}
    settings = {"floor": dict(os.environ), **{server: environment(server) for server in SERVERS}}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for run in range(RUNS + 1):
        for name, command in commands.items():
            seen = _start(command, settings[name])
            if run:  # the first fills the caches of the disk
                found[name].append(seen)
        say(f"start: {run} of {RUNS}")
    floor_seconds, floor_megabytes = (median(column) for column in zip(*found.pop("floor"), strict=True))
    for name, runs in found.items():
        seconds, megabytes = (median(column) for column in zip(*runs, strict=True))
        slower, larger = seconds / floor_seconds, megabytes / floor_megabytes
        yield Figure(
            f"{name}: spawn to initialize",
            f"{seconds:.2f} s, {slower:.2f} x",
            f"floor {floor_seconds:.2f} s",
            f"<= {MOST_TIMES_SLOWER} x",
            slower <= MOST_TIMES_SLOWER,
        )
        yield Figure(
            f"{name}: peak memory after tools/list",
            f"{megabytes:.0f} MB, {larger:.2f} x",
            f"floor {floor_megabytes:.0f} MB",
            f"<= {MOST_TIMES_LARGER} x",
            larger <= MOST_TIMES_LARGER,
        )


def _start(command: Sequence[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Seconds and megabytes of one start."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        _ask(process.stdin, process.stdout, 1, "initialize", _INITIALIZE)
        seconds = time.perf_counter() - started
        _send(process.stdin, {"method": "notifications/initialized"})
        _ask(process.stdin, process.stdout, 2, "tools/list", {})
        return seconds, _peak_megabytes(process.pid)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def _ask(to: IO[bytes], answers: IO[bytes], number: int, method: str, params: Mapping[str, Any]) -> None:
    _send(to, {"id": number, "method": method, "params": dict(params)})
    answer = json.loads(answers.readline())
    if answer.get("id") != number or "error" in answer:
        raise RuntimeError(f"{method} was not answered: {answer}")


def _send(to: IO[bytes], message: dict[str, Any]) -> None:
    to.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    to.flush()


def _peak_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024
