"""The configuration files for Kiro and Claude: they name what exists, and what they start answers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from catalogue import standing_servers
from fixtures.serving import content_of
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from tenantscope_sandbox import Sandbox

from .conftest import REPOSITORY, started_with, system_environment

PLACEHOLDER = "/path/to/tenantscope/.venv/bin"
KIRO = REPOSITORY / "examples/kiro/.kiro/settings/mcp.json"
DESKTOP = REPOSITORY / "examples/claude/claude_desktop_config.json"
CODE = REPOSITORY / "examples/claude/.mcp.json"
HEADERS = REPOSITORY / "examples/claude/headers.py"
STANDING = {server.distribution: server for server in standing_servers()}
QUESTIONS = {"tenantscope-tenant-management": "whoami", "tenantscope-cost-explorer": "get_costs"}


def blocks(path: Path) -> dict[str, dict[str, Any]]:
    return json.loads(path.read_text())["mcpServers"]


@pytest.mark.parametrize("path", [KIRO, DESKTOP], ids=["kiro", "claude-desktop"])
def test_a_file_starts_every_server_with_settings_that_it_has(path: Path):
    for block in blocks(path).values():
        server = STANDING[block["command"].removeprefix(f"{PLACEHOLDER}/")]
        known = {f"TENANTSCOPE_{field.upper()}" for field in server.spec.settings.model_fields}
        given = set(block["env"])
        assert {name for name in given if name.startswith("TENANTSCOPE_")} <= known
        required = {
            f"TENANTSCOPE_{name.upper()}"
            for name, field in server.spec.settings.model_fields.items()
            if field.is_required() and name != "aws_region"
        }
        assert required | {"AWS_REGION"} <= given
        assert set(block.get("autoApprove", [])) <= {tool.name for tool in server.spec.tools}
    assert {block["command"].rsplit("/", 1)[-1] for block in blocks(path).values()} == set(STANDING)


@pytest.mark.parametrize("name", sorted(QUESTIONS))
@pytest.mark.parametrize("path", [KIRO, DESKTOP], ids=["kiro", "claude-desktop"])
async def test_what_a_file_starts_answers_its_tenant(path: Path, name: str, small_company: Sandbox, tmp_path: Path):
    block = blocks(path)[name]
    command = block["command"].replace(PLACEHOLDER, str(Path(sys.executable).parent))
    environment = system_environment() | started_with(STANDING[name].spec.name, block, small_company, "acme")
    parameters = StdioServerParameters(command=command, args=block["args"], env=environment, cwd=tmp_path)
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log)) as client:
            answer = content_of(await client.call_tool(QUESTIONS[name], {}))
    assert answer.get("tenant_id", answer.get("of")) == "acme"


def test_claude_code_gets_its_headers_from_the_helper_and_both_servers():
    for name, block in blocks(CODE).items():
        assert name in STANDING
        assert block["type"] == "http" and block["url"].endswith("/mcp}")
        assert block["headersHelper"].endswith(f"/{HEADERS.name}")
    assert os.access(HEADERS, os.X_OK)


def helped(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HEADERS], env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, timeout=20
    )


def test_the_helper_prints_the_token_of_the_moment(tmp_path: Path):
    path = tmp_path / "token.jwt"
    for token in ("first", "second"):
        path.write_text(f"{token}\n")
        assert json.loads(helped(TENANTSCOPE_TOKEN_FILE=str(path)).stdout) == {"Authorization": f"Bearer {token}"}
    assert json.loads(helped(TENANTSCOPE_TOKEN_COMMAND="echo third").stdout) == {"Authorization": "Bearer third"}


@pytest.mark.parametrize("environment", [{}, {"TENANTSCOPE_TOKEN_COMMAND": "false"}], ids=["nothing set", "fails"])
def test_a_helper_without_a_token_prints_no_headers_and_says_why(environment: dict[str, str]):
    done = helped(**environment)
    assert done.returncode != 0 and done.stdout == "" and "token" in done.stderr.lower()
