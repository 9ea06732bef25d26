"""The `rollup` command: its words, its settings, what it prints."""

import argparse

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.serving.job_output import say
from tenantscope_core.serving.open_datasets import open_datasets
from tenantscope_core.serving.rollup_words import add_rollup_words, rolled, rollup_folder
from tenantscope_core.serving.spec import Runtime

from tenantscope_pricing.settings import Settings
from tenantscope_pricing.sources.books import Books
from tenantscope_pricing.sources.use import Use


async def rollup(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: rates and prints what it does; 1 where a month failed."""
    from tenantscope_core.stores.workbench import Limits  # not loaded by a server that only answers

    from tenantscope_pricing.rollup import Rollup

    settings = runtime.settings
    with rollup_folder(settings) as folder, open_datasets(runtime) as datasets:
        work = Rollup(
            aws,
            settings.datasets_bucket,
            await Books(datasets.reader, datasets.engine).book(aws, None),
            Use(datasets.reader, datasets.engine),
            registry=settings.tenants_table,
            folder=folder,
            clock=runtime.clock,
            say=say,
            limits=Limits(settings.rollup_memory, settings.rollup_threads),
        )
        return await rolled(work, arguments)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_rollup_words(parser, months="months")
