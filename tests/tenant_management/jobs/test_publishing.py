"""The job `publish-tiers`: tried first, then every tenant's terms follow with an entry each, exceptions kept."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fixtures.serving import Served, content_of, error_fields
from fixtures.small_company import TIERS, as_item, registered
from fixtures.stores import caller_of
from tenant_management.company_users import journal, trail
from tenant_management.conftest import Ask
from tenant_management.jobs.conftest import Job, read
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.jobs.publishing import Publisher
from tenantscope_tenant_management.tiers import Tier

PROBE = "  probe: {features: [booking], quotas: {users: 3, seats: 7}}\n"
MORE = "  probe: {features: [booking, search], quotas: {users: 4}}\n"
NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def as_before(small_company: Sandbox, job: Job, tmp_path: Path) -> Iterator[None]:
    """The tiers are what they were when a test ends."""
    yield
    file = tmp_path / "before.yaml"
    file.write_text(TIERS)
    assert job("publish-tiers", file, "--commit").code == 0


@pytest.fixture
def tiers_file(tmp_path: Path) -> Path:
    return tmp_path / "tiers.yaml"


@contextmanager
def tenants(sandbox: Sandbox, *records: dict[str, Any]) -> Generator[None]:
    """Some more records, for a block."""
    dynamodb = sandbox.client("dynamodb")
    for record in records:
        dynamodb.put_item(TableName=sandbox.table, Item=as_item(record))
    try:
        yield
    finally:
        for record in records:
            dynamodb.delete_item(TableName=sandbox.table, Key=as_item({"tenantId": record["tenantId"]}))


def on_probe(tenant: str, **attributes: Any) -> dict[str, Any]:
    terms: dict[str, Any] = {"entitlements": ["booking"], "quotas": {"users": 3, "seats": 7}}
    return registered(tenant, tier="probe", **{**terms, **attributes})


def written(sandbox: Sandbox, mark: int) -> list[str]:
    """What the job wrote since a mark."""
    actions = [one["action"] for one in sandbox.emulator.requests(mark, service="dynamodb")]
    return [action for action in actions if action in ("PutItem", "UpdateItem", "TransactWriteItems", "DeleteItem")]


async def published(ask: Ask) -> list[str]:
    return [tier["name"] for tier in content_of(await ask("list_tiers"))["tiers"]]


async def test_a_dry_run_says_what_would_change_and_writes_nothing(
    small_company: Sandbox, job: Job, ask: Ask, tiers_file: Path
):
    before = await published(ask)
    tiers_file.write_text(TIERS.replace("storage_gb: 5,", "storage_gb: 6,") + PROBE)
    mark = small_company.emulator.mark()
    ran = job("publish-tiers", tiers_file)
    assert (ran.code, written(small_company, mark)) == (0, [])
    assert ran.lines == [
        "starter: 2 features, 2 quotas, as it was", "growth: 2 features, 2 quotas, as it was",
        "enterprise: 3 features, 3 quotas, changes", "probe: 1 features, 2 quotas, new",
        "dry run: nothing is written; --commit publishes them",
    ]  # fmt: skip
    assert await published(ask) == before


async def test_it_brings_every_tenant_on_a_tier_up_to_date_with_an_entry_each_and_the_second_time_nobody(
    small_company: Sandbox, job: Job, ask: Ask, tiers_file: Path
):
    records = (
        on_probe("probe-plain"),
        on_probe("probe-own", quotaOverrides={"users": 9}, quotas={"users": 9, "seats": 7}),
        on_probe("probe-off", tenantStatus="Suspended"),
        registered("probe-other", tier="enterprise"),
    )
    with tenants(small_company, *records):
        tiers_file.write_text(TIERS + MORE)
        first = job("publish-tiers", tiers_file, "--commit")
        assert first.code == 0
        assert first.number(r"probe: (\d+) tenants brought up to date") == 3
        for record, users in zip(records[:3], (4, 9, 4), strict=True):
            tenant = record["tenantId"]
            now = read(small_company, tenant)
            assert (now["entitlements"], now["quotas"]) == (["booking", "search"], {"users": users})
            assert (now["version"], now.get("quotaOverrides")) == (2, record.get("quotaOverrides"))
            (entry,) = trail(small_company, tenant)
            assert (entry["action"], entry["by"], entry["audience"]) == (
                "tenant.terms_updated", "publish-tiers", "provider",
            )  # fmt: skip
            assert entry["after"]["quotas"] == {"users": users}
            assert entry["before"]["quotas"] == record["quotas"]
        assert "probe" in await published(ask)
        mark = small_company.emulator.mark()
        second = job("publish-tiers", tiers_file, "--commit")
        assert second.number(r"probe: (\d+) tenants brought up to date") == 0
        assert written(small_company, mark) == ["PutItem"], "the tiers themselves"
        job("publish-tiers", tiers_file, "--commit")
        assert len(trail(small_company, "probe-plain")) == 1


async def test_a_tier_that_tenants_are_on_is_not_taken_away(
    small_company: Sandbox, job: Job, ask: Ask, tiers_file: Path
):
    tiers_file.write_text(TIERS + PROBE)
    assert job("publish-tiers", tiers_file, "--commit").code == 0
    tiers_file.write_text(TIERS)
    with tenants(small_company, on_probe("probe-stays", tenantStatus="Suspended")):
        for words in ((), ("--commit",)):
            mark = small_company.emulator.mark()
            ran = job("publish-tiers", tiers_file, *words)
            assert (ran.code, written(small_company, mark)) == (1, [])
            assert ran.lines[-1] == "refused: tenants are on probe, which the file no longer has; move them first"
        assert "probe" in await published(ask)
    assert job("publish-tiers", tiers_file, "--commit").code == 0
    assert "probe" not in await published(ask)


@pytest.mark.parametrize(
    ("text", "told"), [("format: 2", "format: 1"), ("a: [", "not valid YAML"), (None, "tiers file")]
)
def test_a_file_that_cannot_be_used_is_named_and_publishes_nothing(
    small_company: Sandbox, job: Job, tiers_file: Path, text: str | None, told: str
):
    if text is not None:
        tiers_file.write_text(text)
    mark = small_company.emulator.mark()
    ran = job("publish-tiers", tiers_file, "--commit")
    assert ran.code != 0
    assert told in ran.errors
    assert written(small_company, mark) == []


async def test_nothing_is_made_of_a_tenant_that_has_left_nor_does_it_keep_its_tier_alive(
    small_company: Sandbox, job: Job, ask: Ask, tiers_file: Path
):
    tiers_file.write_text(TIERS + PROBE)
    assert job("publish-tiers", tiers_file, "--commit").code == 0
    made = await ask("create_tenant", tenant_id="probe-left", name="Left", tier="probe", tags={"a": "b"})
    assert content_of(made)["status"] == "active"
    leaving = {"tenant_id": "probe-left", "action": "offboard", "export": False}
    tried = content_of(await ask("set_tenant_status", **leaving, dry_run=True))
    left = content_of(await ask("set_tenant_status", **leaving, confirmation=tried["confirmation"]))
    assert left["after"] == "offboarded"
    record, entries = read(small_company, "probe-left"), journal(small_company, "probe-left", "audit:")
    tiers_file.write_text(TIERS + MORE)
    assert job("publish-tiers", tiers_file, "--commit").number(r"probe: (\d+) tenants brought up to date") == 0
    assert job("adopt").code == 0
    assert job("measure").code == 0
    named = {"tenant_id": "probe-left", "version": left["version"]}
    for tool, given in (
        ("update_tenant", {"tags": {"a": "b"}}),
        ("update_tenant", {"tier": "growth", "dry_run": True}),
        ("update_tenant_config", {"patch": {"a": 1}}),
    ):
        assert error_fields(await ask(tool, **named, **given))["code"] == "conflict"
    assert read(small_company, "probe-left") == record
    assert journal(small_company, "probe-left", "audit:") == entries
    tiers_file.write_text(TIERS)
    assert job("publish-tiers", tiers_file, "--commit").code == 0


class Meddled:
    """A session before each of whose first writes to a tenant somebody else changes it."""

    def __init__(self, aws: AwsCaller, sandbox: Sandbox, tenant: str, times: int) -> None:
        self._aws = aws
        self._sandbox = sandbox
        self._tenant = tenant
        self.times = times

    @property
    def tenant(self) -> str | None:
        return self._aws.tenant

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        if operation == "transact_write_items" and self.times:
            self.times -= 1
            self._sandbox.client("dynamodb").update_item(
                TableName=self._sandbox.table, Key=as_item({"tenantId": self._tenant}),
                UpdateExpression="SET tenantName = :n ADD version :one",
                ExpressionAttributeValues=as_item({":n": f"Renamed {self.times}", ":one": 1}),
            )  # fmt: skip
        return await self._aws.call(service, operation, **parameters)


@pytest.mark.parametrize(("times", "outcome"), [(1, 0), (4, 0), (5, 1)])
async def test_a_tenant_that_changes_at_the_same_moment_is_tried_again_and_in_the_end_named(
    small_company: Sandbox, registry_server: Served, times: int, outcome: int
):
    settings = registry_server.assembly.settings
    assert isinstance(settings, Settings)
    told: list[str] = []
    listed: Sequence[Tier] = [Tier("probe", "Probe", "", ("booking", "search"), {"users": 4})]
    with tenants(small_company, on_probe("probe-busy"), on_probe("probe-calm")):
        async with caller_of(small_company, None) as root:
            aws = Meddled(root, small_company, "probe-busy", times)
            publisher = Publisher(settings, aws, clock=lambda: NOW, say=told.append)
            assert await publisher.publish(listed) == outcome
        assert read(small_company, "probe-calm")["quotas"] == {"users": 4}
        busy = read(small_company, "probe-busy")
        assert busy["tenantName"] == "Renamed 0"
        assert (busy["quotas"] == {"users": 4}) == (outcome == 0)
        assert (told[0] == "probe-busy: not brought up to date (TenantChanged); run this again") == bool(outcome)
