"""An agent session with the sandbox's company, the servers started over stdio as a host starts them.

The provider asks who its tenants are, what each costs, whether that ties to the bill, who loses money and since when,
what features cost, what the next half year brings, what stood out and why, what could be saved, what is used and who
fades. The tenant acme asks for its own costs and bill and then for globex's, which two layers refuse in turn. Its bot
answers a question twice and pays once, and remembers what a family said. Then a tenant is taken in, changes, is
suspended, and leaves for good. Every figure is compared with the truth that the company was made from, or with what the
stores hold. Exits 0 when all of it is as it should be.
"""

import json
import sys
import time
from typing import cast

import anyio
import bot
import lifecycle
import money
import provider
import tenant
from prepare import prepare, say
from speaking import Difference
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.state import default_directory

PARTS = (
    provider.who_they_are,
    provider.what_they_cost,
    money.who_loses,
    money.what_features_cost,
    money.what_comes,
    money.what_stands_out,
    provider.what_they_use,
    tenant.its_costs,
    tenant.its_bill,
    bot.answers_once,
    bot.remembers,
)


def session(sandbox: Sandbox) -> None:
    """The whole session."""
    truth = json.loads((sandbox.state.root / "company/truth.json").read_text())
    for part in PARTS:
        anyio.run(part, sandbox, truth)
    tenant.around_the_server(sandbox)
    anyio.run(lifecycle.comes_and_goes, sandbox)


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, however deep."""
    inner = cast("tuple[BaseException, ...]", getattr(error, "exceptions", ()))
    return [leaf for one in inner for leaf in leaves(one)] or [error]


def main() -> int:
    """Start the sandbox unless it runs, hold the session, and leave things as they were found."""
    started = time.perf_counter()
    with Sandbox.running(default_directory(), progress=lambda line: say(f"[sandbox] {line}")) as sandbox:
        say("[sandbox] the servers' own jobs: tables, a year of logs, prices and bills")
        prepare(sandbox)
        differences: list[BaseException] = []
        try:
            session(sandbox)
        except* Difference as group:  # a client that is left by an exception wraps it
            differences += leaves(group)
    if differences:
        say(f"\nNOT AS IT SHOULD BE: {differences[0]}")
        return 1
    say("\nEvery figure above equals the truth, and of the tenant that left nothing is there.")
    say(f"{time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
