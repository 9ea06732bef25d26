"""The `rollup` command: its words, its settings, what it prints."""

import argparse
import tempfile
from pathlib import Path

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import Month
from tenantscope_core.serving.spec import Runtime

from tenantscope_cost_explorer.rules import RuleSet
from tenantscope_cost_explorer.settings import Settings


async def rollup(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: rolls up and prints what it does; 1 where a month failed."""
    from tenantscope_cost_explorer.rollup import Outcome, Request, Rollup  # not loaded by a server that only answers
    from tenantscope_cost_explorer.sources.billing import open_bill
    from tenantscope_cost_explorer.sources.workbench import Limits

    settings = runtime.settings
    request = Request(tuple(arguments.month) if arguments.month and not arguments.all else None, arguments.force)
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
        outcomes = await work.run(request)
        if arguments.sweep:
            print(f"swept {await work.sweep():,} objects of earlier runs")  # noqa: T201
    counts = {outcome: sum(one is outcome for one in outcomes.values()) for outcome in Outcome}
    print("rollup: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count))  # noqa: T201
    return 1 if counts[Outcome.FAILED] else 0


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
    parser.add_argument("--month", type=_month, nargs="+", metavar="YYYY-MM", help="only these billing months")
    parser.add_argument("--all", action="store_true", help="every month of the bill (the default)")
    parser.add_argument("--force", action="store_true", help="also what has not changed")
    parser.add_argument(
        "--sweep", action="store_true", help="then delete what earlier runs left behind, once it is a day old"
    )
    parser.add_argument("--billing-url", metavar="URL", help="the FOCUS export: s3://…, a file or a folder")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="the allocation rules")


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a month is written YYYY-MM") from None
