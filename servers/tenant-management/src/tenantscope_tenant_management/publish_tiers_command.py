"""The `publish-tiers` command: reads a file of tiers, says what it changes, and with --commit publishes it."""

import argparse
from pathlib import Path

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.serving.job_output import say
from tenantscope_core.serving.spec import Runtime

from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.tier_table import TierTable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the tiers, YAML")
    parser.add_argument("--commit", action="store_true", help="publish them; without, only say what would change")


async def publish_tiers(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: 0 where the tiers may be published, or are, and every tenant on them has their terms."""
    from tenantscope_core.serving.owned_files import read_owned  # none of this is loaded by a server that only answers

    from tenantscope_tenant_management.sources.jobs.publishing import Publisher
    from tenantscope_tenant_management.tiers_file import parse_tiers

    listed = read_owned(arguments.file, parse_tiers, what="The tiers file")
    journal = Journal(runtime.settings.journal_table)
    before = {tier.name: tier for tier in await TierTable(journal).all(aws)}
    for tier in listed:
        state = "new" if tier.name not in before else "as it was" if before[tier.name] == tier else "changes"
        say(f"{tier.name}: {len(tier.features)} features, {len(tier.quotas)} quotas, {state}")
    publisher = Publisher(runtime.settings, aws, clock=runtime.clock, say=say)
    gone = [name for name in before if name not in {tier.name for tier in listed}]
    for name in gone:
        if await publisher.has_tenants(name):
            say(f"refused: tenants are on {name}, which the file no longer has; move them first")
            return 1
    if not arguments.commit:
        say("dry run: nothing is written; --commit publishes them")
        return 0
    return await publisher.publish(listed)
