"""The `rollup` command: its words, its settings, what it prints."""

import argparse
import tempfile
from pathlib import Path

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.serving.rollup_words import add_rollup_words, exit_code, request_of
from tenantscope_core.serving.spec import Runtime

from tenantscope_cost_explorer.rules import RuleSet
from tenantscope_cost_explorer.settings import Settings


async def rollup(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: rolls up and prints what it does; 1 where a month failed."""
    from tenantscope_core.stores.workbench import Limits

    from tenantscope_cost_explorer.rollup import Rollup  # not loaded by a server that only answers
    from tenantscope_cost_explorer.sources.billing import open_bill

    settings = runtime.settings
    rules = load_rules(arguments.rules or settings.allocation_rules)
    url = arguments.billing_url or settings.billing_url or f"s3://{settings.datasets_bucket}/raw/billing/focus/data/"
    if settings.rollup_dir is not None:
        settings.rollup_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tenantscope-rollup-", dir=settings.rollup_dir) as folder:
        work = Rollup(
            aws,
            settings.datasets_bucket,
            open_bill(url, aws, Path(folder) / "bill"),
            rules,
            folder=Path(folder),
            clock=runtime.clock,
            say=lambda line: print(line, flush=True),  # noqa: T201
            limits=Limits(settings.rollup_memory, settings.rollup_threads),
        )
        outcomes = await work.run(request_of(arguments))
        if arguments.sweep:
            print(f"swept {await work.sweep():,} objects of earlier runs")  # noqa: T201
    return exit_code(outcomes)


def load_rules(path: Path | None) -> RuleSet:
    """The rules in a file.

    Raises:
        InvalidArgument: There is none, or it is not valid.
    """
    from tenantscope_cost_explorer.rules_file import RulesError, parse_rules

    if path is None:
        raise InvalidArgument("rollup needs the allocation rules: set TENANTSCOPE_ALLOCATION_RULES or pass --rules.")
    try:
        return parse_rules(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise InvalidArgument(f"The allocation rules at {path} cannot be read.") from None
    except RulesError as error:
        raise InvalidArgument(f"{path}: {error}") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_rollup_words(parser, months="billing months")
    parser.add_argument("--billing-url", metavar="URL", help="the FOCUS export: s3://…, a file or a folder")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="the allocation rules")
