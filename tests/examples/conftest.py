"""What the tests of examples share: where things are, and the servers as processes over HTTP."""

import os
import shlex
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.hosts import ON_POSTGRES, SERVERS
from tenantscope_sandbox.processes import Process, free_port, wait_until

REPOSITORY = Path(__file__).parents[2]
_START_SECONDS = 30


def system_environment() -> dict[str, str]:
    """What a process needs of this one's environment, and nothing that is a setting."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def token_file(sandbox: Sandbox, tenant: str | None) -> Path:
    """A file with a fresh token of a tenant's user, or of the provider's staff."""
    return Path(sandbox.server_env("cost-explorer", tenant, provider=tenant is None)["TENANTSCOPE_TOKEN_FILE"])


def started_with(server: str, block: Mapping[str, Mapping[str, str]], sandbox: Sandbox, tenant: str) -> dict[str, str]:
    """The environment that a host's block gives a server, its placeholders replaced by what they are in the sandbox."""
    path = str(token_file(sandbox, tenant))
    real = sandbox.server_env(server)
    real |= {"TENANTSCOPE_TOKEN_FILE": path, "TENANTSCOPE_TOKEN_COMMAND": f"cat {shlex.quote(path)}"}
    aws = {name: value for name, value in real.items() if name.startswith("AWS_")}
    named: dict[str, str] = {name: real.get(name, value) for name, value in block["env"].items()}
    return {name: value for name, value in (aws | named).items() if name != "AWS_PROFILE"}  # the sandbox has keys


@contextmanager
def servers_over_http(sandbox: Sandbox, binaries: Path, folder: Path) -> Generator[dict[str, str]]:
    """All servers, by the scripts of an environment, or of this one if they embed; yields their URLs by name."""
    processes: list[Process] = []
    urls: dict[str, str] = {}
    try:
        for server in SERVERS:
            port = free_port()
            folder_of = Path(sys.executable).parent if server in ON_POSTGRES else binaries
            command = [folder_of / f"tenantscope-{server}", "http", "--port", str(port)]
            environment = system_environment() | sandbox.server_env(server)
            processes.append(Process.start(command, folder / f"{server}.log", env=environment))
            urls[server] = f"http://127.0.0.1:{port}/mcp"
        for server, process in zip(SERVERS, processes, strict=True):
            health = urls[server].removesuffix("/mcp") + "/health"
            wait_until(lambda url=health, it=process: _answers(url) or not it.alive(), _START_SECONDS)
            assert process.alive(), (folder / f"{server}.log").read_text()
        yield urls
    finally:
        for process in processes:
            process.stop()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False
