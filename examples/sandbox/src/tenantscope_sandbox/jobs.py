"""The servers' own jobs, run as an operator runs them: the tables in PostgreSQL, the nightly rollups."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .hosts import ON_POSTGRES

if TYPE_CHECKING:
    from .sandbox import Sandbox

TIMEOUT_SECONDS = 900


def run_job(sandbox: "Sandbox", server: str, *words: str, quiet: bool = False) -> None:
    """Run `tenantscope-<server> <words>` with a token of the provider.

    Raises:
        subprocess.CalledProcessError: It failed; it has said why.
    """
    environment = {**os.environ, **sandbox.server_env(server, provider=True)}
    if server in ON_POSTGRES:
        environment["TENANTSCOPE_POSTGRES_OWNER_DSN"] = sandbox.postgres_owner_dsn
    command = [str(Path(sys.executable).with_name(f"tenantscope-{server}")), *words]
    subprocess.run(command, env=environment, check=True, timeout=TIMEOUT_SECONDS, capture_output=quiet)


def migrate(sandbox: "Sandbox", *, quiet: bool = False) -> None:
    """Bring the tables of every server that has some up to date."""
    for server in ON_POSTGRES:
        run_job(sandbox, server, "migrate", quiet=quiet)
