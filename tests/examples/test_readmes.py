"""The READMEs, followed word by word: what they say to paste into a host starts, lists its tools and answers."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogue import StandingServer, standing_servers
from contract.calls import some_call
from fixtures.serving import content_of
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from tenantscope_sandbox import Sandbox

from .conftest import REPOSITORY, started_with, system_environment
from .markdown import fences

pytestmark = pytest.mark.requirement("readmes-work")

STANDING = {server.distribution: server for server in standing_servers()}
Block = dict[str, Any]


def blocks(readme: Path) -> Iterator[Block]:
    """Every server that a README's JSON says how to reach."""
    for text in fences(readme, "json"):
        yield from json.loads(text).get("mcpServers", {}).values()


def words_of(block: Block) -> list[str]:
    """The console script that a block starts and its words: `uvx NAME` runs the script of that name, a path is one."""
    words = [block["command"], *block.get("args", [])]
    return words[1:] if words[0] == "uvx" else [words[0].rpartition("/")[2], *words[1:]]


STARTED = [
    pytest.param(readme, block, id=f"{readme.relative_to(REPOSITORY)}-{number}")
    for readme in (REPOSITORY / "README.md", *(server.folder / "README.md" for server in STANDING.values()))
    for number, block in enumerate(block for block in blocks(readme) if "command" in block)
]


def test_a_servers_readme_says_how_a_host_starts_it(server: StandingServer):
    started = [words_of(block)[0] for block in blocks(server.folder / "README.md") if "command" in block]
    assert started
    assert set(started) == {server.distribution}


@pytest.mark.parametrize(("readme", "block"), STARTED)
async def test_what_it_says_starts_lists_and_answers(
    readme: Path, block: Block, small_company: Sandbox, tmp_path: Path
):
    """With the values of the sandbox in place of the examples', and no setting more."""
    name, *words = words_of(block)
    server = STANDING[name]
    known = {f"TENANTSCOPE_{field.upper()}" for field in server.spec.settings.model_fields}
    assert {given for given in block["env"] if given.startswith("TENANTSCOPE_")} <= known
    parameters = StdioServerParameters(
        command=str(Path(sys.executable).with_name(name)), args=words, cwd=tmp_path,
        env=system_environment() | started_with(server.spec.name, block, small_company, "acme"),
    )  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log)) as client:
            assert (await client.list_tools()).tools
            assert content_of(await client.call_tool(some_call(server.spec), {}))
