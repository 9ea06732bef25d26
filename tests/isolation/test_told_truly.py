"""What `whoami` says of the cloud's layers follows what the cloud does, as layers are taken away."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from fixtures.serving import SERVERS, Served, content_of, environment_of, serve
from isolation.layers import EVERYTHING, READS, Account, gatekeepers, role
from isolation.test_filter_alone import Unguarded
from tenantscope_core.credentials.broker import AssumeRoleBroker, Policy
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.metering.calls import Meter
from tenantscope_core.serving.assembly import system_clock
from tenantscope_core.serving.policies import arn_names, session_policies
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.tool.path import Roles, ToolPath, vend
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("isolation-told-truly")

REGISTRY = next(each for each in SERVERS if each.spec.name == "tenant-management")


@pytest.fixture
async def registry_server(small_company: Sandbox) -> AsyncGenerator[Served]:
    async with serve(REGISTRY.spec, environment_of(REGISTRY, small_company), small_company) as running:
        yield running


@asynccontextmanager
async def on(served: Served, account: Account, role: str, policy: Policy | None) -> AsyncGenerator[Unguarded]:
    """The server's own tools with tenants' sessions of a role, with a session policy or without."""
    broker = AssumeRoleBroker(account.sts, policy=policy or _none, external_id=account.sandbox.external_id)
    runtime = Runtime(served.assembly.settings, system_clock)
    async with (
        gatekeepers(served) as gate,
        Vault(broker, account.clients, clock=system_clock) as vault,
        served.spec.open_sources(runtime) as sources,
    ):
        changed = replace(gate, vault=vault, roles=Roles(role, gate.roles.provider))
        yield Unguarded(served, changed, ToolPath(served.spec.name, served.spec.tools, changed, sources, Meter()))


def _none(_: object) -> None:
    return None


def own_policy(served: Served) -> Policy:
    settings = served.assembly.settings
    names = arn_names(settings.tenant_role_arn, settings.aws_region) | settings.policy_names
    return session_policies(served.spec.package, names, administers=True)


async def told(server: Unguarded) -> dict[str, dict[str, Any]]:
    answer = content_of(await server.call("acme", "whoami", {}))
    return {layer["layer"]: layer for layer in answer["isolation"]}


@pytest.mark.parametrize("layers", ["both", "the role alone", "the session policy alone"])
async def test_while_either_layer_holds_the_registrys_is_verified(
    registry_server: Served, account: Account, probe_roles: dict[str, str], layers: str
):
    role = (
        probe_roles["wide"]
        if layers == "the session policy alone"
        else registry_server.assembly.settings.tenant_role_arn
    )
    policy = None if layers == "the role alone" else own_policy(registry_server)
    async with on(registry_server, account, role, policy) as server:
        layer = (await told(server))["registry"]
    assert (layer["enforced_by"], layer["verified"]) == ("cloud", True)


async def test_with_both_gone_it_says_that_the_cloud_holds_nothing_and_so_it_is(
    registry_server: Served, account: Account, probe_roles: dict[str, str]
):
    async with on(registry_server, account, probe_roles["wide"], None) as server:
        layers = await told(server)
        aws = await vend(server.gate, registry_server.spec.name, await server.identity("acme"), "acme")
        assert "globex" in await READS["dynamodb"](account.sandbox, aws, "globex")
    assert {layer["enforced_by"] for layer in layers.values()} == {"server"}
    assert layers["registry"]["verified"] is False
    assert "NOT in force" in layers["registry"]["how"]


async def test_a_role_that_reads_and_forgot_its_condition_is_found_out_unless_the_session_policy_holds(
    registry_server: Served, account: Account
):
    """The text of our own policy does not show what an operator's role allows."""
    sandbox = account.sandbox
    reading = {**EVERYTHING["Statement"][0], "Action": "dynamodb:GetItem"}
    with role(sandbox, "probe-reading", {"Version": "2012-10-17", "Statement": [reading]}) as arn:
        async with on(registry_server, account, arn, None) as server:
            assert (await told(server))["registry"]["verified"] is False
        async with on(registry_server, account, arn, own_policy(registry_server)) as server:
            assert (await told(server))["registry"]["verified"] is True
