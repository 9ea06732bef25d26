"""What other planes hear of a tenant's life: the Toolkit's words, at least once, and late rather than never."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.serving import content_of, error_fields
from fixtures.small_company import as_item, own_company
from tenant_management.company_users import journal, trail
from tenant_management.conftest import Ask
from tenant_management.event_queue import EventQueue, job, listening_queue
from tenantscope_sandbox import Sandbox

CONTROL, APPLICATION = "sbt.control.plane", "sbt.application.plane"
BUS_DOWN: dict[str, Any] = {
    "service": "events", "action": "PutEvents", "kind": "error", "status": 500, "code": "InternalException",
}  # fmt: skip


small_company = own_company("module")  # what is there is counted here


@pytest.fixture(scope="module")
def queue(small_company: Sandbox) -> Iterator[EventQueue]:
    job(small_company, "resume")  # what other tests left
    with listening_queue(small_company) as listening:
        yield listening


async def onboarded(ask: Ask, tenant: str, **more: Any) -> dict[str, Any]:
    return content_of(await ask("create_tenant", tenant_id=tenant, name=f"{tenant} Ltd", tier="growth", **more))


async def offboarded(ask: Ask, tenant: str) -> None:
    about = {"tenant_id": tenant, "action": "offboard", "export": False}
    tried = content_of(await ask("set_tenant_status", **about, dry_run=True))
    left = content_of(await ask("set_tenant_status", **about, confirmation=tried["confirmation"]))
    assert left["after"] == "offboarded"


def waiting(sandbox: Sandbox, tenant: str) -> list[str]:
    """The types of the events that wait to be sent."""
    return [item["detailType"] for item in journal(sandbox, tenant, "event:") if "kind" in item]


async def test_each_turn_of_a_tenants_life_is_told_in_the_toolkits_words(
    ask: Ask, small_company: Sandbox, queue: EventQueue
):
    tenant = "told"
    about = {"tenant_id": tenant}
    version = (await onboarded(ask, tenant, email="ops@told.example", plan="gold", request_key="r-7"))["version"]
    content_of(await ask("update_tenant", **about, version=version, tier="enterprise", tags={"a": "b"}))
    content_of(await ask("set_tenant_status", **about, action="suspend", reason="security", note="a secret reason"))
    content_of(await ask("set_tenant_status", **about, action="resume"))
    user = content_of(await ask("manage_tenant_user", **about, action="invite", email="ann@told.example"))["user_id"]
    content_of(await ask("manage_tenant_user", **about, action="remove", user_id=user))
    entries = [{"entry": int(item["seq"]), "hash": item["hash"]} for item in journal(small_company, tenant, "audit:")]
    await offboarded(ask, tenant)

    record = {
        "tenantId": tenant, "tenantName": "told Ltd", "email": "ops@told.example", "plan": "gold",
        "tenantRegistrationId": "r-7",
    }  # fmt: skip
    first, growth = {**record, "tenantStatus": "Pending", "tier": "growth"}, {"tier": "growth"}
    active, moved = {"tenantStatus": "Active"}, {**record, "tier": "enterprise"}
    expected: list[tuple[str, str, dict[str, Any]]] = [
        (CONTROL, "sbt_aws_onboardingRequest", {**first, "sampleData": False}),
        (APPLICATION, "sbt_aws_provisionSuccess", {**record, **growth, **active, "jobOutput": active}),
        (CONTROL, "tenantscope_tenantUpdated", {**moved, **active}),
        (CONTROL, "sbt_aws_deactivateRequest", {**moved, "tenantStatus": "Suspended"}),
        (CONTROL, "sbt_aws_activateRequest", {**moved, **active}),
        (APPLICATION, "sbt_aws_tenantUserCreated", {"tenantId": tenant, "userId": user}),
        (APPLICATION, "sbt_aws_tenantUserDeleted", {"tenantId": tenant, "userId": user}),
        (CONTROL, "sbt_aws_offboardingRequest", {**moved, "tenantStatus": "Offboarding"}),
        (
            APPLICATION, "sbt_aws_deprovisionSuccess",
            {"tenantId": tenant, "tenantRegistrationId": "r-7", "jobOutput": {"tenantStatus": "Offboarded"}},
        ),
    ]  # fmt: skip
    heard = queue.of(tenant)
    changed = [event["detail"].pop("changed", None) for event in heard]
    assert changed[2] == ["entitlements", "quotas", "tags", "tier"]
    marks = [event["detail"].pop("tenantscope") for event in heard]
    assert [(event["source"], event["detail-type"], event["detail"]) for event in heard] == expected
    assert [mark for mark in marks[:-2] if mark not in entries] == []
    assert [mark["entry"] for mark in marks] == sorted(mark["entry"] for mark in marks)
    assert "secret" not in json.dumps(heard)
    assert waiting(small_company, tenant) == []


async def test_while_the_bus_is_down_calls_succeed_and_what_waits_is_sent_later_in_order_and_once(
    ask: Ask, small_company: Sandbox, queue: EventQueue
):
    tenant = "patient"
    version = (await onboarded(ask, tenant))["version"]
    before = queue.types(tenant)
    with small_company.emulator.faults(BUS_DOWN):
        content_of(await ask("update_tenant", tenant_id=tenant, version=version, name="Patient Ltd"))
        content_of(await ask("set_tenant_status", tenant_id=tenant, action="suspend", reason="other"))
        code, told = job(small_company, "resume")
        assert code == 1
        assert f"{tenant}: events stopped: " in told
    late = ["tenantscope_tenantUpdated", "sbt_aws_deactivateRequest"]
    assert waiting(small_company, tenant) == late
    assert queue.types(tenant) == before
    assert job(small_company, "resume")[0] == 0
    assert job(small_company, "resume") == (0, "resume: 0 workflows, 0 events\n")
    assert queue.types(tenant) == [*before, *late]
    assert waiting(small_company, tenant) == []


async def test_what_a_tenant_changes_itself_is_told_by_the_next_resume(
    ask: Ask, small_company: Sandbox, queue: EventQueue
):
    tenant = "quiet"
    version = (await onboarded(ask, tenant))["version"]
    before, mark = queue.types(tenant), small_company.emulator.mark()
    content_of(await ask("update_tenant_config", tenant, version=version, patch={"colour": "blue"}))
    assert small_company.emulator.requests(mark, service="events") == []
    assert queue.types(tenant) == before
    assert job(small_company, "resume")[0] == 0
    assert queue.types(tenant) == [*before, "tenantscope_tenantUpdated"]
    assert queue.of(tenant)[-1]["detail"]["changed"] == ["config"]
    assert "blue" not in json.dumps(queue.of(tenant))


async def test_an_event_of_which_nobody_knows_whether_it_was_sent_is_sent_again_under_the_same_mark(
    ask: Ask, small_company: Sandbox, queue: EventQueue
):
    tenant = "twice"
    version = (await onboarded(ask, tenant))["version"]
    with small_company.emulator.faults({**BUS_DOWN, "after": True}):
        content_of(await ask("update_tenant", tenant_id=tenant, version=version, name="Twice Ltd"))
    assert waiting(small_company, tenant) == ["tenantscope_tenantUpdated"]
    assert job(small_company, "resume")[0] == 0
    marks = [e["detail"]["tenantscope"] for e in queue.of(tenant) if e["detail-type"] == "tenantscope_tenantUpdated"]
    assert len(marks) > 1
    assert all(mark == marks[0] for mark in marks)
    entry = [item for item in journal(small_company, tenant, "audit:") if item["seq"] == marks[0]["entry"]]
    assert [item["hash"] for item in entry] == [marks[0]["hash"]]


async def test_an_event_that_waits_is_found_behind_any_number_that_were_sent_since(
    ask: Ask, small_company: Sandbox, queue: EventQueue
):
    tenant = "behind"
    version = (await onboarded(ask, tenant))["version"]
    with small_company.emulator.faults(BUS_DOWN):
        content_of(await ask("update_tenant", tenant_id=tenant, version=version, name="Behind Ltd"))
    sent = [
        {"PutRequest": {"Item": as_item({"tenantId": tenant, "entry": f"event:{number:012d}:sent", "gone": 1})}}
        for number in range(1_000, 1_125)
    ]
    for start in range(0, len(sent), 25):
        table = small_company.outputs["JournalTable"]
        small_company.client("dynamodb").batch_write_item(RequestItems={table: sent[start : start + 25]})
    assert job(small_company, "resume")[0] == 0
    assert queue.types(tenant)[-1] == "tenantscope_tenantUpdated"
    assert waiting(small_company, tenant) == []


async def test_nobody_leaves_before_the_bus_was_told_and_what_waited_is_told_first(
    ask: Ask, small_company: Sandbox, queue: EventQueue
):
    tenant = "unheard"
    await onboarded(ask, tenant)
    about = {"tenant_id": tenant, "action": "offboard", "export": False}
    tried = content_of(await ask("set_tenant_status", **about, dry_run=True))
    with small_company.emulator.faults(BUS_DOWN):
        stopped = error_fields(await ask("set_tenant_status", **about, confirmation=tried["confirmation"]))
        assert (stopped["code"], stopped["action"]) == ("unavailable", "retry_after")
        assert content_of(await ask("get_tenant", tenant_id=tenant))["status"] == "offboarding"
    content_of(await ask("set_tenant_status", **about))
    assert content_of(await ask("get_tenant", tenant_id=tenant))["status"] == "offboarded"
    assert queue.types(tenant)[-2:] == ["sbt_aws_offboardingRequest", "sbt_aws_deprovisionSuccess"]


async def test_a_tenant_that_cannot_be_taken_in_is_told_to_have_failed(
    ask: Ask, small_company: Sandbox, queue: EventQueue
):
    tenant = "refused-one"
    taken = "first@taken.example"
    await onboarded(ask, "taken-one", admin_email=taken)
    failed = await ask("create_tenant", tenant_id=tenant, name="Refused", tier="growth", admin_email=taken)
    assert error_fields(failed)["code"] == "invalid_argument"
    assert queue.types(tenant) == ["sbt_aws_onboardingRequest", "sbt_aws_provisionFailure"]
    detail = queue.of(tenant)[-1]["detail"]
    assert detail["jobOutput"] == {"tenantStatus": "Failed"}
    assert taken not in json.dumps(detail)
    assert [entry["action"] for entry in trail(small_company, tenant)][-1] == "tenant.onboarding_failed"
