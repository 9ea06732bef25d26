"""What every test has: one event loop of the standard library's kind, and the sandboxes."""

import pytest

COMPANIES = ("sandbox", "wayfarer")
"""Fixtures that take long to make and that no test changes."""

pytest_plugins = ["fixtures.sandbox", "fixtures.small_company", "fixtures.serving"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, where tests run side by side, what shares a company; else a file's tests."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        shared = next((name for name in COMPANIES if name in used), None)
        item.add_marker(pytest.mark.xdist_group(shared or f"{item.path.parent.name}.{item.path.stem}"))
