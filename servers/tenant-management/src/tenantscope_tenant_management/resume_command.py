"""The `resume` command: goes on with workflows that stopped and sends events that wait; run it every few minutes."""

import argparse

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.serving.job_output import say
from tenantscope_core.serving.spec import Runtime

from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.open import open_sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: nothing."""


async def resume(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: 0 where nothing is left to go on with."""
    from tenantscope_tenant_management.sources.jobs.resuming import Resuming  # not loaded by a server that only answers

    async with open_sources(runtime) as sources:
        sources.require_admin()
        left = await Resuming(sources, aws, runtime.session_of, clock=runtime.clock, say=say).run()
    return 1 if left else 0
