"""What every test has: one event loop of the standard library's kind, and the sandboxes."""

import pytest

pytest_plugins = ["fixtures.sandbox", "fixtures.small_company", "fixtures.serving"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, where tests run side by side, what shares a sandbox: a file's tests, and all of the company's."""
    for item in items:
        of_company = "sandbox" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("company" if of_company else item.path.stem))
