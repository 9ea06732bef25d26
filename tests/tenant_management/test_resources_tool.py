"""`list_tenant_resources`, on tagged resources of the emulated account."""

import json
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fixtures.leaks import assert_tells_nothing_of_the_inside
from fixtures.serving import SERVERS, Served, content_of, environment_of, error_fields, serve, text_of
from fixtures.small_company import CROWD
from fixtures.small_resources import QUEUES, SHARED_QUEUE
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox

BUSY = CROWD[7]
MANY = 200
LONG = 60
OF_ACME = [
    ("dynamodb:table", "res-acme-orders"), ("lambda:function", "res-acme-report"),
    ("logs:log-group", "/res/acme/app"), ("s3:bucket", "res-acme-documents"),
    ("sqs:queue", "res-acme-jobs"), ("sqs:queue", "res-acme-mails"),
    *(("sqs:queue", name) for name, owner in QUEUES.items() if owner == "acme"),
]  # fmt: skip
SHARED = [("dynamodb:table", "res-shared-orders"), ("sqs:queue", "res-shared-jobs"), ("sqs:queue", SHARED_QUEUE)]


def function_code() -> bytes:
    """The least zip there is: an empty one."""
    return b"PK\x05\x06" + b"\0" * 18


@pytest.fixture(scope="module", autouse=True)
def tagged(small_company: Sandbox) -> Iterator[None]:
    """Resources of acme, of its namesake, of all, and two hundred of one tenant of the crowd; gone afterwards."""
    queues: list[str] = []

    def table(name: str, owner: str) -> None:
        small_company.client("dynamodb").create_table(
            TableName=name, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            Tags=[{"Key": "TenantId", "Value": owner}],
        )  # fmt: skip

    sqs, s3 = small_company.client("sqs"), small_company.client("s3")
    for name, tags in {
        "res-acme-jobs": {"TenantId": "acme", "State": "draining"}, "res-acme-mails": {"TenantId": "acme"},
        "res-corp-jobs": {"TenantId": "acme_corp"}, "res-shared-jobs": {"TenantId": "pool"},
        "res-nobodys": {"Team": "acme"}, "res-lookalike": {"TenantId": "Acme"},
        **{f"res-busy-{n:03d}-{'x' * LONG}": {"TenantId": BUSY} for n in range(MANY)},
    }.items():  # fmt: skip
        queues.append(sqs.create_queue(QueueName=name, tags=tags)["QueueUrl"])
    tables = {"res-acme-orders": "acme", "res-shared-orders": "pool", "res-corp-orders": "acme_corp"}
    for name, owner in tables.items():
        table(name, owner)
    s3.create_bucket(Bucket="res-acme-documents")
    tag_set = {"TagSet": [{"Key": "TenantId", "Value": "acme"}]}
    s3.put_bucket_tagging(Bucket="res-acme-documents", Tagging=tag_set)
    logs = small_company.client("logs")
    logs.create_log_group(logGroupName="/res/acme/app", tags={"TenantId": "acme"})
    small_company.client("lambda").create_function(
        FunctionName="res-acme-report", Runtime="python3.12", Handler="a.b", Code={"ZipFile": function_code()},
        Role=small_company.role_arn("tenant-management"), Tags={"TenantId": "acme"},
    )  # fmt: skip
    yield
    for url in queues:
        sqs.delete_queue(QueueUrl=url)
    for name in tables:
        small_company.client("dynamodb").delete_table(TableName=name)
    s3.delete_bucket(Bucket="res-acme-documents")
    logs.delete_log_group(logGroupName="/res/acme/app")
    small_company.client("lambda").delete_function(FunctionName="res-acme-report")


def rows(answer: dict[str, Any], placement: str = "silo") -> list[tuple[str, str]]:
    return [(row["type"], row["name"]) for row in answer["resources"] if row["placement"] == placement]


@contextmanager
def owned_by(sandbox: Sandbox, queue: str, owner: str) -> Generator[None]:
    """Another owner of a queue, for a block."""
    sqs = sandbox.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    before = sqs.list_queue_tags(QueueUrl=url)["Tags"]
    sqs.tag_queue(QueueUrl=url, Tags={"TenantId": owner})
    try:
        yield
    finally:
        sqs.tag_queue(QueueUrl=url, Tags=before)


async def test_a_tenant_sees_its_own_by_type_and_name_and_what_they_sum_to(ask: Ask, small_company: Sandbox):
    answer = content_of(await ask("list_tenant_resources", "acme"))
    assert rows(answer) == OF_ACME
    assert (answer["total"], answer["count"], answer["truncated"], answer["complete"]) == (9, 9, False, True)
    assert answer["by_type"] == {
        "sqs:queue": 5, "dynamodb:table": 1, "lambda:function": 1, "logs:log-group": 1, "s3:bucket": 1,
    }  # fmt: skip
    assert answer["by_region"] == {small_company.region: 9}
    assert answer["by_placement"] == {"silo": 9}
    assert answer["searched_region"] == small_company.region
    assert "get_costs" in answer["next"]


async def test_a_tenant_is_told_of_no_account_and_of_nothing_shared(ask: Ask, small_company: Sandbox):
    text = text_of(await ask("list_tenant_resources", "acme"))
    assert "account" not in text
    assert "…" not in text
    assert "shared" not in text
    assert_tells_nothing_of_the_inside(text, small_company)
    fields = error_fields(await ask("list_tenant_resources", "acme", placement="pool"))
    assert (fields["code"], fields["parameter"]) == ("invalid_argument", "placement")


async def test_the_provider_sees_what_all_share_as_well_and_accounts_by_their_last_digits(
    ask: Ask, small_company: Sandbox
):
    result = await ask("list_tenant_resources", tenant_id="acme")
    answer = content_of(result)
    assert rows(answer) == OF_ACME
    assert rows(answer, "pool") == SHARED
    assert answer["by_placement"] == {"silo": 9, "pool": 3}
    shown = f"…{small_company.account[-4:]}"
    assert answer["by_account"] == {shown: 12}
    assert {row["account"] for row in answer["resources"]} == {shown}
    for part in ("by_type", "by_region", "by_placement", "by_account"):
        assert sum(answer[part].values()) == answer["total"] == 12
    assert_tells_nothing_of_the_inside(text_of(result), small_company)


async def test_namesakes_never_see_each_others(ask: Ask):
    corp = content_of(await ask("list_tenant_resources", "acme_corp"))
    assert rows(corp) == [("dynamodb:table", "res-corp-orders"), ("sqs:queue", "res-corp-jobs")]
    assert [name for _, name in rows(content_of(await ask("list_tenant_resources", "globex")))] == [
        name for name, owner in QUEUES.items() if owner == "globex"
    ]
    assert content_of(await ask("list_tenant_resources", "Acme-2"))["total"] == 0


async def test_filters_narrow_rows_and_counts_alike(ask: Ask, small_company: Sandbox):
    for question, wanted in (
        ({"type": "sqs"}, OF_ACME[4:]),
        ({"type": "sqs:queue"}, OF_ACME[4:]),
        ({"type": "sqs:topic"}, []),
        ({"type": "logs:log-group"}, OF_ACME[2:3]),
        ({"region": small_company.region}, OF_ACME),
        ({"region": "global"}, []),
        ({"placement": "silo", "type": "dynamodb"}, OF_ACME[:1]),
    ):
        answer = content_of(await ask("list_tenant_resources", "acme", **question))
        assert (rows(answer), answer["total"]) == (wanted, len(wanted)), question
    pool = content_of(await ask("list_tenant_resources", tenant_id="acme", placement="pool"))
    assert (rows(pool), rows(pool, "pool")) == ([], SHARED)


@pytest.mark.parametrize("pattern", ["sqs*", "*", "sqs:*", "s?s", "", "sqs:queue:x", "arn:aws:sqs"])
async def test_a_type_is_one_name_and_no_pattern(ask: Ask, pattern: str):
    fields = error_fields(await ask("list_tenant_resources", "acme", type=pattern))
    assert (fields["code"], fields["parameter"]) == ("invalid_argument", "type")


async def test_two_hundred_come_in_pages_each_once_and_each_page_fits(ask: Ask):
    seen: list[str] = []
    question: dict[str, Any] = {"limit": 100}
    while True:
        result = await ask("list_tenant_resources", BUSY, **question)
        assert len(text_of(result).encode()) < 25_000
        answer = content_of(result)
        assert answer["total"] == answer["by_type"]["sqs:queue"] == MANY
        seen += [row["name"] for row in answer["resources"]]
        assert answer["truncated"] == ("next_cursor" in answer)
        if not answer["truncated"]:
            break
        question["cursor"] = answer["next_cursor"]
    assert seen == [f"res-busy-{n:03d}-{'x' * LONG}" for n in range(MANY)]


async def test_what_is_retagged_between_two_pages_is_gone_from_the_second_and_moves_nothing_else(
    ask: Ask, small_company: Sandbox
):
    first = content_of(await ask("list_tenant_resources", "acme", limit=4))
    with owned_by(small_company, "res-acme-jobs", "acme_corp"):
        second = content_of(await ask("list_tenant_resources", "acme", limit=9, cursor=first["next_cursor"]))
        assert rows(first) + rows(second) == [row for row in OF_ACME if row[1] != "res-acme-jobs"]
        assert second["total"] == 8
        corp = content_of(await ask("list_tenant_resources", "acme_corp", type="sqs"))
        assert [name for _, name in rows(corp)] == ["res-acme-jobs", "res-corp-jobs"]


async def test_a_cursor_serves_no_other_tenant_and_no_other_question(ask: Ask):
    cursor = content_of(await ask("list_tenant_resources", "acme", limit=2))["next_cursor"]
    for misused in ({"tenant": "acme_corp"}, {"tenant": "acme", "type": "sqs"}, {"tenant_id": "acme"}):
        assert error_fields(await ask("list_tenant_resources", cursor=cursor, **misused))["code"] == "invalid_cursor"


@pytest.mark.requirement("filter-holds-alone")
async def test_what_leaves_the_process_names_one_tenant_exactly_whoever_asks(ask: Ask, small_company: Sandbox):
    """IAM lets any session list any tag: the question is what narrows it."""
    for asked, values in (({"tenant": "acme"}, ["acme"]), ({"tenant_id": "acme"}, ["acme", "pool"])):
        mark = small_company.emulator.mark()
        await ask("list_tenant_resources", **asked)
        (record,) = small_company.emulator.requests(mark, action="GetResources")
        assert record["parameters"]["TagFilters"] == [{"Key": "TenantId", "Values": values}]
        assert ("-tenant/" in record["principal"]) == ("tenant" in asked)


async def test_of_a_tenant_that_is_not_there_the_provider_hears_so_unless_something_is_left(
    ask: Ask, small_company: Sandbox
):
    assert error_fields(await ask("list_tenant_resources", tenant_id="nobody", placement="silo"))["code"] == "not_found"
    with owned_by(small_company, "res-nobodys", "nobody"):
        left = content_of(await ask("list_tenant_resources", tenant_id="nobody", placement="silo"))
        assert rows(left) == [("sqs:queue", "res-nobodys")]


async def test_a_throttled_api_is_told_with_when_to_come_back(ask: Ask, small_company: Sandbox):
    throttled = {
        "action": "GetResources", "kind": "error", "status": 400, "code": "ThrottledException",
    }  # fmt: skip
    with small_company.emulator.faults(throttled):
        fields = error_fields(await ask("list_tenant_resources", "acme"))
        assert small_company.emulator.struck()[0] > 0
    assert (fields["code"], fields["action"]) == ("unavailable", "retry_after")


@pytest.fixture
async def another_pool(small_company: Sandbox) -> AsyncGenerator[Served]:
    """The server where shared resources bear a tenant's id, and states have a tag."""
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    settings = {"TENANTSCOPE_POOL_TAG_VALUE": "globex", "TENANTSCOPE_STATE_TAG": "State"}
    async with serve(server.spec, environment_of(server, small_company, **settings), small_company) as running:
        yield running


async def test_a_tenant_whose_id_marks_the_pool_is_refused_before_anything_is_asked(
    another_pool: Served, small_company: Sandbox
):
    mark = small_company.emulator.mark()
    async with another_pool.client(another_pool.token("globex"), mode="legacy") as client:
        result = await client.call_tool("list_tenant_resources", {})
    assert error_fields(result)["code"] == "not_set_up"
    assert small_company.emulator.requests(mark, action="GetResources") == []


async def test_a_state_is_shown_where_a_tag_tells_it_and_else_left_out(another_pool: Served):
    async with another_pool.client(another_pool.token("acme"), mode="legacy") as client:
        answer = content_of(await client.call_tool("list_tenant_resources", {"type": "sqs"}))
    assert [row.get("state") for row in answer["resources"]] == ["draining", *[None] * 4]
    assert "null" not in json.dumps(answer)
