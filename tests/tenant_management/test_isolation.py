"""What `whoami` says of isolation is read from the policies and settings in force."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from tenantscope_core.serving.policies import ADMIN_POLICY, PROVIDER_POLICY, TENANT_POLICY, load_policy
from tenantscope_tenant_management.caller_answers import IsolationLayer
from tenantscope_tenant_management.isolation import Broker, Setup, of_provider, of_tenant
from tenantscope_tenant_management.policy_reading import (
    EVENTS,
    JOURNAL,
    LOGS,
    OBJECTS,
    REGISTRY,
    TAGS,
    TENANT,
    USERS,
    opened,
)

PACKAGE = "tenantscope_tenant_management"
BROKERS: tuple[Broker, ...] = ("assume-role", "web-identity")
SETUP = Setup(
    broker="assume-role",
    tenant=load_policy(PACKAGE, TENANT_POLICY),
    provider=load_policy(PACKAGE, PROVIDER_POLICY),
    admin=load_policy(PACKAGE, ADMIN_POLICY),
    has_rows=True,
    has_cache=True,
)
TABLE, BUCKET = "table/${TenantsTable}", "arn:aws:s3:::${DatasetsBucket}"


def said(layers: list[IsolationLayer]) -> str:
    return " / ".join(f"{one.layer}: {one.how} ({one.enforced_by}, {one.verified})" for one in layers)


def with_statement(**statement: Any) -> Setup:
    """A server whose tenants' policy is one statement."""
    return replace(SETUP, tenant={"Statement": [{"Effect": "Allow", **statement}]})


def enforcer(layers: list[IsolationLayer], layer: str) -> set[str]:
    return {one.enforced_by for one in layers if one.layer == layer}


@pytest.mark.parametrize("broker", BROKERS)
def test_a_tenant_is_told_the_broker_that_is_configured(broker: Broker):
    told = said(of_tenant(replace(SETUP, broker=broker), holds=None))
    assert ("WebIdentity" in told) == (broker == "web-identity")


@pytest.mark.parametrize("broker", BROKERS)
def test_the_provider_is_told_that_its_fleet_session_has_no_tag_whatever_the_broker(broker: Broker):
    told = said(of_provider(replace(SETUP, broker=broker)))
    assert "WebIdentity" not in told
    assert "without a tenant tag" in told


def test_a_provider_is_told_where_this_server_asks_nothing_about_the_fleet():
    layers = of_provider(replace(SETUP, has_fleet=False))
    assert "without a provider role" in said([one for one in layers if one.layer == "credentials"])
    assert all("every tenant's" not in one.how for one in layers)
    assert enforcer(layers, f"{REGISTRY} of one tenant") == {"cloud"}


def test_of_our_own_policy_the_cloud_holds_both_tables_and_the_server_alone_what_iam_cannot_narrow():
    layers = of_tenant(SETUP, holds=None)
    assert {one: enforcer(layers, one) for one in (REGISTRY, JOURNAL, USERS, TAGS)} == {
        REGISTRY: {"cloud"}, JOURNAL: {"cloud"}, USERS: {"server"}, TAGS: {"server"},
    }  # fmt: skip
    told = said(layers)
    assert "attributes other than tenantConfig, updatedAt, version" in told
    assert ":tiers" in told
    assert "None" in told
    assert "True" not in told


def test_a_key_that_was_refused_proves_the_registrys_layer_and_no_other():
    assert [one.layer for one in of_tenant(SETUP, holds=True) if one.verified is not None] == [REGISTRY]
    assert [one.verified for one in of_tenant(SETUP, holds=True) if one.layer == REGISTRY] == [True]


def test_where_a_key_was_opened_nothing_is_said_to_be_held_by_the_cloud():
    layers = of_tenant(SETUP, holds=False)
    assert {one.enforced_by for one in layers} == {"server"}
    (registry,) = [one for one in layers if one.layer == REGISTRY]
    assert registry.verified is False
    assert "NOT in force" in registry.how


LEADING: dict[str, Any] = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [TENANT]}}
NOT_NULL = {"Null": {"dynamodb:LeadingKeys": "false"}}
CONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({**LEADING, **NOT_NULL}, "cloud"),
    (LEADING, "server"),
    ({**LEADING, "Null": {"dynamodb:LeadingKeys": "true"}}, "server"),
    ({"StringEquals": {"dynamodb:LeadingKeys": TENANT}, **NOT_NULL}, "server"),
    ({"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": [TENANT]}, **NOT_NULL}, "server"),
    ({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{TENANT}*"]}, **NOT_NULL}, "server"),
    ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [TENANT, ":tiers"]}, **NOT_NULL}, "cloud"),
    ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [TENANT, "globex"]}, **NOT_NULL}, "server"),
    ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [TENANT, "*"]}, **NOT_NULL}, "server"),
    ({}, "server"),
]


@pytest.mark.parametrize(("condition", "who"), CONDITIONS, ids=str)
def test_only_leading_keys_that_have_to_be_there_count_as_the_clouds(condition: dict[str, Any], who: str):
    setup = with_statement(Action="dynamodb:GetItem", Resource=TABLE, Condition=condition)
    assert enforcer(of_tenant(setup, holds=None), REGISTRY) == {who}


@pytest.mark.parametrize(
    ("resource", "who"),
    [
        (f"{BUCKET}/datasets/usage/tenant_id={TENANT}/*", "cloud"),
        (f"{BUCKET}/*/tenant_id={TENANT}/*", "cloud"),
        (f"{BUCKET}/datasets/usage/tenant_id={TENANT}*", "server"),
        (f"{BUCKET}/datasets/usage/tenant_id=x{TENANT}/*", "server"),
        (f"{BUCKET}/*", "server"),
        ([f"{BUCKET}/notes/tenant_id={TENANT}/*", f"{BUCKET}/raw/*"], "server"),
    ],
)
def test_a_path_counts_where_the_tenants_name_stands_alone_in_it(resource: Any, who: str):
    setup = with_statement(Action="s3:GetObject", Resource=resource)
    assert enforcer(of_tenant(setup, holds=None), OBJECTS) == {who}


@pytest.mark.parametrize(
    ("like", "who"),
    [
        ({"s3:prefix": f"*/tenant_id={TENANT}/*"}, "cloud"),
        ({"s3:prefix": ["datasets/", f"*/tenant_id={TENANT}/*"], "s3:delimiter": "/tenant_id="}, "cloud"),
        ({"s3:prefix": ["datasets/", f"*/tenant_id={TENANT}/*"]}, "server"),
        ({"s3:prefix": ["datasets/*", f"*/tenant_id={TENANT}/*"], "s3:delimiter": "/tenant_id="}, "server"),
        ({"s3:delimiter": "/tenant_id="}, "server"),
    ],
    ids=str,
)
def test_a_listing_counts_where_no_other_tenants_part_can_be_listed(like: dict[str, Any], who: str):
    setup = with_statement(Action="s3:ListBucket", Resource=BUCKET, Condition={"StringLike": like})
    assert enforcer(of_tenant(setup, holds=None), OBJECTS) == {who}


def test_one_statement_that_is_not_narrowed_is_said_beside_those_that_are():
    loosened = copy.deepcopy(dict(SETUP.tenant))
    loosened["Statement"].append({"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": TABLE})
    layers = of_tenant(replace(SETUP, tenant=loosened), holds=None)
    assert enforcer(layers, REGISTRY) == {"cloud", "server"}
    assert "dynamodb:Scan" in said(layers)


def test_writes_without_a_list_of_attributes_are_not_said_to_have_one():
    setup = with_statement(Action="dynamodb:PutItem", Resource=TABLE, Condition={**LEADING, **NOT_NULL})
    assert "attributes" not in said(of_tenant(setup, holds=None))
    reads = with_statement(Action="dynamodb:GetItem", Resource=TABLE, Condition={**LEADING, **NOT_NULL})
    assert "and all writes" in said(of_tenant(reads, holds=None))


def test_both_of_two_tables_in_one_statement_are_told():
    stores = {each.store for each in opened(SETUP.provider)}
    assert {REGISTRY, JOURNAL, TAGS} <= stores
    assert {each.store for each in opened(SETUP.admin or {})} >= {REGISTRY, JOURNAL, USERS, OBJECTS, LOGS, EVENTS, TAGS}


def test_the_provider_is_told_plainly_what_its_fleet_session_reaches():
    told = said(of_provider(SETUP))
    assert "registry: every tenant's" in told
    assert "no Scan" in told
    scanning = copy.deepcopy(dict(SETUP.provider))
    scanning["Statement"].append({"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": TABLE})
    loose = [one for one in of_provider(replace(SETUP, provider=scanning)) if one.layer == REGISTRY]
    assert "no Scan" not in said(loose)
    assert "Scan" in said(loose)


def test_the_provider_is_told_by_which_role_it_acts_on_one_tenant():
    assert "the admin role" in said(of_provider(SETUP))
    alone = said(of_provider(replace(SETUP, admin=None, has_rows=False, has_cache=False)))
    assert "that tenant's role" in alone
    assert "PostgreSQL" not in alone
    assert "Valkey" not in alone


def test_a_store_that_this_server_has_none_of_is_not_spoken_of():
    without = replace(SETUP, without=[USERS, EVENTS, OBJECTS])
    for layers in (of_tenant(without, holds=None), of_provider(without)):
        assert not [one for one in layers if one.layer.startswith((USERS, EVENTS, OBJECTS))]
