"""The `measure` command: writes what the servers have counted into the registry; run it nightly or by the hour."""

import argparse

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import NotSetUp
from tenantscope_core.serving.job_output import say
from tenantscope_core.serving.settings import PREFIX
from tenantscope_core.serving.spec import Runtime

from tenantscope_tenant_management.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: nothing."""


async def measure(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: 0 where every tenant's counts were read.

    Raises:
        NotSetUp: The servers count nowhere that could be read.
    """
    from tenantscope_core.stores.valkey import ValkeyStore

    from tenantscope_tenant_management.sources.jobs.measuring import Measuring

    settings = runtime.settings
    if settings.valkey_url is None:
        raise NotSetUp(f"The servers' counts are in Valkey; set {PREFIX}VALKEY_URL.")
    async with ValkeyStore(settings.valkey_url.get_secret_value()) as valkey:
        return await Measuring(settings, aws, valkey, clock=runtime.clock, say=say).run()
