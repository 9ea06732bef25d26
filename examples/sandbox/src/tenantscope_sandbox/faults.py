"""Faults in the emulated cloud, and the record of what reached it: the client side of the emulator's control seam."""

import http.client
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenantscope_sandbox.processes import wait_until


class EmulatorControl:
    """Sets faults and reads the request log of a running emulator."""

    def __init__(self, port: int, log: Path) -> None:
        self._port = port
        self._log = log

    def set_faults(self, *faults: dict[str, Any]) -> None:
        """Put these faults in force instead of any before; see examples/sandbox/README.md for their fields.

        Raises:
            ValueError: A fault has a field or a kind that the emulator does not know.
        """
        self._call("PUT", "faults", list(faults))

    def clear_faults(self) -> None:
        """Let every service be well again."""
        self._call("DELETE", "faults")

    @contextmanager
    def faults(self, *faults: dict[str, Any]) -> Generator[None]:
        """Hold faults in force for a block."""
        self.set_faults(*faults)
        try:
            yield
        finally:
            self.clear_faults()

    def struck(self) -> list[int]:
        """Return how many requests each fault in force has struck, in the order in which they were set.

        A request counts from the moment on which it feels the fault: one that hangs counts while it hangs, and with
        `after` the service has then performed it.
        """
        return [fault["struck"] for fault in self._call("GET", "faults")["faults"]]

    def wait_struck(self, strikes: int = 1, timeout_seconds: float = 30.0) -> None:
        """Wait until the faults in force have struck this many requests together.

        Raises:
            TimeoutError: They have not within the time.
        """
        if not wait_until(lambda: sum(self.struck()) >= strikes, timeout_seconds):
            raise TimeoutError(f"the faults struck fewer than {strikes} requests in {timeout_seconds} s")

    def checkpoint(self) -> None:
        """Save what changed to disk now, so that even a killed emulator keeps it."""
        self._call("POST", "checkpoint")

    def mark(self) -> int:
        """Return the present end of the request log, from which `requests` may read on."""
        return self._log.stat().st_size

    def requests(self, since: int = 0, **matching: Any) -> list[dict[str, Any]]:
        """Return the requests recorded after a mark whose fields equal those given, such as service="sts"."""
        return [
            record
            for record in self._records(since)
            if all(record.get(field) == value for field, value in matching.items())
        ]

    def _records(self, since: int) -> Iterator[dict[str, Any]]:
        with self._log.open(encoding="utf-8") as file:
            file.seek(since)
            for line in file:
                yield json.loads(line)

    def _call(self, method: str, what: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, f"/_sandbox/{what}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"the emulator refused: {text}")
        return json.loads(text)
