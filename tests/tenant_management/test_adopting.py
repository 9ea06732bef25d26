"""The job `adopt`: what other control planes wrote is taken in, each tenant in one change, nothing else touched."""

import re
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from fixtures.serving import content_of
from fixtures.small_company import CROWD, NAMED, as_item, registered
from tenant_management.conftest import Ask
from tenant_management.control_plane import ControlPlane
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.jobs import run_job
from tenantscope_sandbox.processes import PartFailed

USUAL = {"tenantName": "Adopt Me", "tier": "growth", "tenantStatus": "Created", "email": "ops@adopt.example"}
COUNTED = re.compile(r"adopt: (\d+) tenants looked at, (\d+) (?:would be )?taken in")


@pytest.fixture(scope="module")
def plane(small_company: Sandbox) -> ControlPlane:
    run_job(small_company, "tenant-management", "adopt")  # what other tests left
    return ControlPlane(small_company)


def adopt(sandbox: Sandbox, *words: str) -> int:
    """How many tenants the job says that it took in."""
    told = COUNTED.fullmatch(run_job(sandbox, "tenant-management", "adopt", *words))
    assert told is not None
    assert int(told[1]) >= len(CROWD) + len(NAMED)
    return int(told[2])


@contextmanager
def entry(sandbox: Sandbox, tenant: str, tag: str, name: str) -> Generator[None]:
    """An entry of a tag in the journal, for a block."""
    dynamodb, table = sandbox.client("dynamodb"), sandbox.outputs["JournalTable"]
    key = as_item({"tenantId": tenant, "entry": f"tag:{tag}"})
    kind = as_item({"kind": f"tag:{tag}", "kindSort": f"{name}\t{tenant}"})
    dynamodb.put_item(TableName=table, Item=key | kind)
    try:
        yield
    finally:
        dynamodb.delete_item(TableName=table, Key=key)


def entries(sandbox: Sandbox, tenant: str) -> dict[str, str]:
    """Where the index of tags has a tenant."""
    found = sandbox.client("dynamodb").query(
        TableName=sandbox.outputs["JournalTable"],
        KeyConditionExpression="tenantId = :t AND begins_with(entry, :e)",
        ExpressionAttributeValues={":t": {"S": tenant}, ":e": {"S": "tag:"}},
    )
    return {item["kind"]["S"]: item["kindSort"]["S"] for item in found["Items"] if "kind" in item}


async def ids(ask: Ask, **question: Any) -> list[str]:
    return [one["tenant_id"] for one in content_of(await ask("list_tenants", **question))["tenants"]]


async def test_what_it_wrote_is_taken_in_once_with_all_that_it_lacks_and_nothing_else_changed(
    ask: Ask, plane: ControlPlane, small_company: Sandbox
):
    assert adopt(small_company) == 0
    with plane.registered(**USUAL, tags={"region": "eu", "odd": 7}, custom=[1, None]) as tenant:
        before = plane.read(tenant)
        assert adopt(small_company, "--dry-run") == 1
        assert plane.read(tenant) == before
        assert entries(small_company, tenant) == {}
        assert adopt(small_company) == 1
        after = plane.read(tenant)
        assert {name: value for name, value in after.items() if name in before} == before
        added = {name: value for name, value in after.items() if name not in before and name != "updatedAt"}
        assert added == {
            "recordType": "tenant", "version": 1, "entitlements": ["booking", "search"],
            "quotas": {"users": 10, "storage_gb": 20},
        }  # fmt: skip
        sort = f"Adopt Me\t{tenant}"
        assert entries(small_company, tenant) == {"tag:region=eu": sort, "tag:odd=7": sort}
        assert await ids(ask, tag="region=eu", name_prefix="Adopt") == [tenant]
        assert await ids(ask, name_prefix="Adopt") == [tenant]
        trail = content_of(await ask("list_audit_events", tenant_id=tenant))
        assert trail["intact"] is True
        assert [event["action"] for event in trail["events"]] == ["tenant.adopted"]
        assert (adopt(small_company), plane.read(tenant)) == (0, after)


async def test_a_tenant_is_found_by_any_of_its_status_its_tier_and_its_type(
    plane: ControlPlane, small_company: Sandbox
):
    found = [
        {"tenantStatus": "Provisioned"}, {"tenantStatus": "In Progress", "tier": "unheard-of"}, {"tier": "starter"},
        {"tier": "starter", "tenantStatus": "In Review"}, {"recordType": "tenant"},
    ]  # fmt: skip
    with ExitStack() as kept:
        tenants = [kept.enter_context(plane.registered(tenantName=f"A{n}", **one)) for n, one in enumerate(found)]
        nowhere = kept.enter_context(plane.registered(tenantName="A9"))
        assert adopt(small_company) == len(tenants)
        assert all(plane.read(tenant)["recordType"] == "tenant" for tenant in tenants)
        quotas = ["quotas" in plane.read(tenant) for tenant in tenants]
        assert quotas == [False, False, True, True, False]
        assert "recordType" not in plane.read(nowhere), "no index has it"


async def test_what_another_set_of_a_tenants_terms_and_version_stays(plane: ControlPlane, small_company: Sandbox):
    with plane.registered(**USUAL, quotas={"users": 1}, version=7) as tenant:
        assert adopt(small_company) == 1
        after = plane.read(tenant)
        assert (after["quotas"], after["entitlements"], after["version"]) == ({"users": 1}, ["booking", "search"], 8)


async def test_entries_of_tags_that_went_or_of_a_former_name_are_brought_up_to_date(
    ask: Ask, plane: ControlPlane, small_company: Sandbox
):
    whole = {n: v for n, v in registered("x", tags={"a": "1", "b": "2"}).items() if n != "tenantId"}
    with plane.registered(**{**whole, "tenantName": "New Name"}) as tenant, ExitStack() as kept:
        kept.enter_context(entry(small_company, tenant, "a=1", "Old Name"))
        kept.enter_context(entry(small_company, tenant, "gone=1", "Old Name"))
        assert adopt(small_company) == 1
        sort = f"New Name\t{tenant}"
        assert entries(small_company, tenant) == {"tag:a=1": sort, "tag:b=2": sort}
        assert await ids(ask, tag="a=1", name_prefix="New") == [tenant]
        assert adopt(small_company) == 0


async def test_a_damaged_record_is_named_and_holds_up_nobody(plane: ControlPlane, small_company: Sandbox):
    with plane.registered(**USUAL, version="seven") as broken, plane.registered(**USUAL) as whole:
        with pytest.raises(PartFailed, match=rf"{broken}: not taken in \(DataFault\)(.|\n)*1 taken in, 1 failed"):
            run_job(small_company, "tenant-management", "adopt")
        assert plane.read(whole)["recordType"] == "tenant"
        assert plane.read(broken)["version"] == "seven"
