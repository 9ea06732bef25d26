"""The `rollup` command: its words, its settings, what it prints."""

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.serving.owned_files import read_owned
from tenantscope_core.serving.rollup_words import add_rollup_words, rolled, rollup_folder
from tenantscope_core.serving.spec import Runtime

from tenantscope_metrics_logs.settings import AccessLogFormat, Settings

if TYPE_CHECKING:
    from tenantscope_metrics_logs.log_rules import LogRules
    from tenantscope_metrics_logs.rollup import Rollup


async def rollup(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: rolls up and prints what it does; 1 where a month failed."""
    path = arguments.rules or runtime.settings.access_log_rules
    if path is None:
        raise InvalidArgument("rollup needs the log's rules: set TENANTSCOPE_ACCESS_LOG_RULES or pass --rules.")
    with opened(runtime, aws, arguments, load_log_rules(path)) as work:
        return await rolled(work, arguments)


@contextmanager
def opened(
    runtime: Runtime[Settings],
    aws: TenantSession,
    arguments: argparse.Namespace,
    rules: "LogRules",
    *,
    quiet: bool = False,
) -> "Generator[Rollup]":
    """The rollup that the settings and words describe; `quiet` leaves standard output to the result."""
    from tenantscope_core.stores.raw_objects import open_raw  # none of this is loaded by a server that only answers
    from tenantscope_core.stores.workbench import Limits

    from tenantscope_metrics_logs.log_formats import LogFormat
    from tenantscope_metrics_logs.rollup import Rollup
    from tenantscope_metrics_logs.sources.raw_log import is_log

    settings = runtime.settings
    kind: str = arguments.format or settings.access_log_format
    url = arguments.log_url or settings.access_log_url or f"s3://{settings.datasets_bucket}/raw/access_log/"
    with rollup_folder(settings) as folder:
        yield Rollup(
            aws,
            settings.datasets_bucket,
            open_raw(url, aws, folder / "log", what="access log", wanted=is_log),
            rules,
            kind=None if kind == "auto" else LogFormat(kind),
            registry=settings.tenants_table,
            folder=folder,
            clock=runtime.clock,
            say=lambda line: print(line, file=sys.stderr if quiet else None, flush=True),
            limits=Limits(settings.rollup_memory, settings.rollup_threads),
        )


def load_log_rules(path: Path) -> "LogRules":
    """The rules in a file.

    Raises:
        InvalidArgument: It cannot be read, or is not valid.
    """
    from tenantscope_metrics_logs.log_rules_file import parse_log_rules

    return read_owned(path, parse_log_rules, what="The file of the access log's rules")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_rollup_words(parser, months="months")
    add_log_words(parser)


def add_log_words(parser: argparse.ArgumentParser) -> None:
    """Where the log is and how it is read."""
    parser.add_argument("--log-url", metavar="URL", help="the access log: s3://…, a file or a folder")
    parser.add_argument("--format", choices=get_args(AccessLogFormat), help="the log's format; recognised if not given")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="the log's rules: tenants, users, routes")
