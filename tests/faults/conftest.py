"""Servers under load while one dependency at a time is down, slow or hanging, and the parts mended after each test."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from fixtures.clock import MovingClock
from fixtures.serving import SERVERS, Served, environment_of, serve
from tenantscope_sandbox import Sandbox

from .heartbeat import heartbeat
from .load import CALL_TIMEOUT_SECONDS

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def company(small_company: Sandbox) -> Iterator[Sandbox]:
    """The small company; whatever a test broke of it is mended again."""
    yield small_company
    for part in ("aws", "issuer", "valkey"):
        if small_company.is_running(part):
            small_company.resume_part(part)
        small_company.start_part(part)
    small_company.emulator.clear_faults()


@pytest.fixture
def server_in(company: Sandbox, clock: MovingClock) -> Serve:
    """Serves one server by name, under a heartbeat, with a call's timeout that tests can wait for."""

    @asynccontextmanager
    async def of(name: str, **changes: str) -> AsyncGenerator[Served]:
        server = next(one for one in SERVERS if one.spec.name == name)
        settings = {"TENANTSCOPE_CALL_TIMEOUT_SECONDS": str(CALL_TIMEOUT_SECONDS), **changes}
        environment = environment_of(server, company, **settings)
        async with heartbeat(), serve(server.spec, environment, company, clock=clock) as served:
            yield served

    return of
