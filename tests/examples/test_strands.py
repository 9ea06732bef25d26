"""The Strands example, run as its README says: in its own environment, offline, against servers of that environment."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.hosts import SERVERS

from .conftest import REPOSITORY, servers_over_http, system_environment, token_file

EXAMPLE = REPOSITORY / "examples/strands"
ENVIRONMENT = REPOSITORY / ".venv-strands"
EDITABLE = ("shared", *(f"servers/{server}" for server in SERVERS))
PREFIXES: dict[str, str] = dict(zip(SERVERS, ("tenants", "costs", "usage", "cache", "memory", "pricing"), strict=True))


@pytest.fixture(scope="module")
def strands_python() -> Path:
    """The interpreter of Strands' environment, which is built as `make strands` does it where it is missing or old."""
    python, mark, lock = ENVIRONMENT / "bin/python", ENVIRONMENT / ".ready", EXAMPLE / "requirements.lock"
    if not mark.exists() or mark.stat().st_mtime < lock.stat().st_mtime:
        uv = os.environ.get("UV") or shutil.which("uv") or str(REPOSITORY / ".tools/bin/uv")
        subprocess.run([uv, "venv", "-q", "--allow-existing", "--python", sys.executable, ENVIRONMENT], check=True)
        subprocess.run([uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock], check=True)
        servers = [word for folder in EDITABLE for word in ("-e", REPOSITORY / folder)]
        install = [uv, "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--python", python, *servers]
        subprocess.run(install, check=True)
        mark.touch()
    return python


@pytest.fixture(scope="module")
def urls(
    small_company: Sandbox, strands_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Both servers on the mcp release that Strands pins."""
    with servers_over_http(small_company, strands_python.parent, tmp_path_factory.mktemp("servers")) as urls:
        yield urls


def conversation(python: Path, urls: dict[str, str], token_file: Path) -> str:
    """What the agent prints."""
    done = subprocess.run(
        [
            python, EXAMPLE / "agent.py", "--token-file", token_file,
            *(word for server, url in urls.items() for word in ("--server", f"{PREFIXES[server]}={url}")),
        ],
        env=system_environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_strands_and_the_servers_share_one_environment_with_the_oldest_supported_mcp(strands_python: Path):
    versions = "import importlib.metadata as m; print(m.version('mcp'), m.version('strands-agents'))"
    done = subprocess.run([strands_python, "-c", versions], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.startswith("2.1.")


def test_a_tenants_agent_gets_its_own_costs_and_is_refused_anothers(
    small_company: Sandbox, strands_python: Path, urls: dict[str, str]
):
    said = conversation(strands_python, urls, token_file(small_company, "acme"))
    assert (
        "tools: tenants_whoami, tenants_get_tenant, " in said and ", costs_get_costs, " in said and ", usage_" in said
    )
    assert "tenants_create_tenant" not in said
    assert '"tenant_id":"acme"' in said and '"120.50"' in said
    assert "error: invalid_argument: tenant_id is not an argument for a tenant" in said
    assert "80.10" not in said


def test_its_question_is_answered_once_and_its_memory_is_kept_through_the_same_agent(
    small_company: Sandbox, strands_python: Path, urls: dict[str, str]
):
    said = conversation(strands_python, urls, token_file(small_company, "acme_corp"))
    assert '"tier":"semantic"' in said and "Two bags of 23 kg each" in said
    assert "does not want to fly with Condor Pacific" in said.split("memory_recall")[1]
    assert '"of":"acme_corp"' in said.split("pricing_get_bill")[1]


def test_the_providers_agent_sees_the_fleet(small_company: Sandbox, strands_python: Path, urls: dict[str, str]):
    said = conversation(strands_python, urls, token_file(small_company, None))
    assert "costs_rank_tenants_by_cost" in said
    assert '"acme"' in said and '"globex"' in said
    assert '"reconciles":true' in said


def test_a_renewed_token_is_used_from_the_next_request_on(strands_python: Path, tmp_path: Path):
    script = """
import sys, pathlib, httpx2
sys.path.insert(0, sys.argv[1])
from agent import TokenFromFile
path = pathlib.Path(sys.argv[2])
auth = TokenFromFile(path)
for token in ("first", "second"):
    path.write_text(token + "\\n")
    print(next(auth.auth_flow(httpx2.Request("POST", "http://127.0.0.1/mcp"))).headers["authorization"])
"""
    done = subprocess.run(
        [strands_python, "-c", script, EXAMPLE, tmp_path / "token.jwt"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split("\n")[:2] == ["Bearer first", "Bearer second"]
