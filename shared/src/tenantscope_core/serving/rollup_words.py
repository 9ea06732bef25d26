"""What every `rollup` command has: its words, a folder to work in, what it prints, its exit code."""

import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tenantscope_core.results.periods import Month
from tenantscope_core.serving.store_settings import RollupSettings

if TYPE_CHECKING:
    from tenantscope_core.stores.rollup import Outcome, Request


class Rolling(Protocol):
    """A rollup, ready to run."""

    async def run(self, request: "Request") -> "dict[Month, Outcome]":
        """Roll up, and say what became of each month."""
        ...

    async def sweep(self) -> int:
        """Delete what earlier runs left behind; how many objects."""
        ...


def add_rollup_words(parser: ArgumentParser, *, months: str) -> None:
    """Which months, and what becomes of old runs; `months` names them, such as `billing months of the bill`."""
    parser.add_argument("--month", type=_month, nargs="+", metavar="YYYY-MM", help=f"only these {months}")
    parser.add_argument("--all", action="store_true", help="every month there is (the default)")
    parser.add_argument("--force", action="store_true", help="also what has not changed")
    parser.add_argument(
        "--sweep", action="store_true", help="then delete what earlier runs left behind, once it is a day old"
    )


@contextmanager
def rollup_folder(settings: RollupSettings) -> Generator[Path]:
    """A folder for the copies of one run, gone after it."""
    if settings.rollup_dir is not None:
        settings.rollup_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tenantscope-rollup-", dir=settings.rollup_dir) as folder:
        yield Path(folder)


async def rolled(work: Rolling, arguments: Namespace, *, what: str = "rollup") -> int:
    """Do what was asked for and print what became of the months of `what`; 1 where one failed."""
    from tenantscope_core.stores.rollup import Outcome, Request  # not loaded by a server that only answers

    months = tuple(arguments.month) if arguments.month and not arguments.all else None
    outcomes = await work.run(Request(months, arguments.force))
    if arguments.sweep:
        print(f"swept {await work.sweep():,} objects of earlier runs")  # noqa: T201
    counts = {outcome: sum(one is outcome for one in outcomes.values()) for outcome in Outcome}
    print(f"{what}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count))  # noqa: T201
    return 1 if counts[Outcome.FAILED] else 0


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError:
        raise ArgumentTypeError("a month is written YYYY-MM") from None
