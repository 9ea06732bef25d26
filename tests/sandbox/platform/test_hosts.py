"""What a host is given to start a server."""

import os
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from tenantscope_sandbox import PartFailed, Sandbox
from tenantscope_sandbox.hosts import SERVERS, exports, mcp_json
from tenantscope_sandbox.parts import PARTS, Part
from tenantscope_sandbox.processes import Process


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_is_told_all_it_needs_and_a_token_by_file(bare_sandbox: Sandbox, server: str):
    environment = bare_sandbox.server_env(server, "acme", tier="growth")
    assert environment["TENANTSCOPE_TENANT_ROLE_ARN"].endswith(f"/tenantscope-{server}-tenant")
    assert environment["TENANTSCOPE_PROVIDER_ROLE_ARN"].endswith(f"/tenantscope-{server}-provider")
    assert environment["AWS_ACCESS_KEY_ID"] == bare_sandbox.execution.access_key_id
    token = Path(environment["TENANTSCOPE_TOKEN_FILE"]).read_text()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == (environment["TENANTSCOPE_ISSUER"], environment["TENANTSCOPE_AUDIENCE"])
    assert "TENANTSCOPE_TOKEN_FILE" not in bare_sandbox.server_env(server)


def test_exports_survive_a_shell(bare_sandbox: Sandbox):
    environment = {**bare_sandbox.server_env("cost-explorer"), "ODD": "it's; $(odd)"}
    script = f"{exports(environment)}\nenv -0"
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=True).stdout
    assert environment.items() <= dict(line.split("=", 1) for line in shown.split("\0") if line).items()


def test_mcp_json_starts_servers_by_absolute_path_and_holds_no_token(bare_sandbox: Sandbox):
    servers = mcp_json(bare_sandbox, "acme", "growth")["mcpServers"]
    assert set(servers) == {f"tenantscope-{server}-acme" for server in SERVERS}
    for server in servers.values():
        assert Path(server["command"]).is_absolute()
        assert "TENANTSCOPE_TOKEN" not in server["env"]


def test_the_command_tells_what_runs_and_prints_tokens(bare_sandbox: Sandbox):
    def run(*words: str) -> str:
        command = [sys.executable, "-m", "tenantscope_sandbox", "--dir", str(bare_sandbox.state.root), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=os.environ).stdout

    assert run("status").count("running") == len(PARTS)
    token = run("token", "--tenant", "acme", "--tier", "growth", "--scope", "costs:read").strip()
    assert jwt.decode(token, options={"verify_signature": False})["scope"] == "costs:read"


async def test_a_sandbox_runs_until_the_last_block_that_holds_it_ends(bare_sandbox: Sandbox):
    async with Sandbox.running(bare_sandbox.state.root, company=False) as again:
        assert again.outputs == bare_sandbox.outputs
    assert all(bare_sandbox.is_running(name) for name in PARTS)


def test_a_part_that_does_not_start_names_itself_and_shows_its_log(
    bare_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    def start(state: object, port: int, progress: object) -> Process:
        log = bare_sandbox.state.root / "logs/broken.log"
        return Process.start([sys.executable, "-c", "raise SystemExit('the reason')"], log)

    monkeypatch.setitem(PARTS, "broken", Part("broken", start, lambda state, port: False))
    with pytest.raises(PartFailed, match=r"(?s)broken did not start.*the reason"):
        bare_sandbox.start_part("broken")
    parts = bare_sandbox.state.read("sandbox.json")["parts"]
    parts.pop("broken")
    bare_sandbox.state.update("sandbox.json", {"parts": parts})
