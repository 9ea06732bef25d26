"""The audit trail page by page: what was taken out of it is missed, wherever the pages begin and end."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from fixtures.serving import content_of
from fixtures.small_company import as_item, registered
from tenant_management.company_users import journal
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox

TENANT, EVENTS = "paged-trail", 6


@pytest.fixture(scope="module", autouse=True)
async def changes(small_company: Sandbox) -> None:
    """A tenant, of which each test finds the same entries."""
    record = registered(TENANT, tags={}, tenantConfig="{}")
    small_company.client("dynamodb").put_item(TableName=small_company.table, Item=as_item(record))


async def pages(ask: Ask, limit: int, **question: Any) -> list[dict[str, Any]]:
    """Every page, to the tenant itself."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = content_of(await ask("list_audit_events", TENANT, limit=limit, **question, **cursor))
        found.append(page)
        if "next_cursor" not in page:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def grown(ask: Ask) -> None:
    """Entries 1 to 6, made once."""
    for number in range(len(content_of(await ask("list_audit_events", TENANT))["events"]), EVENTS):
        content_of(await ask("update_tenant_config", TENANT, patch={"a": number}, version=number + 1))


@contextmanager
def without(sandbox: Sandbox, *gone: int) -> Generator[None]:
    """Some entries taken out of the table for a block, by whoever may write there."""
    dynamodb, table = sandbox.client("dynamodb"), sandbox.outputs["JournalTable"]
    items = [item for item in journal(sandbox, TENANT, "audit:") if int(item["seq"]) in gone]
    assert len(items) == len(gone)
    for item in items:
        dynamodb.delete_item(TableName=table, Key=as_item({"tenantId": TENANT, "entry": item["entry"]}))
    try:
        yield
    finally:
        for item in items:
            dynamodb.put_item(TableName=table, Item=as_item(item))


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_a_whole_trail_is_intact_on_every_page(ask: Ask, limit: int):
    await grown(ask)
    found = await pages(ask, limit)
    assert [event["seq"] for page in found for event in page["events"]] == list(range(EVENTS, 0, -1))
    assert all(page["intact"] and "broken_at" not in page for page in found)


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
@pytest.mark.parametrize("gone", [(1,), (2,), (3,), (4,), (5,), (6,), (1, 2), (3, 4), (1, 2, 3, 4, 5), (5, 6)], ids=str)
async def test_entries_that_were_taken_out_are_missed_on_some_page_by_the_first_number(
    ask: Ask, small_company: Sandbox, limit: int, gone: tuple[int, ...]
):
    await grown(ask)
    with without(small_company, *gone):
        broken = [page["broken_at"] for page in await pages(ask, limit) if not page["intact"]]
    assert broken, "nobody would know"
    assert set(broken) <= {*gone, EVENTS}


async def test_a_part_of_a_trail_is_intact_though_it_does_not_begin_where_the_trail_does(ask: Ask):
    await grown(ask)
    (first,) = await pages(ask, 50)
    since, until = first["events"][3]["at"], first["events"][1]["at"]
    for question in ({"since": since}, {"until": until}, {"since": since, "until": until}):
        for limit in (1, 50):
            assert all(page["intact"] for page in await pages(ask, limit, **question)), (question, limit)
