"""The `learn-routes` command: prints the routes that a log teaches, for the company to own."""

import argparse

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.serving.spec import Runtime

from tenantscope_metrics_logs.rollup_command import add_log_words, load_log_rules, opened
from tenantscope_metrics_logs.settings import Settings


async def learn_routes(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: prints the `routes` of a rules file."""
    from tenantscope_metrics_logs.log_rules import Constant, LogRules
    from tenantscope_metrics_logs.log_rules_file import routes_text

    path = arguments.rules or runtime.settings.access_log_rules
    rules = load_log_rules(path) if path is not None else LogRules((Constant("anyone"),))
    with opened(runtime, aws, arguments, rules, quiet=True) as work:
        print(routes_text(await work.learn()))  # noqa: T201
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_log_words(parser)
