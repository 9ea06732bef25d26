"""Starts the sandbox unless it runs, and runs the servers' jobs on it: tables in PostgreSQL, prices, rollups."""

import sys
from pathlib import Path

from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.company import PRICE_BOOK
from tenantscope_sandbox.jobs import migrate, run_job
from tenantscope_sandbox.state import default_directory

BINARIES = Path(sys.executable).parent
ROLLUPS = ("metrics-logs", "cost-explorer", "pricing")
"""In this order: each reads what those before it wrote."""


def say(line: str = "") -> None:
    """Print a line at once."""
    print(line, flush=True)


def prepare(sandbox: Sandbox) -> None:
    """Run every job; what is done already is skipped.

    Raises:
        subprocess.CalledProcessError: One failed; it has said why.
    """
    migrate(sandbox)
    run_job(sandbox, "pricing", "publish-book", str(PRICE_BOOK), "--commit")
    for server in ROLLUPS:
        run_job(sandbox, server, "rollup")


if __name__ == "__main__":
    prepare(Sandbox.up(default_directory(), progress=lambda line: say(f"[sandbox] {line}")))
