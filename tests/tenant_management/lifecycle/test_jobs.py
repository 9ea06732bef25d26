"""Jobs go past those who have left and those whose records are damaged, and past what others finished meanwhile."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fixtures.serving import content_of
from fixtures.small_company import TIERS, as_item, registered
from tenant_management.conftest import Ask
from tenant_management.lifecycle.test_between_lives import let_go
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.jobs import run_job
from tenantscope_sandbox.processes import PartFailed
from tenantscope_tenant_management.workflow import as_document, begin


@contextmanager
def a_tier_of_its_own(sandbox: Sandbox, folder: Path) -> Generator[Callable[[int], None]]:
    """Publishes the company's tiers with one more, of so many users, and at the end without it."""
    file = folder / "tiers.yaml"

    def publish(limit: int | None) -> None:
        own = "" if limit is None else f"\n  brief:\n    features: [search]\n    quotas: {{users: {limit}}}\n"
        file.write_text(TIERS.rstrip() + own, encoding="utf-8")
        run_job(sandbox, "tenant-management", "publish-tiers", str(file), "--commit")

    yield publish
    publish(None)


async def test_what_jobs_give_to_tenants_goes_to_none_that_has_left_and_stops_at_no_damaged_one(
    ask: Ask, small_company: Sandbox, tmp_path: Path
):
    with a_tier_of_its_own(small_company, tmp_path) as publish:
        publish(5)
        for tenant in ("stays", "left"):
            content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="brief"))
        await let_go(ask, "left")
        gone = content_of(await ask("get_tenant", tenant_id="left"))
        dynamodb = small_company.client("dynamodb")
        damaged = as_item(registered("damaged", tenantName="aaa damaged", tier="brief"))
        dynamodb.put_item(TableName=small_company.table, Item=damaged | {"quotas": {"M": {"users": {"S": "many"}}}})
        try:
            publish(7)
        except PartFailed as error:
            assert "damaged: not brought up to date" in str(error)
        else:
            raise AssertionError("one tenant could not be brought up to date, and the job said nothing of it")
        finally:
            dynamodb.delete_item(TableName=small_company.table, Key={"tenantId": {"S": "damaged"}})
        (quota,) = content_of(await ask("get_tenant", tenant_id="stays"))["quotas"]
        assert quota["limit"] == 7
        run_job(small_company, "tenant-management", "adopt")
        assert content_of(await ask("get_tenant", tenant_id="left")) == gone
        await let_go(ask, "stays")


async def test_a_workflow_that_a_tenant_wrote_into_the_journal_itself_switches_nobody_on(
    ask: Ask, small_company: Sandbox
):
    content_of(await ask("create_tenant", tenant_id="planter", name="planter", tier="starter"))
    suspend = {"tenant_id": "planter", "action": "suspend", "reason": "abuse"}
    content_of(await ask("set_tenant_status", **suspend))
    inputs = {"tier": "growth", "admin_email": None, "sample_data": False}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    planted = begin("onboarding", "k", "", inputs, ["quotas", "activate"], by="planter", now=now)
    item = {"tenantId": "planter", "entry": "workflow:onboarding", "revision": 0, "document": as_document(planted)}
    small_company.client("dynamodb").put_item(
        TableName=small_company.outputs["JournalTable"],
        Item=as_item({**item, "kind": "workflow:open", "kindSort": "x"}),
    )
    with pytest.raises(PartFailed, match="switched off"):
        run_job(small_company, "tenant-management", "resume")
    seen = content_of(await ask("get_tenant", tenant_id="planter"))
    assert (seen["status"], seen["tier"]) == ("suspended", "starter")
    await let_go(ask, "planter")
