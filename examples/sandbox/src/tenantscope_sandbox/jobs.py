"""The servers' own jobs, run as an operator runs them: the tables in PostgreSQL, the nightly rollups."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .hosts import ON_POSTGRES
from .processes import PartFailed

if TYPE_CHECKING:
    from .sandbox import Sandbox

TIMEOUT_SECONDS = 900


def run_job(sandbox: "Sandbox", server: str, *words: str) -> str:
    """Run `tenantscope-<server> <words>` with a token of the provider; return the last line that it prints.

    Raises:
        PartFailed: It failed; the message is what it said.
    """
    environment = {**os.environ, **sandbox.server_env(server, provider=True)}
    if server in ON_POSTGRES:
        environment["TENANTSCOPE_POSTGRES_OWNER_DSN"] = sandbox.postgres_owner_dsn
    command = [str(Path(sys.executable).with_name(f"tenantscope-{server}")), *words]
    done = subprocess.run(command, env=environment, timeout=TIMEOUT_SECONDS, capture_output=True, text=True)
    if done.returncode:
        raise PartFailed(f"{server} {' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def migrate(sandbox: "Sandbox") -> None:
    """Bring the tables of every server that has some up to date."""
    for server in ON_POSTGRES:
        run_job(sandbox, server, "migrate")
