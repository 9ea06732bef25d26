"""The identity provider of the sandbox, served by uvicorn from the keys in the state folder."""

import http.client
import sys
from collections.abc import Callable

from tenantscope_sandbox.identity.keys import Keys
from tenantscope_sandbox.processes import Process
from tenantscope_sandbox.state import State


def start(state: State, port: int, progress: Callable[[str], None]) -> Process:
    """Start the issuer; its keys are made at its first start and kept."""
    Keys(state).ensure()
    command = [sys.executable, "-m", "tenantscope_sandbox.identity.server", str(state.root), str(port)]
    return Process.start(command, state.root / "logs/issuer.log")


def ready(state: State, port: int) -> bool:
    """Tell whether the issuer publishes its keys."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/jwks.json")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
