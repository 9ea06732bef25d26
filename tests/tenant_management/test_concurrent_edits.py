"""Two hundred edits of one tenant at once: one wins each version, the others are told, none that worked is lost."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fixtures.serving import Served, answer_of, call_of
from fixtures.small_company import as_item, registered
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.changes import MAX_TAGS

TENANT = "contended"
BY_TENANT, BY_PROVIDER, TAGGED = 100, 90, 10
AT_ONCE_AGAIN = 4
MOST_ATTEMPTS = 200


@dataclass(frozen=True)
class Edit:
    """One caller's wish."""

    token: str
    tool: str
    arguments: dict[str, Any]


@pytest.fixture
def contended(small_company: Sandbox) -> Iterator[None]:
    dynamodb = small_company.client("dynamodb")
    dynamodb.put_item(TableName=small_company.table, Item=as_item(registered(TENANT, tags={}, tenantConfig="{}")))
    yield
    dynamodb.delete_item(TableName=small_company.table, Key={"tenantId": {"S": TENANT}})


@pytest.fixture
def edits(registry_server: Served) -> list[Edit]:
    """By the tenant's admin and by the provider, to settings and to tags, none the same as another."""
    admin, provider = registry_server.token(TENANT, subject="ada"), registry_server.token(None, subject="pat")
    named = {"tenant_id": TENANT}
    assert TAGGED <= MAX_TAGS
    return [
        *(Edit(admin, "update_tenant_config", {"patch": {f"a{n}": n}}) for n in range(BY_TENANT)),
        *(Edit(provider, "update_tenant_config", named | {"patch": {f"p{n}": n}}) for n in range(BY_PROVIDER)),
        *(Edit(provider, "update_tenant", named | {"tags": {f"t{n}": str(n)}}) for n in range(TAGGED)),
    ]


async def test_no_update_is_lost_and_each_loser_is_told_what_changed(
    ask: Ask, registry_server: Served, small_company: Sandbox, contended: None, edits: list[Edit]
):
    async def attempt(edit: Edit, version: int) -> dict[str, Any]:
        call = call_of(edit.tool, {**edit.arguments, "version": version})
        return answer_of(await registry_server.post(call, edit.token))["result"]

    async def version_now() -> int:
        answer = answer_of(await registry_server.post(call_of("get_tenant"), edits[0].token))["result"]
        return answer["structuredContent"]["version"]

    start = await version_now()
    assert start == 1
    first = await asyncio.gather(*(attempt(edit, start) for edit in edits))
    acknowledged = [answer["structuredContent"]["version"] for answer in first if not answer.get("isError")]
    losers = [edit for edit, answer in zip(edits, first, strict=True) if answer.get("isError")]
    assert acknowledged == [start + 1], "exactly one wins"
    for answer in first:
        if answer.get("isError"):
            told = answer["_meta"]["io.tenantscope/error"]
            assert (told["code"], told["parameter"], told["current_version"]) == ("conflict", "version", start + 1)
            assert told["changed"] in (["config"], ["tags"]), told
            said = answer["content"][0]["text"]
            assert re.search(rf"since version {start}: (config|tags)\. It is at version {start + 1} now", said), said

    gate, codes = asyncio.Semaphore(AT_ONCE_AGAIN), Counter[str]()

    async def until_done(edit: Edit) -> int:
        async with gate:
            for _ in range(MOST_ATTEMPTS):
                answer = await attempt(edit, await version_now())
                if not answer.get("isError"):
                    return answer["structuredContent"]["version"]
                told = answer["_meta"]["io.tenantscope/error"]
                codes[told["code"]] += 1
                assert told["code"] == "conflict", told
        raise AssertionError("an edit never came through")

    acknowledged += await asyncio.gather(*map(until_done, losers))
    assert codes["conflict"] > 0, "they did contend"
    assert sorted(acknowledged) == list(range(start + 1, start + 1 + len(edits))), "a version is given once"

    seen = (await ask("get_tenant", TENANT)).structured_content
    assert seen is not None
    assert seen["version"] == start + len(edits)
    assert seen["config"] == {f"a{n}": n for n in range(BY_TENANT)} | {f"p{n}": n for n in range(BY_PROVIDER)}
    assert seen["tags"] == {f"t{n}": str(n) for n in range(TAGGED)}

    trail: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await ask("list_audit_events", tenant_id=TENANT, limit=50, **cursor)).structured_content
        assert page is not None
        assert page["intact"] is True
        trail += page["events"]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [event["seq"] for event in trail] == list(range(len(edits), 0, -1))
    assert Counter(event["by"]["subject"] for event in trail) == {"ada": BY_TENANT, "pat": BY_PROVIDER + TAGGED}
    assert sorted(versions_in_trail(small_company)) == sorted(acknowledged)


def versions_in_trail(sandbox: Sandbox) -> list[int]:
    """The versions that the tenant's audit entries say they made."""
    pages = sandbox.client("dynamodb").get_paginator("query").paginate(
        TableName=sandbox.outputs["JournalTable"],
        KeyConditionExpression="tenantId = :t AND begins_with(entry, :e)",
        ExpressionAttributeValues={":t": {"S": TENANT}, ":e": {"S": "audit:"}},
    )  # fmt: skip
    return [int(item["version"]["N"]) for page in pages for item in page["Items"]]
