"""What the brokers ask STS for, read from the request that arrived."""

import dataclasses
import json
from datetime import timedelta

import pytest
from fixtures.clock import Clock
from fixtures.grants import grant
from fixtures.sts_server import StsServer, sts_error
from tenantscope_core.credentials.broker import AssumeRoleBroker, WebIdentityBroker, WebIdentityRefused, grant_for
from tenantscope_core.credentials.policy import render_session_policy
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.identity.caller import Audience, Caller

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::${DatasetsBucket}/datasets/usage/tenant_id=${aws:PrincipalTag/TenantId}/*",
        }
    ],
}


def rendered(asked: object) -> str:
    tenant = getattr(asked, "tenant", None)
    return render_session_policy(POLICY, tenant=tenant, names={"DatasetsBucket": "datasets"})


async def test_assume_role_names_the_tenant_in_tags_policy_and_audit_trail(sts: Sts, server: StsServer, clock: Clock):
    broker = AssumeRoleBroker(sts, policy=rendered, external_id="ext-1", duration_seconds=900)
    vended = await broker.assume(grant(subject="ann@acme.example"))
    (request,) = server.sts
    assert request.form["Action"] == "AssumeRole"
    assert request.tags == {"TenantId": "acme", "TenantTier": "gold"}
    transitive = {request.form[f"TransitiveTagKeys.member.{number}"] for number in (1, 2)}
    assert transitive == {"TenantId", "TenantTier"}
    assert request.form["SourceIdentity"] == "ann@acme.example"
    assert request.form["RoleSessionName"] == "cost-explorer@ann@acme.example"
    assert request.form["ExternalId"] == "ext-1"
    assert request.form["DurationSeconds"] == "900"
    resource = json.loads(request.form["Policy"])["Statement"][0]["Resource"]
    assert resource == "arn:aws:s3:::datasets/datasets/usage/tenant_id=acme/*"
    assert vended.expires == clock() + timedelta(seconds=900)


async def test_a_shared_session_carries_the_tenants_name_and_nobodys_own(sts: Sts, server: StsServer):
    await AssumeRoleBroker(sts, policy=lambda _: None).assume(grant())
    assert server.sts[0].form["SourceIdentity"] == "acme"
    assert "Policy" not in server.sts[0].form
    assert "ExternalId" not in server.sts[0].form


async def test_the_fleet_role_is_taken_without_a_tenant(sts: Sts, server: StsServer):
    await AssumeRoleBroker(sts, policy=lambda _: None).assume(grant(None, tier=None, subject="ops"))
    assert server.sts[0].tags == {}
    assert "TransitiveTagKeys.member.1" not in server.sts[0].form


async def test_web_identity_goes_unsigned_with_the_callers_token(sts: Sts, server: StsServer):
    await WebIdentityBroker(sts, policy=rendered).assume(grant(token="header.claims.signature"))
    (request,) = server.sts
    assert request.form["Action"] == "AssumeRoleWithWebIdentity"
    assert request.form["WebIdentityToken"] == "header.claims.signature"
    assert "tenant_id=acme/*" in request.form["Policy"]
    assert request.access_key is None
    assert request.tags == {}, "the identity provider says which tenant, not this process"


async def test_the_providers_grants_take_the_other_way_where_one_is_given(sts: Sts, server: StsServer, clock: Clock):
    staff = grant_for(caller(clock, provider=True), server="s", role_arn=grant().role_arn, tenant="acme", token="a-jwt")
    own = grant_for(caller(clock), server="s", role_arn=grant().role_arn, tenant="acme", token="a-jwt")
    broker = WebIdentityBroker(sts, policy=rendered, provider=AssumeRoleBroker(sts, policy=rendered))
    await broker.assume(staff)
    await broker.assume(own)
    assert [request.form["Action"] for request in server.sts] == ["AssumeRole", "AssumeRoleWithWebIdentity"]
    assert server.sts[0].tags == {"TenantId": "acme"}
    assert server.sts[0].form["SourceIdentity"] == "ann"


@pytest.mark.parametrize("code", ["ExpiredTokenException", "InvalidIdentityToken", "IDPRejectedClaim"])
async def test_a_refused_token_is_told_apart_from_a_refused_role(sts: Sts, server: StsServer, code: str):
    async def refuse(_: object):
        return sts_error(code, 400)

    server.on_sts = refuse
    with pytest.raises(WebIdentityRefused):
        await WebIdentityBroker(sts, policy=lambda _: None).assume(grant(token="some-token"))


async def test_web_identity_without_a_token_asks_nobody(sts: Sts, server: StsServer):
    with pytest.raises(WebIdentityRefused):
        await WebIdentityBroker(sts, policy=lambda _: None).assume(grant())
    assert server.sts == []


@pytest.mark.parametrize("seconds", [0, 899, 3_601])
async def test_a_session_length_that_sts_refuses_is_refused_at_start(sts: Sts, seconds: int):
    with pytest.raises(ValueError, match="900 to 3600"):
        AssumeRoleBroker(sts, policy=lambda _: None, duration_seconds=seconds)


@pytest.mark.parametrize("tenant", ["", "*", "acme/*", "a" * 64, "-acme", "${aws:userid}", "acme globex"])
def test_no_grant_is_made_for_what_is_no_tenant(tenant: str):
    with pytest.raises(ValueError, match="not a tenant id"):
        grant(tenant)


def caller(clock: Clock, *, provider: bool = False) -> Caller:
    return Caller(
        subject="ann",
        audience=Audience.PROVIDER if provider else Audience.TENANT,
        tenant=None if provider else "acme",
        tier=None if provider else "gold",
        scopes=frozenset({"costs"}),
        expires=clock() + timedelta(hours=1),
    )


def test_a_tenants_callers_share_a_session_and_the_providers_never_do(clock: Clock):
    own = grant_for(caller(clock), server="s", role_arn="r", tenant="acme")
    assert (own.tenant, own.tier, own.subject) == ("acme", "gold", None)
    staff = grant_for(caller(clock, provider=True), server="s", role_arn="r", tenant="acme", tier="gold")
    assert (staff.tenant, staff.subject) == ("acme", "ann")
    assert own.key != staff.key
    personal = grant_for(caller(clock), server="s", role_arn="r", tenant="acme", per_subject=True)
    assert personal.subject == "ann"
    assert personal.key != dataclasses.replace(staff, tier="gold").key, "namesakes on both sides are two people"


@pytest.mark.parametrize("tenant", ["globex", "Acme", None])
def test_a_tenants_caller_gets_no_grant_for_anyone_else(clock: Clock, tenant: str | None):
    with pytest.raises(ValueError, match="its own tenant only"):
        grant_for(caller(clock), server="s", role_arn="r", tenant=tenant)
