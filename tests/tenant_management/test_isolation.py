"""What `whoami` says of isolation follows the configuration."""

import pytest
from tenantscope_tenant_management.isolation import Setup, layers


def said(setup: Setup, tenant: str | None) -> str:
    return " / ".join(f"{one.layer}: {one.how} ({one.enforced_by})" for one in layers(setup, tenant=tenant))


@pytest.mark.parametrize("broker", ["assume-role", "web-identity"])
def test_the_broker_is_named_as_it_is_configured(broker: str):
    for tenant in ("acme", None):
        told = said(Setup(broker, registry_switch=True), tenant)
        assert ("WebIdentity" in told) == (broker == "web-identity")


def test_a_missing_registry_is_said_aloud():
    assert "off: this server was not told" in said(Setup("assume-role", registry_switch=False), "acme")
    assert "off:" not in said(Setup("assume-role", registry_switch=True), "acme")


def test_both_the_cloud_and_the_server_are_named_for_tenants_and_for_the_provider():
    for tenant in ("acme", None):
        enforced = {one.enforced_by for one in layers(Setup("assume-role", registry_switch=True), tenant=tenant)}
        assert enforced == {"cloud", "server"}
