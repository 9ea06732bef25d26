"""`tenantscope-sandbox up|down|status|token|env|rotate-keys`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import hosts
from .identity.keys import Keys
from .parts import PARTS
from .processes import PartFailed
from .sandbox import Sandbox
from .state import State, default_directory


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; whatever fails says why in a sentence."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except PartFailed as failed:
        sys.exit(f"tenantscope-sandbox: {failed}")


def _up(options: argparse.Namespace) -> None:
    sandbox = Sandbox.up(options.dir, company=not options.without_company, progress=_say)
    for tenant, tier in (("acme", "growth"), (None, None)):
        text = hosts.mcp_json_text(sandbox, tenant, tier)
        path = sandbox.state.write_text(f"mcp.{tenant or 'provider'}.json", text + "\n")
        token = sandbox.state.root / f"tokens/{tenant or 'provider'}.jwt"
        print(f"\n# For a host that acts as {tenant or 'the provider'}: {path}")
        print(f"# Its token, good for twelve hours: {token}\n{text}")
    print("\n# Ask, as the provider: which tenants cost the most, and does it tie to the bill?")
    print("# It runs until `make down`; another `make up` renews the tokens.")


def _down(options: argparse.Namespace) -> None:
    Sandbox(State(options.dir)).down(_say)


def _status(options: argparse.Namespace) -> None:
    sandbox = Sandbox(State(options.dir))
    stopped = 0
    for name, part in PARTS.items():
        running = part.external() or sandbox.is_running(name)
        stopped += not running
        where = "from outside" if part.external() else f"127.0.0.1:{sandbox.port(name)}" if running else ""
        print(f"{name:10} {'running' if running else 'stopped':8} {where}".rstrip())
    sys.exit(1 if stopped else 0)


def _token(options: argparse.Namespace) -> None:
    issuer = Sandbox.open(options.dir).issuer
    lifetime = options.minutes * 60
    print(issuer.token(options.tenant, options.tier, options.scope, subject=options.subject, lifetime_seconds=lifetime))


def _env(options: argparse.Namespace) -> None:
    sandbox = Sandbox.open(options.dir)
    given = {"tier": options.tier, "provider": options.provider}
    print(hosts.exports(sandbox.server_env(options.server, options.tenant, **given)))


def _rotate_keys(options: argparse.Namespace) -> None:
    keys = Keys(State(options.dir))
    if options.drop_old:
        keys.drop_replaced()
    else:
        keys.rotate()
    for key in keys.all():
        print(f"{key.kid} {'signs' if key.current else 'published until --drop-old'}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tenantscope-sandbox", description="A whole SaaS company on one machine.")
    parser.add_argument("--dir", type=Path, default=default_directory(), help="state folder (TENANTSCOPE_SANDBOX_DIR)")
    commands = parser.add_subparsers(required=True, metavar="command")
    up = commands.add_parser("up", help="start everything, load the company, print an mcp.json")
    up.add_argument("--without-company", action="store_true", help="leave the stores empty")
    up.set_defaults(run=_up)
    commands.add_parser("down", help="stop everything; the state stays").set_defaults(run=_down)
    commands.add_parser("status", help="what runs; exit code 1 when a part is down").set_defaults(run=_status)
    token = commands.add_parser("token", help="print a token of a tenant's user, or of the provider's staff")
    token.add_argument("--tenant")
    token.add_argument("--tier")
    token.add_argument("--scope", action="append", help="repeat for several; default: all of the audience")
    token.add_argument("--subject")
    token.add_argument("--minutes", type=float, default=720)
    token.set_defaults(run=_token)
    env = commands.add_parser("env", help="print a server's settings as shell exports")
    env.add_argument("server", nargs="?", default="cost-explorer", choices=hosts.SERVERS)
    env.add_argument("--tenant")
    env.add_argument("--tier")
    env.add_argument("--provider", action="store_true", help="with a token of the provider's staff")
    env.set_defaults(run=_env)
    rotate = commands.add_parser("rotate-keys", help="sign with new keys; the earlier ones stay published")
    rotate.add_argument("--drop-old", action="store_true", help="end the grace time: publish the current keys alone")
    rotate.set_defaults(run=_rotate_keys)
    return parser


if __name__ == "__main__":
    main()
