"""The official suite in two releases: all of it on the core, and what names no tool of its own on each server.

It cannot send a token, so its requests get one on their way; what it expects to fail is in a list beside this file,
and an entry of that list that stops failing fails the run.
"""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from catalogue import StandingServer
from conformance.fixture_server import fixture_server
from conformance.node import Done, Node, NotInstalled, install
from fixtures.serving import NO_LIMIT, environment_of, serve_on_port
from tenantscope_sandbox import Sandbox

HERE = Path(__file__).parent
HANDSHAKES, STATELESS = "@modelcontextprotocol/conformance/dist/index.js", "conformance-of-2026-07-28/dist/index.js"
WHOLE = {HANDSHAKES: ("--suite", "all"), STATELESS: ("--requirements", "2026-07-28")}
EXPECTED = {HANDSHAKES: HERE / "baseline-handshakes.yml", STATELESS: HERE / "baseline-2026-07-28.yml"}
NAMELESS = {
    HANDSHAKES: ("server-initialize", "ping", "tools-list", "dns-rebinding-protection"),
    STATELESS: ("tools-list", "caching", "server-stateless", "http-header-validation", "dns-rebinding-protection"),
}
"""The scenarios that do not ask for tools of certain names."""
SIDE_BY_SIDE = 2


@pytest.fixture
async def core(small_company: Sandbox) -> AsyncGenerator[str]:
    spec = fixture_server()
    environment = {**small_company.server_env(spec.name), "TENANTSCOPE_LIMITS": NO_LIMIT}
    token = small_company.issuer.token("acme", "growth", spec.scopes)
    async with serve_on_port(spec, environment, token=token) as url:
        yield url


async def run(node: Node, release: str, url: str, *what: str) -> Done:
    return await node.run(release, "server", "--url", url, *what, "--expected-failures", EXPECTED[release])


@pytest.mark.requirement("protocol-conformance")
@pytest.mark.parametrize("release", WHOLE, ids=["handshakes", "2026-07-28"])
async def test_the_core_fails_exactly_what_concerns_features_that_it_does_not_offer(
    core: str, node: Node, release: str
):
    done = await run(node, release, core, *WHOLE[release])
    assert done.code == 0, done.out[-3_000:] + done.errors


@pytest.mark.requirement("protocol-conformance")
async def test_every_server_passes_what_any_server_can(server: StandingServer, small_company: Sandbox, node: Node):
    token = small_company.issuer.token("acme", "growth", server.spec.scopes)
    ended: dict[tuple[str, str], Done] = {}
    slots = anyio.CapacityLimiter(SIDE_BY_SIDE)

    async def ask(url: str, release: str, scenario: str) -> None:
        async with slots:
            ended[release, scenario] = await run(node, release, url, "--scenario", scenario)

    async with (
        serve_on_port(server.spec, environment_of(server, small_company), token=token) as url,
        anyio.create_task_group() as group,
    ):
        for release, scenarios in NAMELESS.items():
            for scenario in scenarios:
                group.start_soon(ask, url, release, scenario)
    assert {key: done.out for key, done in ended.items() if done.code != 0} == {}


@pytest.mark.requirement("protocol-conformance")
async def test_a_list_that_expects_a_failure_too_many_fails_the_run(core: str, node: Node):
    stale = node.home / "stale.yml"
    stale.write_text("server: [tools-list]")
    done = await node.run(STATELESS, "server", "--url", core, "--scenario", "tools-list", "--expected-failures", stale)
    assert done.code == 1
    assert "Stale" in done.out


def test_without_the_npm_registry_it_is_said_what_is_missing(tmp_path: Path):
    """An empty cache and a registry that is not there, as on a machine that may not reach it."""
    with pytest.raises(NotInstalled, match=r"(?s)come from the npm registry.*ECONNREFUSED") as refused:
        install(
            tmp_path, npm_config_registry="http://127.0.0.1:9", npm_config_cache=str(tmp_path / "cache"),
            npm_config_fetch_retries="0",
        )  # fmt: skip
    assert "nothing was tested with them" in str(refused.value)
