"""A company of their own for tests of jobs, which go through all its tenants; and the jobs as an operator runs them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.small_company import as_item, own_company
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.items import plain

Job = Callable[..., "Ran"]


class Ran:
    """A job that has ended: its exit code, and the lines that it printed."""

    def __init__(self, code: int, out: str, errors: str) -> None:
        self.code = code
        self.lines = out.splitlines()
        self.errors = errors

    def number(self, pattern: str) -> int:
        """The number in the one line that a pattern with one group fits."""
        (found,) = [match for line in self.lines if (match := re.fullmatch(pattern, line))]
        return int(found[1].replace(",", ""))


small_company = own_company("session")


def read(sandbox: Sandbox, tenant: str) -> dict[str, Any]:
    """A tenant's record as it stands."""
    key = as_item({"tenantId": tenant})
    return plain(sandbox.client("dynamodb").get_item(TableName=sandbox.table, Key=key)["Item"])


@pytest.fixture
def job(small_company: Sandbox) -> Job:
    """Run a job of the server, with changes to its environment."""

    def run(*words: str | Path, **changes: str) -> Ran:
        given = small_company.server_env("tenant-management", provider=True)
        environment = {**os.environ, **given, "TENANTSCOPE_QUIET_SECONDS": "0.1", **changes}
        command = [Path(sys.executable).with_name("tenantscope-tenant-management"), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
