"""Beside a control plane of the AWS SaaS Builder Toolkit's kind on the same table, each reads and heeds the other."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fixtures.serving import Served, content_of, error_fields, text_of
from fixtures.stores import SignedCaller
from tenant_management.conftest import Ask
from tenant_management.control_plane import ControlPlane
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.changes import changed
from tenantscope_tenant_management.conflicts import TenantChanged
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.jobs.job import Job
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.open import open_recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable
from tenantscope_tenant_management.sources.tenants import Tenants

USUAL: dict[str, Any] = {
    "tenantName": "Ballard",
    "email": "ops@ballard.example",
    "tier": "growth",
    "tenantStatus": "Complete",
}
ODD: dict[str, Any] = {
    "prices": Decimal("12.50"), "seats": 7, "features": ["a", {"b": None}], "nothing": None, "empty": "", "on": False,
    "phone": None, "blob": b"\x00\x01", "names": {"x", "y"}, "numbers": {Decimal(1), Decimal(2)}, "nested": {"": {}},
}  # fmt: skip
"""What no tenant of ours has."""


@pytest.fixture
def plane(small_company: Sandbox) -> ControlPlane:
    return ControlPlane(small_company)


async def ids(ask: Ask, **question: Any) -> list[str]:
    return [one["tenant_id"] for one in content_of(await ask("list_tenants", **question))["tenants"]]


async def test_what_it_registers_is_read_and_listed_at_once_by_status_tier_and_name(ask: Ask, plane: ControlPlane):
    with plane.registered(**USUAL, tenantConfig='{"theme": "dark"}', tenantRegistrationId="r-1") as tenant:
        seen = content_of(await ask("get_tenant", tenant_id=tenant))
        assert (seen["name"], seen["status"], seen["tier"], seen["email"], seen["version"], seen["config"]) == (
            "Ballard", "active", "growth", "ops@ballard.example", 0, {"theme": "dark"},
        )  # fmt: skip
        for question in ({"status": "active"}, {"tier": "growth"}, {"status": "active", "tier": "growth"}):
            assert await ids(ask, name_prefix="Ballard", **question) == [tenant]
        for question in ({"status": "pending"}, {"tier": "starter"}):
            assert await ids(ask, name_prefix="Ballard", **question) == []


async def test_a_tenant_that_it_has_not_provisioned_yet_has_no_status_or_tier_and_is_let_in_by_nobody(
    ask: Ask, plane: ControlPlane, registry_server: Served
):
    with plane.registered(tenantName="Bare") as tenant:
        seen = content_of(await ask("get_tenant", tenant_id=tenant))
        assert (seen["status"], seen["tier"], seen["quotas"], seen["entitlements"]) == ("unknown", "", [], [])
        own = registry_server.token(tenant)
        assert error_fields(await ask("get_tenant", token=own))["code"] == "tenant_suspended"
        activated = content_of(await ask("set_tenant_status", tenant_id=tenant, action="activate"))
        assert (activated["before"], activated["after"]) == ("unknown", "active")
        assert plane.read(tenant)["tenantStatus"] == "Active"


async def test_what_it_registers_is_changed_by_each_of_our_tools_and_loses_nothing(ask: Ask, plane: ControlPlane):
    with plane.registered(**USUAL, **ODD) as tenant:
        before = plane.read(tenant)
        changes: list[tuple[str, dict[str, Any]]] = [
            ("update_tenant", {"version": 0, "tier": "enterprise", "tags": {"region": "eu"}}),
            ("update_tenant_config", {"version": 1, "patch": {"theme": "dark"}}),
            ("set_tenant_status", {"action": "suspend", "reason": "payment_overdue"}),
        ]
        for version, (tool, arguments) in enumerate(changes, 1):
            assert content_of(await ask(tool, tenant_id=tenant, **arguments))["version"] == version
        after = plane.read(tenant)
        assert (after["tier"], after["tenantStatus"], after["statusReason"]) == (
            "enterprise", "Suspended", "payment_overdue",
        )  # fmt: skip
        assert json.loads(after["tenantConfig"]) == {"theme": "dark"} == json.loads(plane.config_of("Ballard"))
        ours = {"tier", "tenantStatus"}
        assert {n: v for n, v in after.items() if n in before and n not in ours} == {
            n: v for n, v in before.items() if n not in ours
        }
        trail = content_of(await ask("list_audit_events", tenant_id=tenant))
        assert (trail["intact"], len(trail["events"])) == (True, 3)


async def test_a_field_that_it_set_to_null_can_be_set_by_us(ask: Ask, plane: ControlPlane):
    nothing: dict[str, Any] = {"email": None, "tenantConfig": None, "tags": None, "quotas": None}
    with plane.registered(**{**USUAL, **nothing}) as tenant:
        update = {"version": 0, "email": "new@ballard.example", "tags": {"region": "eu"}, "tier": "growth"}
        assert content_of(await ask("update_tenant", tenant_id=tenant, **update))["version"] == 1
        patched = await ask("update_tenant_config", tenant_id=tenant, version=1, patch={"a": 1})
        assert content_of(patched)["config"] == {"a": 1}
        assert plane.read(tenant)["email"] == "new@ballard.example"


async def test_settings_that_it_keeps_as_a_map_stay_one(ask: Ask, plane: ControlPlane):
    with plane.registered(**USUAL, tenantConfig={"limits": {"seats": 5, "share": Decimal("0.5")}}) as tenant:
        assert content_of(await ask("get_tenant", tenant_id=tenant))["config"] == {"limits": {"seats": 5, "share": 0.5}}
        await ask("update_tenant_config", tenant_id=tenant, version=0, patch={"limits": {"seats": 6}})
        assert plane.read(tenant)["tenantConfig"] == {"limits": {"seats": 6, "share": Decimal("0.5")}}


async def test_our_tenants_are_read_listed_changed_and_switched_off_by_it(
    ask: Ask, plane: ControlPlane, registry_server: Served
):
    made = {"tenant_id": "sbt-reads", "name": "Read By Both", "tier": "growth", "config": {"theme": "dark"}}
    made |= {"request_key": "sbt-reads-1", "email": "ops@both.example"}
    assert content_of(await ask("create_tenant", **made))["status"] == "active"
    read = plane.read("sbt-reads")
    told = ("tenantName", "tier", "email", "tenantStatus", "sbtaws_active", "tenantRegistrationId")
    assert [read[name] for name in told] == [
        "Read By Both", "growth", "ops@both.example", "Active", True, "sbt-reads-1",
    ]  # fmt: skip
    assert json.loads(plane.config_of("Read By Both")) == {"theme": "dark"}
    assert "sbt-reads" in plane.listed()
    plane.update("sbt-reads", email="new@both.example", tier="enterprise", custom={"a": [1]})
    seen = content_of(await ask("get_tenant", tenant_id="sbt-reads"))
    assert (seen["email"], seen["tier"]) == ("new@both.example", "enterprise")
    assert await ids(ask, tier="enterprise", name_prefix="Read By") == ["sbt-reads"]
    plane.delete("sbt-reads")
    assert content_of(await ask("get_tenant", tenant_id="sbt-reads"))["status"] == "inactive"


@pytest.mark.parametrize("switch", ["sbtaws_active", "isActive"])
async def test_its_soft_delete_is_heeded_at_once_and_taken_back_by_the_provider(
    ask: Ask, plane: ControlPlane, registry_server: Served, switch: str
):
    with plane.registered(switch=switch, **USUAL) as tenant:
        plane.delete(tenant, switch=switch)
        seen = content_of(await ask("get_tenant", tenant_id=tenant))
        assert seen["status"] == "inactive"
        assert await ids(ask, status="active", name_prefix="Ballard") == []
        assert await ids(ask, tier="growth", name_prefix="Ballard") == [tenant]
        refused = await ask("get_tenant", token=registry_server.token(tenant))
        assert error_fields(refused)["code"] == "tenant_suspended"
        assert "inactive" in text_of(refused)
        patched = await ask("update_tenant", tenant_id=tenant, version=0, tags={"seen": "yes"})
        assert content_of(patched)["version"] == 1
        activated = content_of(await ask("set_tenant_status", tenant_id=tenant, action="activate"))
        assert (activated["before"], activated["after"]) == ("inactive", "active")
        assert plane.read(tenant)[switch] is True
        assert tenant in plane.listed()
        assert content_of(await ask("get_tenant", tenant_id=tenant))["status"] == "active"


# Between our read and our write


@pytest.fixture
def tenants(registry_server: Served) -> Tenants:
    settings = registry_server.assembly.settings
    assert isinstance(settings, Settings)
    registry, journal = RegistryTable(settings.tenants_table), Journal(settings.journal_table)
    return Tenants(registry, journal, open_recorder(settings, registry, journal))


NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


async def test_what_it_changes_between_our_read_and_our_write_of_the_same_field_makes_ours_a_conflict_that_names_it(
    plane: ControlPlane, tenants: Tenants, root: SignedCaller
):
    with plane.registered(**USUAL) as tenant:
        call = Job(root, NOW, "test")
        before = await tenants.read(call, tenant)
        plane.update(tenant, tier="enterprise", email="new@ballard.example")
        with pytest.raises(TenantChanged, match=r"email, tier\. It is at version 0 now"):
            await tenants.save(call, before, changed(before, NOW, tier="starter", tags={"a": "b"}), "tenant.updated")
        assert plane.read(tenant) == {**before, "tier": "enterprise", "email": "new@ballard.example"}


async def test_what_it_changes_meanwhile_elsewhere_in_the_record_is_kept_beside_ours(
    plane: ControlPlane, tenants: Tenants, root: SignedCaller
):
    with plane.registered(**USUAL) as tenant:
        call = Job(root, NOW, "test")
        before = await tenants.read(call, tenant)
        plane.update(tenant, tier="enterprise", custom={"a": [1]})
        await tenants.save(call, before, changed(before, NOW, email="new@ballard.example"), "tenant.updated")
        after = plane.read(tenant)
        assert (after["tier"], after["custom"], after["email"]) == ("enterprise", {"a": [1]}, "new@ballard.example")


async def test_a_field_that_it_adds_meanwhile_is_not_overwritten(
    plane: ControlPlane, tenants: Tenants, root: SignedCaller
):
    with plane.registered(tenantName="Ballard") as tenant:
        call = Job(root, NOW, "test")
        before = await tenants.read(call, tenant)
        plane.update(tenant, tier="enterprise")
        with pytest.raises(TenantChanged, match="tier"):
            await tenants.save(call, before, changed(before, NOW, tier="starter"), "tenant.updated")
        assert plane.read(tenant)["tier"] == "enterprise"
