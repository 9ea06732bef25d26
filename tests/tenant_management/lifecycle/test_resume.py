"""The job `resume`: it finishes what calls have left, says what it cannot, and ends with a code that tells which."""

from typing import Any

import pytest
from fixtures.serving import content_of, error_fields
from fixtures.small_company import own_company
from tenant_management.company_users import Pool, trail
from tenant_management.conftest import Ask
from tenant_management.event_queue import job
from tenantscope_sandbox import Sandbox

COGNITO_DOWN: dict[str, Any] = {
    "service": "cognito-idp", "kind": "error", "status": 500, "code": "InternalErrorException",
}  # fmt: skip
AT_ONCE = {"TENANTSCOPE_QUIET_SECONDS": "0"}


small_company = own_company("module")  # what is there is counted here


async def onboarded(ask: Ask, tenant: str, tier: str = "growth", **more: Any) -> dict[str, Any]:
    return content_of(await ask("create_tenant", tenant_id=tenant, name=f"{tenant} Ltd", tier=tier, **more))


def writes(sandbox: Sandbox, mark: int) -> list[str]:
    """What was written to the tables since a mark."""
    requests = sandbox.emulator.requests(mark, service="dynamodb")
    return [each["action"] for each in requests if each["action"] in ("PutItem", "UpdateItem", "TransactWriteItems")]


@pytest.fixture
def resumed(small_company: Sandbox) -> None:
    job(small_company, "resume", **AT_ONCE)  # what other tests left


async def left_half(ask: Ask, sandbox: Sandbox, tenant: str, **more: Any) -> None:
    """A tenant whose onboarding stopped while its users could not be kept."""
    with sandbox.emulator.faults(COGNITO_DOWN):
        stopped = await ask("create_tenant", tenant_id=tenant, name=f"{tenant} Ltd", tier="growth", **more)
        assert error_fields(stopped)["action"] == "retry_after"


async def test_with_nothing_to_go_on_with_resume_writes_nothing_and_ends_well(resumed: None, small_company: Sandbox):
    mark = small_company.emulator.mark()
    assert job(small_company, "resume") == (0, "resume: 0 workflows, 0 events\n")
    assert writes(small_company, mark) == []


async def test_what_calls_have_left_is_finished_though_one_of_them_cannot_be(
    ask: Ask, resumed: None, small_company: Sandbox
):
    stuck, later = "stuck-one", "later-one"
    await left_half(ask, small_company, stuck)
    await left_half(ask, small_company, later, admin_email="ann@later.example")
    with small_company.emulator.faults({**COGNITO_DOWN, "contains": stuck}):
        code, told = job(small_company, "resume")
    assert code == 1
    assert f"{stuck}: onboarding stopped: It stopped at the step identity" in told
    assert f"{later}: onboarding done, " in told
    assert content_of(await ask("get_tenant", tenant_id=stuck))["status"] == "pending"
    assert content_of(await ask("get_tenant", tenant_id=later))["status"] == "active"
    assert Pool(small_company).in_group(f"tenant:{later}") == [("ann@later.example", "admin", True)]
    assert job(small_company, "resume")[0] == 0
    assert content_of(await ask("get_tenant", tenant_id=stuck))["status"] == "active"
    by = {(entry["action"], entry["by"]) for entry in trail(small_company, stuck)}
    assert ("tenant.activated", "resume") in by
    again = content_of(await ask("create_tenant", tenant_id=stuck, name=f"{stuck} Ltd", tier="growth"))
    assert again["workflow"]["state"] == "done"


async def test_what_fails_for_good_is_undone_named_and_left_alone_afterwards(
    ask: Ask, resumed: None, small_company: Sandbox
):
    await left_half(ask, small_company, "hopeless", admin_email="ann@owner.example")
    await onboarded(ask, "owner-one", admin_email="ann@owner.example")
    code, told = job(small_company, "resume")
    assert code == 1
    assert "hopeless: onboarding stopped: The tenant could not be taken in: " in told
    assert content_of(await ask("get_tenant", tenant_id="hopeless"))["status"] == "failed"
    assert Pool(small_company).in_group("tenant:hopeless") is None
    assert job(small_company, "resume")[0] == 0


async def test_an_offboarding_that_stopped_is_gone_on_with_as_it_was_asked_for(
    ask: Ask, resumed: None, small_company: Sandbox
):
    tenant = "leaving-one"
    await onboarded(ask, tenant, admin_email="ann@leaving.example")
    about = {"tenant_id": tenant, "action": "offboard", "export": False}
    tried = content_of(await ask("set_tenant_status", **about, dry_run=True))
    with small_company.emulator.faults(COGNITO_DOWN):
        stopped = await ask("set_tenant_status", **about, confirmation=tried["confirmation"])
        assert error_fields(stopped)["action"] == "retry_after"
        code, told = job(small_company, "resume", **AT_ONCE)
        assert (code, f"{tenant}: offboarding stopped: " in told) == (1, True)
    assert job(small_company, "resume", **AT_ONCE)[0] == 0
    left = content_of(await ask("set_tenant_status", **about))
    assert left["after"] == "offboarded"
    assert "export" not in left["receipt"]
    assert Pool(small_company).in_group(f"tenant:{tenant}") is None
