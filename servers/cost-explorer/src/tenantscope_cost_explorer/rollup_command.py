"""The `rollup` command: its words, its settings, what it prints."""

import argparse
from pathlib import Path

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.serving.job_output import say
from tenantscope_core.serving.open_datasets import open_datasets
from tenantscope_core.serving.owned_files import read_owned
from tenantscope_core.serving.rollup_words import add_rollup_words, rolled, rollup_folder
from tenantscope_core.serving.spec import Runtime

from tenantscope_cost_explorer.allocation.rules import RuleSet
from tenantscope_cost_explorer.settings import Settings


async def rollup(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: rolls up and prints what it does; 1 where a month failed."""
    from tenantscope_core.stores.workbench import Limits

    from tenantscope_cost_explorer.rollup import Rollup  # not loaded by a server that only answers
    from tenantscope_cost_explorer.sources.billing import open_bill
    from tenantscope_cost_explorer.sources.margin_rollup import MarginRollup

    settings = runtime.settings
    rules = load_rules(arguments.rules or settings.allocation_rules)
    url = arguments.billing_url or settings.billing_url or f"s3://{settings.datasets_bucket}/raw/billing/focus/data/"
    with rollup_folder(settings) as folder, open_datasets(runtime) as datasets:
        work = Rollup(
            aws,
            settings.datasets_bucket,
            open_bill(url, aws, folder / "bill"),
            rules,
            registry=settings.tenants_table,
            folder=folder,
            clock=runtime.clock,
            say=say,
            limits=Limits(settings.rollup_memory, settings.rollup_threads),
        )
        failed = await rolled(work, arguments)
        margins = MarginRollup(
            aws,
            settings.datasets_bucket,
            datasets.engine,
            registry=settings.tenants_table,
            folder=folder,
            clock=runtime.clock,
            say=say,
            limits=Limits(settings.rollup_memory, settings.rollup_threads),
        )
        return max(failed, await rolled(margins, arguments, what="margins"))


def load_rules(path: Path | None) -> RuleSet:
    """The rules in a file.

    Raises:
        InvalidArgument: There is none, or it is not valid.
    """
    from tenantscope_cost_explorer.allocation.rules_file import parse_rules

    if path is None:
        raise InvalidArgument("rollup needs the allocation rules: set TENANTSCOPE_ALLOCATION_RULES or pass --rules.")
    return read_owned(path, parse_rules, what="The file of the allocation rules")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_rollup_words(parser, months="billing months")
    parser.add_argument("--billing-url", metavar="URL", help="the bill, FOCUS or CUR 2.0: s3://…, a file or a folder")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="the allocation rules")
