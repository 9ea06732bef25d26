"""The tools that read, against the registry of a small company."""

import contextlib
from collections.abc import Generator
from typing import Any

import pytest
from fixtures.serving import SERVERS, Served, content_of, environment_of, error_fields, serve, text_of
from fixtures.small_company import CROWD, NAMED, as_item, own_company, registered
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox

EVERYONE = sorted([*NAMED, *CROWD], key=lambda tenant: f"{tenant} Travel")


small_company = own_company("module")  # what is there is counted here


@contextlib.contextmanager
def record(sandbox: Sandbox, attributes: dict[str, Any]) -> Generator[None]:
    """One more item in the registry, for a block."""
    dynamodb = sandbox.client("dynamodb")
    dynamodb.put_item(TableName=sandbox.table, Item=as_item(attributes))
    try:
        yield
    finally:
        dynamodb.delete_item(TableName=sandbox.table, Key={"tenantId": {"S": attributes["tenantId"]}})


async def pages(ask: Ask, **question: Any) -> list[list[str]]:
    """Every page of a list, as ids."""
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    for _ in range(len(EVERYONE) + 1):
        page = content_of(await ask("list_tenants", **question, **cursor))
        ids = [tenant["tenant_id"] for tenant in page["tenants"]]
        assert page["count"] == len(ids)
        found.append(ids)
        assert page["truncated"] == ("next_cursor" in page)
        if not page["truncated"]:
            return found
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("the pages do not end")


async def ids(ask: Ask, **question: Any) -> list[str]:
    return [tenant for page in await pages(ask, **{"limit": 100, **question}) for tenant in page]


async def test_get_tenant_shows_a_tenant_its_own_record(ask: Ask):
    seen = content_of(await ask("get_tenant", "globex"))
    assert (seen["tenant_id"], seen["status"], seen["tier"]) == ("globex", "active", "growth")
    assert seen["config"] == {"locale": "en-US", "owner": "globex"}
    quotas = {quota["name"]: quota for quota in seen["quotas"]}
    assert (quotas["users"]["limit"], quotas["users"]["held_by"], quotas["users"]["own"]) == (10, "invitations", False)
    assert seen["created"] == "2025-01-01T09:00:00Z"


async def test_get_tenant_shows_the_provider_any_tenant_suspended_ones_too(ask: Ask):
    for tenant, status in NAMED.items():
        seen = content_of(await ask("get_tenant", tenant_id=tenant))
        assert (seen["tenant_id"], seen["status"]) == (tenant, status.lower())


async def test_get_tenant_of_one_that_is_not_there_says_where_to_look(ask: Ask):
    for near in ("nobody", "ACME", "acme-", "Acme"):
        result = await ask("get_tenant", tenant_id=near)
        fields = error_fields(result)
        assert (fields["code"], fields["parameter"]) == ("not_found", "tenant_id")
        assert "list_tenants" in text_of(result)


async def test_a_damaged_record_is_told_as_damage_with_the_attributes_at_fault(ask: Ask, small_company: Sandbox):
    whole = registered("broken")
    with record(small_company, {name: value for name, value in whole.items() if name != "tenantName"}):
        result = await ask("get_tenant", tenant_id="broken")
        assert error_fields(result)["code"] == "data_fault"
        assert "tenantName" in text_of(result)
    with record(small_company, {**whole, "tenantConfig": "{"}):
        assert "tenantConfig" in text_of(await ask("get_tenant", tenant_id="broken"))


async def test_a_list_names_the_damaged_records_that_it_passes_and_goes_on(ask: Ask, small_company: Sandbox):
    used = {"lastActiveAt": "2027-01-01T00:00:00+00:00"}
    nameless = {name: value for name, value in registered("broken", **used).items() if name != "tenantName"}
    with record(small_company, nameless), record(small_company, registered("whole", **used)):
        page = content_of(await ask("list_tenants", active_since="2026-12-31"))
        assert [one["tenant_id"] for one in page["tenants"]] == ["whole"]
        assert (page["damaged"], page["damaged_count"]) == (["broken"], 1)
        assert not page["truncated"]
        page = content_of(await ask("list_tenants", name_prefix="broken"))
        assert page["count"] == 0
        assert "damaged" not in page


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_pages_hold_every_tenant_once_in_order_of_name(ask: Ask, limit: int):
    question: dict[str, Any] = {"limit": limit}
    if limit == 1:
        question["tier"] = "growth"
    found = await pages(ask, **question)
    wanted = EVERYONE if limit > 1 else sorted(NAMED, key=lambda tenant: f"{tenant} Travel")
    assert [tenant for page in found for tenant in page] == wanted
    assert all(len(page) == limit for page in found[:-1])


FILTERS: list[tuple[dict[str, str], set[str]]] = [
    ({"status": "suspended"}, {"tundra"}),
    ({"status": "pending"}, {"yonder"}),
    ({"status": "offboarded"}, set()),
    ({"status": "active", "tier": "growth"}, {"acme", "acme_corp", "globex", "Acme-2"}),
    ({"tier": "growth"}, set(NAMED)),
    ({"tier": "starter"}, set(CROWD)),
    ({"tier": "Growth"}, set()),
    ({"name_prefix": "acme"}, {"acme", "acme_corp"}),
    ({"name_prefix": "Acme"}, {"Acme-2"}),
    ({"name_prefix": "acme", "status": "active"}, {"acme", "acme_corp"}),
    ({"tag": "owner=globex"}, {"globex"}),
    ({"tag": "segment=named", "status": "active"}, {"acme", "acme_corp", "globex", "Acme-2"}),
    ({"tag": "segment=Named"}, set()),
    ({"active_since": "2026-09-30", "tier": "growth"}, {"acme", "acme_corp", "globex", "Acme-2"}),
    ({"active_since": "2026-10-01"}, set()),
    ({"inactive_since": "2026-06-01"}, {"tundra", "yonder"}),
    ({"inactive_since": "2026-05-31"}, set()),
    ({"active_since": "2026-05-31", "inactive_since": "2026-06-01"}, {"tundra", "yonder"}),
]


@pytest.mark.parametrize(("question", "wanted"), FILTERS, ids=[str(question) for question, _ in FILTERS])
async def test_a_filter_finds_exactly_the_tenants_that_match(ask: Ask, question: dict[str, str], wanted: set[str]):
    found = await ids(ask, **question)
    assert set(found) == wanted
    assert len(found) == len(wanted)


async def test_activity_alone_lists_in_order_of_last_use_the_latest_first(ask: Ask, small_company: Sandbox):
    days = {"late": "2026-11-03", "later": "2026-11-04", "latest": "2026-11-05"}
    with contextlib.ExitStack() as kept:
        for tenant, day in days.items():
            kept.enter_context(record(small_company, registered(tenant, lastActiveAt=f"{day}T00:00:00+00:00")))
        for limit in (1, 2, 100):
            assert [one for page in await pages(ask, active_since="2026-11-03", limit=limit) for one in page] == [
                "latest", "later", "late",
            ]  # fmt: skip
        between = {"active_since": "2026-11-04", "inactive_since": "2026-11-05"}
        assert await ids(ask, **between) == ["later"]
        assert (await ids(ask, inactive_since="2026-11-05"))[:2] == ["later", "late"]


async def test_a_status_finds_every_spelling_of_it_merged_in_order_of_name(ask: Ask, small_company: Sandbox):
    spelt = {
        "sp-a": "Created",
        "sp-b": "created",
        "sp-c": "Active",
        "sp-d": "Complete",
        "sp-e": "active",
        "sp-f": "Provisioned",
    }
    with contextlib.ExitStack() as kept:
        for tenant, status in spelt.items():
            kept.enter_context(record(small_company, registered(tenant, tenantStatus=status, sbtaws_active=True)))
        kept.enter_context(record(small_company, registered("sp-off", sbtaws_active=False)))
        kept.enter_context(record(small_company, registered("sp-failed", tenantStatus="Failed")))
        for limit in (1, 4, 100):
            found = await pages(ask, status="active", name_prefix="sp-", limit=limit)
            assert [one for page in found for one in page] == list(spelt)
        assert await ids(ask, status="failed", name_prefix="sp-") == ["sp-failed"]
        everyone = [one for page in await pages(ask, status="active", limit=7) for one in page]
        active = [*spelt, *(tenant for tenant in EVERYONE if NAMED.get(tenant, "Active") == "Active")]
        assert everyone == sorted(active, key=lambda tenant: f"{tenant} Travel")


async def test_what_the_index_of_tags_is_behind_with_is_decided_by_the_record(ask: Ask, small_company: Sandbox):
    """An entry without its tenant, of a tenant that lost the tag, and of one that changed its name elsewhere."""
    dynamodb, table = (
        small_company.client("dynamodb"),
        small_company.server_env("tenant-management")["TENANTSCOPE_JOURNAL_TABLE"],
    )
    with contextlib.ExitStack() as kept:
        kept.enter_context(record(small_company, registered("st-lost", tags={"other": "1"})))
        kept.enter_context(record(small_company, registered("st-kept", tags={"stale": "1"})))
        kept.enter_context(record(small_company, registered("st-moved", tags={"stale": "1"}, tenantName="Zz Moved")))
        for tenant in ("st-gone", "st-kept", "st-lost", "st-moved"):
            key = {"tenantId": tenant, "entry": "tag:stale=1"}
            item = {**key, "kind": "tag:stale=1", "kindSort": f"{tenant} Travel\t{tenant}"}
            dynamodb.put_item(TableName=table, Item=as_item(item))
            kept.callback(dynamodb.delete_item, TableName=table, Key=as_item(key))
        assert await ids(ask, tag="stale=1") == ["st-kept", "st-moved"]
        assert await ids(ask, tag="stale=1", limit=1) == ["st-kept", "st-moved"]
        assert await ids(ask, tag="stale=1", name_prefix="st-") == ["st-kept"]
        assert await ids(ask, tag="stale=1", status="suspended") == []


@pytest.mark.parametrize("tag", ["owner", "=", "owner=", "=globex", ""])
async def test_a_tag_of_another_form_is_refused(ask: Ask, tag: str):
    fields = error_fields(await ask("list_tenants", tag=tag))
    assert (fields["code"], fields["parameter"]) == ("invalid_argument", "tag")


@pytest.mark.requirement("cursors-bound")
async def test_a_cursor_is_refused_to_another_caller_question_or_tool(ask: Ask, registry_server: Served):
    ana, ben = (registry_server.token(None, subject=name) for name in ("ana", "ben"))
    cursor = content_of(await ask("list_tenants", token=ana, tier="growth", limit=2))["next_cursor"]
    again = content_of(await ask("list_tenants", token=ana, tier="growth", limit=3, cursor=cursor))
    assert again["count"] == 3
    damaged = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for misused in (
        {"token": ben, "tier": "growth", "cursor": cursor},
        {"token": ana, "tier": "starter", "cursor": cursor},
        {"token": ana, "cursor": cursor},
        {"token": ana, "tier": "growth", "cursor": damaged},
        {"token": ana, "tier": "growth", "cursor": cursor[:-2]},
        {"token": ana, "tier": "growth", "cursor": ""},
        {"token": ana, "tier": "growth", "cursor": "x" * 5_000},
    ):
        fields = error_fields(await ask("list_tenants", **misused))
        assert (fields["code"], fields["action"], fields["parameter"]) == ("invalid_cursor", "change", "cursor")


@pytest.mark.requirement("cursors-bound")
@pytest.mark.parametrize("shared", [True, False])
async def test_replicas_take_each_others_cursors_when_they_share_the_key(small_company: Sandbox, shared: bool):
    server = next(each for each in SERVERS if each.spec.name == "tenant-management")
    keys = ["k" * 32, ("k" if shared else "l") * 32]
    first, second = (environment_of(server, small_company, TENANTSCOPE_CURSOR_KEY=key) for key in keys)
    async with (
        serve(server.spec, first, small_company) as here,
        serve(server.spec, second, small_company) as there,
        here.client(here.token(None), mode="legacy") as asked,
        there.client(there.token(None), mode="legacy") as asked_next,
    ):
        cursor = content_of(await asked.call_tool("list_tenants", {"limit": 5}))["next_cursor"]
        result = await asked_next.call_tool("list_tenants", {"limit": 5, "cursor": cursor})
    if shared:
        assert [each["tenant_id"] for each in content_of(result)["tenants"]] == EVERYONE[5:10]
    else:
        assert error_fields(result)["code"] == "invalid_cursor"
