"""A server's process is killed at every step of a tenant's coming and going, and another replica goes on.

Each run lets more of the writes that reach AWS happen than the run before: with the answer of the next on its way, the
process gets SIGKILL. So it dies after every write by which the workflow moves on, before the next step has begun, and
after the first write of each other kind, in the middle of a step.
"""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import anyio
import pytest
from boto3.dynamodb.types import TypeDeserializer
from fixtures.serving import (
    Served,
    content_of,
    environment_of,
    error_fields,
    serve,
)
from fixtures.store_contents import READS
from mcp.types import CallToolResult
from tenant_management.company_users import Pool
from tenant_management.holdings.world import admin_valkey, keys_of, log_groups, move_in, versions
from tenant_management.killing import SERVER, killed_when_struck
from tenantscope_sandbox import Sandbox

LEASE_SECONDS = 0.6
COUNTS = (b"}:admission:", b"}:metering:")
MOST_CALLS = 40
_deserialise: Callable[[Any], Any] = TypeDeserializer().deserialize

State = Mapping[str, Any]


def environment(sandbox: Sandbox) -> dict[str, str]:
    return environment_of(
        SERVER, sandbox, TENANTSCOPE_QUIET_SECONDS="0", TENANTSCOPE_WORKFLOW_LEASE_SECONDS=str(LEASE_SECONDS),
        TENANTSCOPE_CURSOR_KEY="k" * 32,
    )  # fmt: skip


@pytest.fixture(scope="module")
async def replica(small_company: Sandbox) -> AsyncGenerator[Served]:
    """The one that goes on."""
    async with serve(SERVER.spec, environment(small_company), small_company) as running:
        yield running


async def ask(served: Served, tool: str, **arguments: Any) -> CallToolResult:
    async with served.client(served.token(None), mode="legacy") as client:
        return await client.call_tool(tool, arguments)


async def until_done(served: Served, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Call again as the answers say, until the workflow is over."""
    for _ in range(MOST_CALLS):
        result = await ask(served, tool, **arguments)
        if not result.is_error:
            answer = content_of(result)
            if answer["workflow"]["state"] == "done":
                return answer
        else:
            fields = error_fields(result)
            assert fields["action"] == "retry_after", fields
            await anyio.sleep(min(fields["retry_after_seconds"], LEASE_SECONDS))
    raise AssertionError("the workflow does not end")


async def killed_at(sandbox: Sandbox, tool: str, arguments: Mapping[str, Any], action: str, skip: int) -> None:
    """Kill a process as soon as a write is done whose answer it then never gets."""
    fault = {"action": action, "kind": "hang", "after": True, "skip": skip, "times": 1}
    token = sandbox.issuer.token(None, None, [*SERVER.spec.scopes, "provider"])
    await killed_when_struck(sandbox, environment(sandbox), token, tool, arguments, fault)


def end_state(sandbox: Sandbox, tenant: str) -> State:
    """What is left of it all everywhere, but for times, random values and the tenant's own name."""
    record = sandbox.client("dynamodb").get_item(TableName=sandbox.table, Key={"tenantId": {"S": tenant}})["Item"]
    journal = sandbox.client("dynamodb").query(
        TableName=sandbox.outputs["JournalTable"], KeyConditionExpression="tenantId = :t",
        ExpressionAttributeValues={":t": {"S": tenant}},
    )["Items"]  # fmt: skip
    items = [{name: _deserialise(value) for name, value in item.items()} for item in journal]
    audit = [item for item in items if item["entry"].startswith("audit:")]
    flows = [json.loads(item["document"]) for item in items if "document" in item]
    with admin_valkey(sandbox) as valkey:
        acl = [line.split(" ")[1] for line in valkey.acl_list() if f"ts-{tenant} " in line]
    keys = [version["Key"] for version in versions(sandbox) if f"/tenant_id={tenant}/" in version["Key"]]
    plain = {name: _deserialise(value) for name, value in record.items()}
    state = {
        "record": {n: v for n, v in plain.items() if not n.endswith("At") and n != "tenantRegistrationId"},
        "audit": [(item["seq"], item["action"], "details" in item) for item in audit],
        "workflows": [[(step["name"], step["state"], step["told"]) for step in flow["steps"]] for flow in flows],
        "events": [item["entry"] for item in items if item["entry"].startswith("event:")],
        "tags": [item["entry"] for item in items if item["entry"].startswith("tag:") and "kind" in item],
        "users": Pool(sandbox).in_group(f"tenant:{tenant}"),
        "objects": sorted(key for key in keys if not key.startswith("exports/")),
        "exports": sorted({key.split("/", 3)[3] for key in keys if key.startswith("exports/")}),
        "keys": [key for key in keys_of(sandbox, tenant) if not any(counts in key for counts in COUNTS)],
        "acl": acl,
        "logs": log_groups(sandbox, f"/tenantscope/tenants/{tenant}/"),
    }  # fmt: skip
    return anonymous(state, tenant)


def anonymous(value: Any, tenant: str) -> Any:
    """A value without the tenant's name, and without the sizes of what was compressed with it inside."""
    text = json.dumps(value, default=str).replace(tenant, "<tenant>")
    return json.loads(re.sub(r"[0-9,]+ bytes", "# bytes", text))


def moves_on(request: Mapping[str, Any]) -> bool:
    """Whether a write is that of a workflow: a step is over, or begins."""
    entry = request["parameters"].get("Item", {}).get("entry", {}).get("S", "")
    return request["action"] == "PutItem" and str(entry).startswith("workflow:")


async def killed_at_every_write(
    sandbox: Sandbox, replica: Served, tool: str, prepare: Callable[[str], Awaitable[Mapping[str, Any]]]
) -> int:
    """Hold the end of each run against that of one that nothing disturbed; how many writes that one took."""
    emulator = sandbox.emulator
    calm = f"killed-{tool[:3]}-no"
    arguments = await prepare(calm)
    mark = emulator.mark()
    answer = await until_done(replica, tool, arguments)
    asked = [each for each in emulator.requests(mark) if not each["action"].startswith(READS)]
    done = [each["action"] for each in asked]
    wanted, steps = end_state(sandbox, calm), answer["workflow"]["steps"]
    assert sum(map(moves_on, asked)) >= len(steps), "each step is told by a write"
    for number, action in enumerate(done):
        if action in done[:number] and not moves_on(asked[number]):
            continue  # one of many alike: an object, a row, an entry of the trail after another
        tenant = f"killed-{tool[:3]}-{number:02d}"
        arguments = await prepare(tenant)
        await killed_at(sandbox, tool, arguments, action, done[:number].count(action))
        answer = await until_done(replica, tool, arguments)
        assert anonymous(answer["workflow"]["steps"], tenant) == anonymous(steps, calm), (number, action)
        assert end_state(sandbox, tenant) == wanted, (number, action)
        assert content_of(await ask(replica, "list_audit_events", tenant_id=tenant))["intact"] is True
    return len(done)


def newcomer(tenant: str) -> dict[str, Any]:
    return {
        "tenant_id": tenant, "name": f"{tenant} Ltd", "tier": "growth", "admin_email": f"first@{tenant}.example",
        "tags": {"segment": "killed"}, "config": {"colour": "blue"}, "sample_data": True,
    }  # fmt: skip


@pytest.mark.requirement("same-end-wherever-killed")
async def test_a_tenant_comes_in_the_same_wherever_its_server_was_killed(small_company: Sandbox, replica: Served):
    async def prepare(tenant: str) -> Mapping[str, Any]:
        return newcomer(tenant)

    writes = await killed_at_every_write(small_company, replica, "create_tenant", prepare)
    assert writes > 15


@pytest.mark.requirement("same-end-wherever-killed")
async def test_a_tenant_is_gone_the_same_wherever_its_server_was_killed(small_company: Sandbox, replica: Served):
    async def prepare(tenant: str) -> Mapping[str, Any]:
        content_of(await ask(replica, "create_tenant", **newcomer(tenant)))
        move_in(small_company, tenant)
        about = {"tenant_id": tenant, "action": "offboard"}
        tried = content_of(await ask(replica, "set_tenant_status", **about, dry_run=True))
        return {**about, "confirmation": tried["confirmation"]}

    writes = await killed_at_every_write(small_company, replica, "set_tenant_status", prepare)
    assert writes > 25
