"""The `adopt` command: takes in the tenants that other control planes wrote into the registry."""

import argparse

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.serving.job_output import say
from tenantscope_core.serving.spec import Runtime

from tenantscope_tenant_management.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--dry-run", action="store_true", help="only say how many tenants lack something")


async def adopt(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: 0 where every tenant that was found has what it needs, 1 where some could not be changed."""
    from tenantscope_tenant_management.sources.jobs.adopting import Adopter  # not loaded by a server that only answers

    dry_run: bool = arguments.dry_run
    adopter = Adopter(runtime.settings, aws, clock=runtime.clock, say=say, dry_run=dry_run)
    counted = await adopter.run()
    done = "would be taken in" if dry_run else "taken in"
    failed = f", {counted.failed} failed" if counted.failed else ""
    say(f"adopt: {counted.seen} tenants looked at, {counted.adopted} {done}{failed}")
    return 1 if counted.failed else 0
