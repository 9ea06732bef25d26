"""State that outlives a killed emulator: changed services are saved soon after a write, not only at shutdown."""

import asyncio
import time
from importlib import import_module
from typing import Any

QUIET_SECONDS = 0.5
READS = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "Filter", "Select", "Search")


def teach_sessions() -> None:
    """Let temporary credentials survive a restart, as they survive anything that happens to STS."""
    sts: Any = import_module("ministack.services.sts")

    def restore(data: dict[str, Any]) -> None:
        sts._sessions.update(data.get("sessions", {}))

    sts.get_state = lambda: {"sessions": dict(sts._sessions)}
    sts.load_persisted_state = restore


class Checkpoints:
    """Saves each changed service when it has been quiet for a moment, and never more than a tenth of the time."""

    def __init__(self) -> None:
        self._persistence: Any = import_module("ministack.core.persistence")
        self._app: Any = import_module("ministack.app")
        self._dirty: dict[str, float] = {}
        self._pause = QUIET_SECONDS

    def note(self, service: str, action: str, status: int) -> None:
        """Take note of an answered request; a successful write makes its service due."""
        if status < 400 and not action.startswith(READS):
            now = time.monotonic()
            # A stack changes every service that its resources belong to.
            for key in self._app._state_map if service == "cloudformation" else (service,):
                self._dirty[key] = now

    async def run(self) -> None:
        """Save what is due, for ever."""
        while True:
            await asyncio.sleep(self._pause)
            if self._dirty and time.monotonic() - max(self._dirty.values()) >= QUIET_SECONDS:
                await self.save()

    async def save(self) -> None:
        """Save the changed services now: copied on the event loop, where handlers change them, written off it."""
        started = time.monotonic()
        due, self._dirty = set(self._dirty), {}
        for key, get_state in self._app._build_persistence_save_dict().items():
            if due.isdisjoint({key, self._service_of(key)}):
                continue
            state = get_state()
            if state is not None:
                await asyncio.to_thread(self._persistence.save_state, key, state)
        self._pause = max(QUIET_SECONDS, 9 * (time.monotonic() - started))

    def _service_of(self, key: str) -> str:
        registry: dict[str, Any] = self._app.SERVICE_REGISTRY
        names = (name for name, entry in registry.items() if key in (name, entry["module"], entry.get("state_key")))
        return next(names, key)
