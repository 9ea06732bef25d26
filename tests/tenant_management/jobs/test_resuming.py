"""The job `resume` where what it finds is over already, or not over yet."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from fixtures.serving import content_of, error_fields
from fixtures.small_company import as_item
from tenant_management.conftest import Ask
from tenant_management.jobs.conftest import Job
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.workflow import Workflow, as_document, begin

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
BEGUN = begin("onboarding", "key", "digest", {}, ["first"], by="pat", now=NOW)
OVER = {
    "done": BEGUN.with_step("first", "done", NOW, None, {}),
    "undone": BEGUN.failed("first", "It failed.").with_step("first", "undone", NOW, None, {}),
}


@contextmanager
def kept(sandbox: Sandbox, tenant: str, flow: Workflow) -> Generator[None]:
    """A workflow in the journal that the index of what is unfinished still has."""
    dynamodb, table = sandbox.client("dynamodb"), sandbox.outputs["JournalTable"]
    key: dict[str, Any] = {"tenantId": tenant, "entry": f"workflow:{flow.kind}"}
    found = {"kind": "workflow:open", "kindSort": f"{flow.started}:{tenant}"}
    item = {**key, **found, "revision": flow.revision, "document": as_document(flow)}
    dynamodb.put_item(TableName=table, Item=as_item(item))
    try:
        yield
    finally:
        dynamodb.delete_item(TableName=table, Key=as_item(key))


@pytest.mark.parametrize("state", OVER)
def test_a_workflow_that_ended_while_its_index_was_behind_is_left_and_others_are_gone_on_with(
    small_company: Sandbox, job: Job, state: str
):
    flow = OVER[state]
    assert flow.state == state
    with kept(small_company, "acme", flow), kept(small_company, "globex", flow):
        ran = job("resume")
    assert (ran.code, ran.errors.count("Traceback")) == (0, 0)
    assert ran.lines[:2] == ["acme: onboarding is over already", "globex: onboarding is over already"]


async def test_what_is_not_over_when_its_time_is_counts_as_left_and_the_next_run_goes_on(
    small_company: Sandbox, job: Job, ask: Ask
):
    assert content_of(await ask("create_tenant", tenant_id="slow-leaver", name="Slow", tier="growth"))
    leaving = {"tenant_id": "slow-leaver", "action": "offboard", "export": False}
    tried = content_of(await ask("set_tenant_status", **leaving, dry_run=True))
    down = {"service": "cognito-idp", "kind": "error", "status": 500, "code": "InternalErrorException"}
    with small_company.emulator.faults(down):
        stopped = await ask("set_tenant_status", **leaving, confirmation=tried["confirmation"])
        assert error_fields(stopped)["action"] == "retry_after"
    ran = job("resume", TENANTSCOPE_QUIET_SECONDS="60", TENANTSCOPE_CALL_TIMEOUT_SECONDS="2")
    (told,) = [line for line in ran.lines if line.startswith("slow-leaver: ")]
    assert re.fullmatch(r"slow-leaver: offboarding stopped: offboarding running, 1 of \d+ steps; the next .*\.", told)
    assert ran.code == 1
    assert job("resume").code == 0
    assert content_of(await ask("set_tenant_status", **leaving))["after"] == "offboarded"
