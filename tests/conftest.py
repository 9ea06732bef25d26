"""What every test has: one event loop of the standard library's kind, and the sandboxes."""

import pytest

pytest_plugins = ["fixtures.sandbox", "fixtures.small_company", "fixtures.serving"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
