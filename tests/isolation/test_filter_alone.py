"""Going around the cloud: on a role as wide as the account, our own filter alone still asks for one tenant only.

Held against what left the process, as the emulated account recorded it.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
from contract.calls import Ask, audiences, some_call, working_arguments
from fixtures.serving import Served, content_of, error_fields
from fixtures.small_company import COSTS, NAMED
from isolation.layers import OTHERS, READS, Account, unguarded
from mcp.types import CallToolResult
from tenantscope_core.identity.caller import Audience
from tenantscope_core.identity.verifier import Identity
from tenantscope_core.metering.calls import Meter
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.tool.path import Gatekeepers, ToolPath, vend
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("filter-holds-alone")


@dataclass(frozen=True)
class Unguarded:
    """A server's own tools on a role that opens everything."""

    served: Served
    gate: Gatekeepers
    path: ToolPath[Any]

    async def identity(self, tenant: str | None) -> Identity:
        return await self.served.assembly.verifier.identify(self.served.token(tenant))

    async def call(self, tenant: str | None, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        identity = await self.identity(tenant)

        async def identify() -> Identity:
            return identity

        async def report_progress(progress: float, total: float | None, message: str | None) -> None:
            pass

        return await self.path.call(tool, arguments, identify=identify, report_progress=report_progress)

    def asking(self, tenant: str | None) -> Ask:
        async def ask(tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
            return content_of(await self.call(tenant, tool, arguments))

        return ask


@asynccontextmanager
async def opened(served: Served, account: Account, wide_role: str) -> AsyncGenerator[Unguarded]:
    spec, settings = served.spec, served.assembly.settings
    async with (
        unguarded(served, account, wide_role) as gate,
        spec.open_sources(Runtime(settings, served.assembly.clock)) as sources,
    ):
        yield Unguarded(served, gate, ToolPath(spec.name, spec.tools, gate, sources, Meter()))


@pytest.fixture
async def wide(served: Served, account: Account, probe_roles: dict[str, str]) -> AsyncGenerator[Unguarded]:
    async with opened(served, account, probe_roles["wide"]) as unguarded_server:
        yield unguarded_server


def asked_for(served: Served, since: int, access_key_id: str, *, by_provider: bool = False) -> set[str]:
    """The tenants named by what a session asked of S3, DynamoDB, Cognito and tags; "everyone" where one names none.

    A key with a colon is no tenant's: what is common to all, or asked for to see it refused. The provider may ask for
    what bears the mark of the pool.
    """
    found: set[str] = set()
    for record in served.sandbox.emulator.requests(since, access_key_id=access_key_id):
        if record["service"] == "dynamodb":
            found |= {key for key in record["keys"] or ["everyone"] if not key.startswith(":")}
        elif record["service"] == "s3":
            named = record["key"] or str(record["parameters"].get("prefix", ""))
            _, _, rest = named.partition("/tenant_id=")
            if not (named == "datasets/" and record["parameters"].get("delimiter") == "/tenant_id="):
                found.add(rest.partition("/")[0] or "everyone")  # that one tells names of datasets alone
        elif record["service"] == "logs":
            found.add(str(record["parameters"]["logGroupNamePrefix"]).split("/")[3])
        elif record["service"] == "cognito-idp":
            found.add(whose(served.sandbox, record["parameters"]))
        elif record["action"] == "PutEvents":
            told = [json.loads(entry["Detail"]) for entry in record["parameters"]["Entries"]]
            found |= {str(detail["tenantId"]) for detail in told}
        elif record["action"] == "GetResources":
            filters: list[dict[str, Any]] = record["parameters"].get("TagFilters", [])
            values = {value for each in filters if each["Key"] == "TenantId" for value in each["Values"]}
            found |= values - ({"pool"} if by_provider else set()) or {"everyone"}
        else:
            found.add(f"another service: {record['service']}")
    return found


def whose(sandbox: Sandbox, parameters: Mapping[str, Any]) -> str:
    """The tenant of the group that a request to Cognito names, or else of the user."""
    if "GroupName" in parameters:
        return str(parameters["GroupName"]).removeprefix("tenant:")
    user = sandbox.client("cognito-idp").admin_get_user(
        UserPoolId=sandbox.outputs["UserPoolId"], Username=parameters["Username"]
    )
    return {each["Name"]: each["Value"] for each in user["UserAttributes"]}.get("custom:tenantId", "everyone")


async def test_the_role_of_these_tests_opens_other_tenants(wide: Unguarded):
    aws = await vend(wide.gate, wide.served.spec.name, await wide.identity("acme"), "acme")
    for store in ("s3", "dynamodb"):
        for other in OTHERS:
            assert other in await READS[store](wide.served.sandbox, aws, other)


@pytest.mark.parametrize("tenant", ["acme", "globex", "acme_corp"])
async def test_a_tenants_calls_ask_for_its_own_data_alone(wide: Unguarded, tenant: str):
    served = wide.served
    aws = await vend(wide.gate, served.spec.name, await wide.identity(tenant), tenant)
    key = (await aws.credentials()).access_key
    for tool in audiences(served.spec, Audience.TENANT):
        mark = served.sandbox.emulator.mark()
        ask = wide.asking(tenant)
        answer = await ask(tool.name, await working_arguments(served.spec, tool, Audience.TENANT, ask))
        assert asked_for(served, mark, key) <= {tenant}
        assert_about(answer, tenant)
    assert served.sandbox.emulator.requests(access_key_id=key), "the session was used"


async def test_the_providers_calls_about_one_tenant_ask_for_that_tenants_data_alone(wide: Unguarded):
    served = wide.served
    aws = await vend(wide.gate, served.spec.name, await wide.identity(None), "acme")
    key = (await aws.credentials()).access_key
    tools = [tool for tool in audiences(served.spec, Audience.PROVIDER) if tool.names_tenant != "no"]
    ask = wide.asking(None)
    mark = served.sandbox.emulator.mark()
    for tool in tools:
        arguments = await working_arguments(served.spec, tool, Audience.PROVIDER, ask)
        assert_about(await ask(tool.name, {"tenant_id": "acme", **arguments}), "acme")
    assert asked_for(served, mark, key, by_provider=True) <= {"acme"}  # less where the data lie in PostgreSQL


async def test_a_tenant_that_asks_for_another_reaches_no_store_at_all(wide: Unguarded):
    served = wide.served
    await wide.call("acme", some_call(served.spec), {})  # its standing is known from here on
    for tool in audiences(served.spec, Audience.TENANT):
        mark = served.sandbox.emulator.mark()
        fields = error_fields(await wide.call("acme", tool.name, {"tenant_id": "globex"}))
        assert fields["parameter"] == "tenant_id"
        assert served.sandbox.emulator.requests(mark) == []


def assert_about(answer: object, tenant: str | None) -> None:
    """An answer to a tenant names no other tenant of the company, and none of their costs."""
    if tenant is None:
        return
    words = set(_words(answer))
    others = (set(NAMED) | set(COSTS)) - {tenant}
    assert not words & others
    assert not words & {str(cost) for other, cost in COSTS.items() if other != tenant}


def _words(node: object) -> list[str]:
    if isinstance(node, Mapping):
        entries = cast(Mapping[str, object], node)
        return [word for value in (*entries, *entries.values()) for word in _words(value)]
    if isinstance(node, list):
        return [word for value in cast(list[object], node) for word in _words(value)]
    return [str(node), *str(node).split()]
