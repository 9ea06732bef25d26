"""The role with which the provider administers one tenant: had by nobody else, whichever layer is gone."""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.clock import Clock
from fixtures.grants import OpenVault, grant
from fixtures.sts_server import StsServer
from tenantscope_core.admission.admission import Admission
from tenantscope_core.admission.ledger import LocalLedger
from tenantscope_core.admission.limits import TierLimits
from tenantscope_core.credentials.broker import AssumeRoleBroker, Policy, grant_for
from tenantscope_core.credentials.policy import MAX_POLICY_CHARS, PolicyError
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.identity.caller import Audience, Caller
from tenantscope_core.identity.verifier import Identity
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.serving.policies import session_policies
from tenantscope_core.tool.path import Gatekeepers, Roles, vend

ROLES = Roles(*(f"arn:aws:iam::210000000001:role/{name}" for name in ("tenant", "provider", "admin")))
TABLE = {"TenantsTable": "tenants"}
TAG = "${aws:PrincipalTag/TenantId}"
DOCUMENTS: Mapping[str, tuple[str, str]] = {
    "policy.json": ("dynamodb:GetItem", TAG),
    "policy.provider.json": ("dynamodb:Query", "index"),
    "policy.admin.json": ("dynamodb:UpdateItem", TAG),
}

pytestmark = pytest.mark.requirement("administered-by-the-provider")


def document(action: str, resource: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Action": action,
        "Resource": f"arn:aws:dynamodb:::table/${{TenantsTable}}/{resource}",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server's package with its policies inside, as a wheel carries them."""
    name = f"server_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    for file, words in DOCUMENTS.items():
        (tmp_path / name / file).write_text(json.dumps(document(*words)))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return name


@pytest.fixture
def policy(package: str) -> Policy:
    return session_policies(package, TABLE, administers=True)


@pytest.fixture
async def gate(open_vault: OpenVault, sts: Sts, policy: Policy, clock: Clock) -> AsyncIterator[Gatekeepers]:
    async with open_vault(AssumeRoleBroker(sts, policy=policy)) as vault:
        yield gate_of(vault, clock)


def gate_of(vault: Vault, clock: Clock) -> Gatekeepers:
    return Gatekeepers(
        admission=Admission(LocalLedger(monotonic=lambda: 0.0), TierLimits()),
        vault=vault,
        roles=ROLES,
        standings=None,
        cursor_key=CursorKey(b"k" * 32),
        clock=clock,
        provider_scope="provider",
        call_timeout_seconds=60,
    )


def caller(clock: Clock, tenant: str | None) -> Caller:
    audience = Audience.PROVIDER if tenant is None else Audience.TENANT
    scopes = frozenset({"tenants:write", "provider"} if tenant is None else {"tenants:write"})
    return Caller("ann", audience, tenant, None, scopes, clock() + timedelta(hours=1))


async def assumed(gate: Gatekeepers, server: StsServer, by: Caller, tenant: str | None) -> tuple[str, str, str | None]:
    """The role, the action that the session policy grants, and the tenant's tag that STS was asked for."""
    session = await vend(gate, "tenant-management", Identity(by, "a-jwt"), tenant)
    await session.call("s3", "get_object", Bucket="any", Key="any")
    asked = server.sts[-1]
    (statement,) = json.loads(asked.form["Policy"])["Statement"]
    return asked.form["RoleArn"], statement["Action"], asked.tags.get("TenantId")


async def test_the_provider_acts_on_one_tenant_with_the_admin_role_tagged_with_that_tenant(
    gate: Gatekeepers, server: StsServer, clock: Clock
):
    staff = caller(clock, None)
    assert await assumed(gate, server, staff, "acme") == (ROLES.admin, "dynamodb:UpdateItem", "acme")
    assert server.sts[-1].form["Policy"].count("table/tenants/acme") == 1
    assert await assumed(gate, server, staff, "globex") == (ROLES.admin, "dynamodb:UpdateItem", "globex")
    assert await assumed(gate, server, staff, None) == (ROLES.provider, "dynamodb:Query", None)


async def test_a_tenants_caller_gets_the_tenants_role_whatever_its_scopes(
    gate: Gatekeepers, server: StsServer, clock: Clock
):
    for by in (caller(clock, "acme"), replace(caller(clock, "acme"), scopes=frozenset({"provider", "tenants:write"}))):
        assert await assumed(gate, server, by, "acme") == (ROLES.tenant, "dynamodb:GetItem", "acme")


async def test_without_an_admin_role_the_provider_acts_on_a_tenant_with_the_tenants_role(
    gate: Gatekeepers, server: StsServer, clock: Clock
):
    without = replace(gate, roles=replace(ROLES, admin=None))
    assert await assumed(without, server, caller(clock, None), "acme") == (ROLES.tenant, "dynamodb:GetItem", "acme")


async def test_the_policy_alone_holds_a_tenants_caller_that_got_the_admin_role(
    gate: Gatekeepers, server: StsServer, clock: Clock
):
    """As though roles were mixed up in the settings: the policy is chosen by the caller's side, not by the role."""
    mixed_up = replace(gate, roles=replace(ROLES, tenant=str(ROLES.admin)))
    assert await assumed(mixed_up, server, caller(clock, "acme"), "acme") == (ROLES.admin, "dynamodb:GetItem", "acme")


async def test_the_role_alone_holds_a_tenants_caller_where_no_session_policy_is_sent(
    open_vault: OpenVault, sts: Sts, server: StsServer, clock: Clock
):
    async with open_vault(AssumeRoleBroker(sts, policy=lambda grant: None)) as vault:
        session = await vend(gate_of(vault, clock), "s", Identity(caller(clock, "acme"), "a-jwt"), "acme")
        await session.call("s3", "get_object", Bucket="any", Key="any")
    assert [request.form["RoleArn"] for request in server.sts] == [ROLES.tenant]


def test_no_grant_to_administer_is_made_for_a_tenants_caller_or_for_the_fleet(clock: Clock):
    own = caller(clock, "acme")
    with pytest.raises(ValueError, match="administers nothing"):
        grant_for(own, server="s", role_arn=str(ROLES.admin), tenant="acme", is_admin=True)
    with pytest.raises(ValueError, match="only the provider administers"):
        grant("acme", is_admin=True)
    with pytest.raises(ValueError, match="only the provider administers"):
        grant(None, is_admin=True, is_provider=True, subject="ann")


def test_sessions_to_administer_are_never_shared_with_others(clock: Clock):
    staff = caller(clock, None)
    plain = grant_for(staff, server="s", role_arn="r", tenant="acme")
    assert plain.key != grant_for(staff, server="s", role_arn="r", tenant="acme", is_admin=True).key


def test_a_policy_to_administer_that_is_too_long_for_the_longest_tenant_is_refused_at_start(
    package: str, tmp_path: Path
):
    path = tmp_path / package / "policy.admin.json"
    path.write_text(json.dumps(document("dynamodb:UpdateItem", TAG + "x" * MAX_POLICY_CHARS)))
    with pytest.raises(PolicyError, match="more than the 2048 allowed"):
        session_policies(package, TABLE, administers=True)
    path.unlink()
    with pytest.raises(PolicyError, match="administers no tenant"):
        session_policies(package, TABLE, administers=True)
    assert session_policies(package, TABLE)(grant("acme"))
