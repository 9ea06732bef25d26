"""A real Valkey, and a process that counts into it."""

from collections.abc import Callable
from typing import Any

import pytest
from fixtures.clock import Clock
from fixtures.stores import (
    stores_state as stores_state,
)
from fixtures.stores import (
    valkey_part as valkey_part,
)
from fixtures.valkeys import (
    valkey_admin as valkey_admin,
)
from fixtures.valkeys import (
    valkey_store as valkey_store,
)
from fixtures.valkeys import (
    valkey_url as valkey_url,
)
from tenantscope_core.metering.calls import CallRecord
from tenantscope_core.metering.counts import UseCounts
from tenantscope_core.stores.valkey import ValkeyStore

OpenCounts = Callable[..., UseCounts]


def call(tenant: str | None = "acme", outcome: str = "ok", *, audience: str = "tenant", **more: Any) -> CallRecord:
    """A call of 10 ms that answered 400 bytes, unless told otherwise."""
    fields: dict[str, Any] = {"milliseconds": 10.0, "answer_bytes": 400, **more}
    return CallRecord("s", "t", tenant, audience, "ann", None, outcome, **fields)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(valkey_store: ValkeyStore, clock: Clock) -> OpenCounts:
    """What counts in one server's process, by the process's name."""

    def opened(name: str = "p1", store: ValkeyStore = valkey_store, **bounds: Any) -> UseCounts:
        return UseCounts(lambda: store, process=name, clock=clock, **bounds)

    return opened
