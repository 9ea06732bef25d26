"""A server's process over stdio, asked what every host asks first."""

import json
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CLIENT = {"name": "bench", "version": "1"}
# The handshake that servers on older SDKs speak too.
_INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT}
_ANSWER_SECONDS, _END_SECONDS = 60.0, 20.0


@dataclass(frozen=True)
class Started:
    """One start: wall and CPU time to the answer to `initialize`, then peak memory and tools after `tools/list`."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    tools: list[dict[str, Any]]

    @property
    def visible_bytes(self) -> int:
        """What a model has to read of the tools: name, description and input schema."""
        seen = [[tool["name"], tool.get("description", ""), tool["inputSchema"]] for tool in self.tools]
        return sum(len(json.dumps(each, separators=(",", ":")).encode()) for each in seen)


def start(command: Sequence[str], env: Mapping[str, str], folder: Path) -> Started:
    """Start a server in a folder, shake hands, list its tools and end it.

    Raises:
        RuntimeError: It ends, answers with an error, or does not answer.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(env), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        _ask(process, 1, "initialize", _INITIALIZE)
        seconds, cpu_seconds = time.perf_counter() - began, cpu_seconds_of(process.pid)
        _send(process, {"method": "notifications/initialized"})
        tools: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        for number in range(2, 100):
            page = _ask(process, number, "tools/list", cursor)
            tools += page["tools"]
            if not page.get("nextCursor"):
                break
            cursor = {"cursor": page["nextCursor"]}
        return Started(seconds, cpu_seconds, _peak_megabytes(process.pid), tools)
    finally:
        _end(process)


def cpu_seconds_of(pid: int) -> float:
    """CPU time that a process has had, all its threads together, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _ask(process: subprocess.Popen[bytes], number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    _send(process, {"id": number, "method": method, "params": dict(params)})
    until = time.monotonic() + _ANSWER_SECONDS
    assert process.stdout is not None
    while time.monotonic() < until:
        if not select.select([process.stdout], [], [], 1.0)[0]:
            continue
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"it ended at {method} with exit code {process.wait(_END_SECONDS)}")
        if not line.startswith(b"{"):
            continue  # what some print beside the protocol
        answer = json.loads(line)
        if answer.get("id") == number:
            if "error" in answer:
                raise RuntimeError(f"{method} was refused: {answer['error'].get('message')}")
            return answer["result"]
    raise RuntimeError(f"{method} was not answered within {_ANSWER_SECONDS:.0f} s")


def _send(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_SECONDS)
    process.stdout.close()


def _peak_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024
