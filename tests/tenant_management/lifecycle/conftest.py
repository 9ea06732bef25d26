"""A company of their own for tests in which tenants come and go: others count its tenants."""

from collections.abc import Iterator

import pytest
from fixtures.small_company import registered_company
from tenantscope_sandbox import Sandbox


@pytest.fixture(scope="session")
def small_company() -> Iterator[Sandbox]:
    with registered_company() as (sandbox, _):
        yield sandbox
