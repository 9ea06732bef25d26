"""Many tenants at once on one process: each answer is its own tenant's, each request is signed with its own session."""

import re
from collections.abc import Mapping

import anyio
import httpx2
import pytest
from catalogue import StandingServer
from contract.calls import some_call
from fixtures.serving import ACCEPT, SERVERS, Served, answer_of, call_of, environment_of, serve
from fixtures.small_company import CROWD
from tenantscope_core.credentials.names import role_session_name
from tenantscope_sandbox import Sandbox

WARM_REQUESTS = 1_000
SIDE_BY_SIDE = 20
SAME = "When does the office open on public holidays?"
READ_BACK: Mapping[str, tuple[tuple[str, dict[str, str]], tuple[str, dict[str, str]]]] = {
    "semantic-cache": (
        ("store_answer", {"prompt": SAME, "answer": "At ten, says {tenant}."}),
        ("lookup_answer", {"prompt": SAME}),
    ),
    "memory": (
        ("remember", {"text": "Opens at ten on holidays, says {tenant}.", "kind": "fact", "subject": "opening"}),
        ("recall", {"query": SAME}),
    ),
}
"""By server that keeps what it is told: how a tenant tells it something of its own, and how all ask for the same."""


@pytest.fixture
async def fresh(small_company: Sandbox):
    """The server of the registry, with no session open yet."""
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    async with serve(server.spec, environment_of(server, small_company), small_company) as running:
        yield running


async def ask(served: Served, tenant: str, tool: str) -> dict[str, object]:
    response = await served.post(call_of(tool), served.token(tenant))
    result = answer_of(response)["result"]
    assert not result.get("isError"), result
    return result["structuredContent"]


def untimed(answer: object) -> str:
    """An answer without when its numbers were measured."""
    return re.sub(r"'used_as_of': '[^']*'", "", str(answer))


@pytest.mark.requirement("no-crossing")
async def test_two_hundred_tenants_at_once_get_their_own_answers_on_their_own_sessions(fresh: Served):
    """STS answers each after a random delay, so that sessions come in another order than they were asked for."""
    emulator = fresh.sandbox.emulator
    mark = emulator.mark()
    answers: dict[str, list[dict[str, object]]] = {tenant: [] for tenant in CROWD}

    async def visit(tenant: str) -> None:
        for tool in ("get_tenant", "whoami", "get_tenant"):
            answers[tenant].append(await ask(fresh, tenant, tool))

    with emulator.faults({"service": "sts", "kind": "delay", "seconds": [0.0, 0.4]}):
        async with anyio.create_task_group() as group:
            for tenant in CROWD:
                group.start_soon(visit, tenant)
    for tenant, (profile, caller, again) in answers.items():
        assert profile["tenant_id"] == caller["tenant_id"] == tenant
        assert profile["name"] == f"{tenant} Travel"
        assert profile["config"] == {"locale": "en-US", "owner": tenant}
        assert untimed(again) == untimed(profile)
    assert len(emulator.requests(mark, service="sts")) == len(CROWD)
    owners: dict[str, str] = {}
    for record in emulator.requests(mark, service="dynamodb"):
        (tenant,) = record["keys"]
        if tenant.startswith(":"):  # what whoami asks for to see that it is refused
            assert record["status"] != 200
            continue
        assert owners.setdefault(record["access_key_id"], tenant) == tenant
        assert record["principal"].endswith(f"/{role_session_name('tenant-management', tenant)}")
        assert record["status"] == 200
    assert sorted(owners.values()) == sorted(CROWD)


@pytest.mark.requirement("no-crossing")
async def test_two_hundred_tenants_at_once_are_told_what_they_told_and_nothing_of_the_others(
    server: StandingServer, served: Served
):
    """All of them under one user's name, with the same question."""
    keeps = hasattr(served.assembly.settings, "postgres_schema")
    assert keeps == (server.spec.name in READ_BACK)
    if not keeps:
        return
    (telling, told), (asking, asked) = READ_BACK[server.spec.name]
    slots = anyio.CapacityLimiter(SIDE_BY_SIDE)
    answers: dict[str, str] = {}

    async def visit(tenant: str) -> None:
        call = served.asking(served.token(tenant, subject="ana"))
        async with slots:
            await call(telling, {name: text.format(tenant=tenant) for name, text in told.items()})
        async with slots:
            answers[tenant] = str(await call(asking, asked))

    async with anyio.create_task_group() as group:
        for tenant in CROWD:
            group.start_soon(visit, tenant)
    for tenant, answer in answers.items():
        assert set(re.findall(r"says ([\w-]+)\.", answer)) == {tenant}
    assert len(answers) == len(CROWD)


@pytest.mark.requirement("no-stall")
async def test_a_tenant_whose_credentials_are_slow_holds_up_nobody_else(fresh: Served):
    """STS does not answer for one tenant until the others are done: warm ones, and ones that are new."""
    emulator, stalled = fresh.sandbox.emulator, CROWD[0]
    warm, new = CROWD[1:21], CROWD[21:31]
    for tenant in warm:
        await ask(fresh, tenant, "get_tenant")
    done: list[str] = []

    async def visit(tenant: str) -> None:
        assert (await ask(fresh, tenant, "get_tenant"))["tenant_id"] == tenant
        done.append(tenant)

    mark = emulator.mark()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as everybody:
            with emulator.faults({"service": "sts", "contains": stalled, "kind": "hang", "seconds": 20}):
                everybody.start_soon(visit, stalled)
                async with anyio.create_task_group() as others:
                    for tenant in (*warm, *new):
                        others.start_soon(visit, tenant)
                assert stalled not in done
                assert sorted(done) == sorted((*warm, *new))
    assert done[-1] == stalled
    assert emulator.requests(mark, service="sts", fault="hang")


@pytest.mark.requirement("no-sts-when-warm")
async def test_a_thousand_warm_requests_make_no_sts_call(fresh: Served):
    tenants, emulator = CROWD[:10], fresh.sandbox.emulator
    for tenant in tenants:
        await ask(fresh, tenant, "whoami")
    mark = emulator.mark()
    slots = anyio.CapacityLimiter(SIDE_BY_SIDE)
    headers = {tenant: {**ACCEPT, "authorization": f"Bearer {fresh.token(tenant)}"} for tenant in tenants}

    async def visit(http: httpx2.AsyncClient, tenant: str, tool: str) -> None:
        async with slots:
            response = await http.post("/mcp", json=call_of(tool), headers=headers[tenant])
            assert answer_of(response)["result"]["structuredContent"]["tenant_id"] == tenant

    async with fresh.http() as http, anyio.create_task_group() as group:
        for number in range(WARM_REQUESTS):
            tool = "get_tenant" if number % 5 == 0 else "whoami"
            group.start_soon(visit, http, tenants[number % len(tenants)], tool)
    assert emulator.requests(mark, service="sts") == []
    assert len(emulator.requests(mark, service="dynamodb")) >= WARM_REQUESTS // 5


@pytest.mark.requirement("no-sts-when-warm")
async def test_a_warm_caller_of_any_server_makes_no_sts_call(served: Served):
    tool = some_call(served.spec)
    for _ in range(2):
        await ask(served, "acme", tool)
    mark = served.sandbox.emulator.mark()
    for _ in range(20):
        await ask(served, "acme", tool)
    assert served.sandbox.emulator.requests(mark, service="sts") == []


@pytest.mark.requirement("no-sts-when-warm")
async def test_many_first_calls_of_one_tenant_make_one_sts_call(fresh: Served):
    mark = fresh.sandbox.emulator.mark()
    with fresh.sandbox.emulator.faults({"service": "sts", "kind": "delay", "seconds": 0.2}):
        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(ask, fresh, "acme", "whoami")
    assert len(fresh.sandbox.emulator.requests(mark, service="sts")) == 1
