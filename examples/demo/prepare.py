"""Starts the sandbox unless it runs, and runs the servers' jobs on it: tables in PostgreSQL, prices, rollups."""

import sys
import time
from pathlib import Path

from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.company import PRICE_BOOK
from tenantscope_sandbox.jobs import run_job
from tenantscope_sandbox.state import default_directory

BINARIES = Path(sys.executable).parent
TIERS = Path(__file__).parents[1] / "sandbox/tiers.yaml"
JOBS = (
    ("tenant-management", "publish-tiers", str(TIERS), "--commit"),
    ("tenant-management", "adopt"),
    ("semantic-cache", "migrate"),
    ("memory", "migrate"),
    ("pricing", "publish-book", str(PRICE_BOOK), "--commit"),
    ("metrics-logs", "rollup"),
    ("pricing", "rollup"),
    ("cost-explorer", "rollup"),
)
"""In this order: each reads what those before it wrote. What is done already is skipped by the job itself."""


def say(line: str = "") -> None:
    """Print a line at once."""
    print(line, flush=True)


def prepare(sandbox: Sandbox) -> None:
    """Run every job, and say in a line what each did.

    Raises:
        PartFailed: One failed; the message is what it said.
    """
    for server, job, *words in JOBS:
        started = time.perf_counter()
        told = run_job(sandbox, server, job, *words)
        say(
            f"[job] tenantscope-{server} {job}: {told.removeprefix(f'{job}: ')} ({time.perf_counter() - started:.0f} s)"
        )


if __name__ == "__main__":
    prepare(Sandbox.up(default_directory(), progress=lambda line: say(f"[sandbox] {line}")))
