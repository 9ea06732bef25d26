"""What every test has: one event loop of the standard library's kind."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
