"""The words that every `rollup` command takes, and the last line that it prints."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantscope_core.results.periods import Month

if TYPE_CHECKING:
    from tenantscope_core.stores.rollup import Outcome, Request


def add_rollup_words(parser: ArgumentParser, *, months: str) -> None:
    """Which months, and what becomes of old runs; `months` names them, such as `billing months of the bill`."""
    parser.add_argument("--month", type=_month, nargs="+", metavar="YYYY-MM", help=f"only these {months}")
    parser.add_argument("--all", action="store_true", help="every month there is (the default)")
    parser.add_argument("--force", action="store_true", help="also what has not changed")
    parser.add_argument(
        "--sweep", action="store_true", help="then delete what earlier runs left behind, once it is a day old"
    )


def request_of(arguments: Namespace) -> "Request":
    """What was asked for."""
    from tenantscope_core.stores.rollup import Request  # not loaded by a server that only answers

    return Request(tuple(arguments.month) if arguments.month and not arguments.all else None, arguments.force)


def exit_code(outcomes: "Mapping[Month, Outcome]") -> int:
    """Print what became of the months; 1 where one failed."""
    from tenantscope_core.stores.rollup import Outcome

    counts = {outcome: sum(one is outcome for one in outcomes.values()) for outcome in Outcome}
    print("rollup: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count))  # noqa: T201
    return 1 if counts[Outcome.FAILED] else 0


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError:
        raise ArgumentTypeError("a month is written YYYY-MM") from None
