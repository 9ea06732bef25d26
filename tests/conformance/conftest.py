"""The packages of npm, installed once."""

from pathlib import Path

import pytest
from conformance.node import Node, NotInstalled, install


@pytest.fixture(scope="session")
def packages() -> Path:
    try:
        return install()
    except NotInstalled as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def node(packages: Path, tmp_path: Path) -> Node:
    return Node(packages, tmp_path)
