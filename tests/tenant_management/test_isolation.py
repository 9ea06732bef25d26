"""What `whoami` says of isolation follows the configuration."""

import pytest
from tenantscope_tenant_management.isolation import Broker, layers

BROKERS: tuple[Broker, ...] = ("assume-role", "web-identity")


def said(broker: Broker, tenant: str | None) -> str:
    return " / ".join(f"{one.layer}: {one.how} ({one.enforced_by})" for one in layers(broker, tenant=tenant))


@pytest.mark.parametrize("broker", BROKERS)
def test_a_tenant_is_told_the_broker_that_is_configured(broker: Broker):
    assert ("WebIdentity" in said(broker, "acme")) == (broker == "web-identity")


@pytest.mark.parametrize("broker", BROKERS)
def test_the_provider_is_told_that_its_fleet_session_has_no_tag_whatever_the_broker(broker: Broker):
    told = said(broker, None)
    assert "WebIdentity" not in told
    assert "without a tenant tag" in told


def test_both_the_cloud_and_the_server_are_named_for_tenants_and_for_the_provider():
    for tenant in ("acme", None):
        assert {one.enforced_by for one in layers("assume-role", tenant=tenant)} == {"cloud", "server"}
