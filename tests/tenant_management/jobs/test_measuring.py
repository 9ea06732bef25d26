"""The job `measure`: what the servers counted becomes part of the record, by which tenants are then found."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.serving import content_of
from fixtures.small_company import CROWD, NAMED, as_item, registered
from tenant_management.company_users import trail
from tenant_management.conftest import Ask
from tenant_management.jobs.conftest import Job, read
from tenantscope_core.metering.tally import FIELDS, Tally, month_of
from tenantscope_core.metering.use import add_tallies
from tenantscope_core.stores.valkey import ValkeyStore
from tenantscope_sandbox import Sandbox

TENANT, QUIET = "measured", "unmeasured"
QUOTAS = {"requests_per_month": 100, "answer_tokens_per_month": 50, "users": 10, "requests_per_minute": 60}
WRITTEN = r"measure: ([\d,]+) of [\d,]+ tenants written"


@pytest.fixture(autouse=True)
def tenants(small_company: Sandbox) -> Generator[None]:
    dynamodb = small_company.client("dynamodb")
    for tenant in (TENANT, QUIET):
        record = registered(tenant, quotas=QUOTAS, tags={})
        dynamodb.put_item(TableName=small_company.table, Item=as_item(record))
    yield
    for tenant in (TENANT, QUIET):
        dynamodb.delete_item(TableName=small_company.table, Key=as_item({"tenantId": tenant}))


async def count(sandbox: Sandbox, batch: int, now: datetime, calls: int, tokens: int) -> None:
    """Tell Valkey of calls, as a server's process does."""
    sums = dict.fromkeys(FIELDS, 0.0) | {"calls": calls, "answer_tokens": tokens}
    async with ValkeyStore(sandbox.valkey_url) as store:
        tally = Tally({month_of(now): list(sums.values())}, {}, now)
        await add_tallies(store, f"test-{TENANT}-{now.isoformat()}", batch, [(TENANT, tally)])


@contextmanager
def unwritten(sandbox: Sandbox) -> Generator[None]:
    """Nothing is written to any table in this block."""
    mark = sandbox.emulator.mark()
    yield
    actions = {one["action"] for one in sandbox.emulator.requests(mark, service="dynamodb")}
    assert actions <= {"Query", "GetItem", "BatchGetItem"}


async def test_counts_become_part_of_the_record_and_tell_who_is_active(small_company: Sandbox, job: Job, ask: Ask):
    now = datetime.now(UTC)
    day = (now - timedelta(days=1)).date().isoformat()
    assert TENANT not in await active(ask, day)
    quiet = read(small_company, QUIET)
    await count(small_company, 1, now, 7, 30)
    ran = job("measure")
    assert (ran.code, ran.number(WRITTEN) >= 1) == (0, True)
    record = read(small_company, TENANT)
    assert record["lastActiveAt"] == now.isoformat(timespec="seconds")
    used = {name: int(one["used"]) for name, one in record["quotaUse"].items()}
    assert used == {"requests_per_month": 7, "answer_tokens_per_month": 30, "users": 3}, "what it was said to use stays"
    assert TENANT in await active(ask, day)
    assert QUIET not in await active(ask, day)
    seen = {quota["name"]: quota for quota in content_of(await ask("get_tenant", tenant_id=TENANT))["quotas"]}
    assert seen["requests_per_month"]["used"] >= 7
    # It is no decision of anybody's.
    assert (record["version"], trail(small_company, TENANT)) == (1, [])
    after = read(small_company, QUIET)
    zero = {"requests_per_month", "answer_tokens_per_month"}
    assert {name: one for name, one in after.items() if name != "quotaUse"} == {
        name: one for name, one in quiet.items() if name != "quotaUse"
    }
    assert all(after["quotaUse"][name]["used"] == 0 for name in zero)


async def active(ask: Ask, day: str) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = content_of(await ask("list_tenants", active_since=day, limit=100, **cursor))
        found += [tenant["tenant_id"] for tenant in page["tenants"]]
        if not page["truncated"]:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_it_goes_through_every_tenant_and_writes_what_is_news_alone(small_company: Sandbox, job: Job):
    job("measure")
    with unwritten(small_company):
        ran = job("measure")
    assert ran.code == 0
    assert ran.number(WRITTEN) == 0
    assert ran.number(r"measure: 0 of ([\d,]+) tenants written") >= len(CROWD) + len(NAMED) + 2


async def test_while_valkey_is_down_it_fails_and_writes_nothing(small_company: Sandbox, job: Job):
    with unwritten(small_company):
        ran = job("measure", TENANTSCOPE_VALKEY_URL="redis://127.0.0.1:1/0")
    assert ran.code == 1
    assert any("unknown" in line for line in ran.lines)


def test_where_the_servers_count_nowhere_it_says_what_to_set(small_company: Sandbox, job: Job):
    with unwritten(small_company):
        ran = job("measure", TENANTSCOPE_VALKEY_URL="")
    assert ran.code != 0
    assert "TENANTSCOPE_VALKEY_URL" in ran.errors + "\n".join(ran.lines)
