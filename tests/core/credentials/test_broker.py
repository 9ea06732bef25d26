"""What the brokers ask STS for, read from the request that arrived."""

import dataclasses
import json
from contextlib import nullcontext
from datetime import timedelta

import pytest
from core.credentials.tokens import TAGS, token, token_with
from fixtures.clock import Clock
from fixtures.grants import grant
from fixtures.sts_server import Reply, StsServer, sts_error
from tenantscope_core.credentials.broker import AssumeRoleBroker, WebIdentityBroker, WebIdentityRefused, grant_for
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.credentials.policy import render_session_policy
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.identity.caller import Audience, Caller

FLAT = f"{TAGS}/principal_tags/TenantId"
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


@pytest.mark.requirement("audited-by-name")
async def test_assume_role_names_the_tenant_in_tags_policy_and_audit_trail(sts: Sts, server: StsServer, clock: Clock):
    broker = AssumeRoleBroker(sts, policy=rendered, external_id="ext-1", duration_seconds=900)
    vended = await broker.assume(grant(subject="ann@acme.example"))
    (request,) = server.sts
    assert request.form["Action"] == "AssumeRole"
    assert request.tags == {"TenantId": "acme", "TenantTier": "gold"}
    transitive = {request.form[f"TransitiveTagKeys.member.{number}"] for number in (1, 2)}
    assert transitive == {"TenantId", "TenantTier"}
    assert request.form["SourceIdentity"] == "user=ann@acme.example"
    assert request.form["RoleSessionName"] == "user=cost-explorer@ann@acme.example"
    assert request.form["ExternalId"] == "ext-1"
    assert request.form["DurationSeconds"] == "900"
    resource = json.loads(request.form["Policy"])["Statement"][0]["Resource"]
    assert resource == "arn:aws:s3:::datasets/datasets/usage/tenant_id=acme/*"
    assert vended.expires == clock() + timedelta(seconds=900)


@pytest.mark.requirement("audited-by-name")
async def test_a_shared_session_carries_the_tenants_name_and_nobodys_own(sts: Sts, server: StsServer):
    await AssumeRoleBroker(sts, policy=lambda _: None).assume(grant())
    assert server.sts[0].form["SourceIdentity"] == "acme"
    assert server.sts[0].form["RoleSessionName"] == "cost-explorer@acme"
    assert "Policy" not in server.sts[0].form
    assert "ExternalId" not in server.sts[0].form


async def test_the_fleet_role_is_taken_without_a_tenant(sts: Sts, server: StsServer):
    await AssumeRoleBroker(sts, policy=lambda _: None).assume(grant(None, tier=None, subject="ops", is_provider=True))
    assert server.sts[0].tags == {}
    assert "TransitiveTagKeys.member.1" not in server.sts[0].form


async def test_web_identity_goes_unsigned_with_the_callers_token(sts: Sts, server: StsServer):
    given = token("acme")
    await WebIdentityBroker(sts, policy=rendered).assume(grant(token=given))
    (request,) = server.sts
    assert request.form["Action"] == "AssumeRoleWithWebIdentity"
    assert request.form["WebIdentityToken"] == given
    assert "tenant_id=acme/*" in request.form["Policy"]
    assert request.access_key is None
    assert request.tags == {}, "the identity provider says which tenant, not this process"


async def test_the_providers_grants_take_the_other_way_where_one_is_given(sts: Sts, server: StsServer, clock: Clock):
    staff = grant_for(caller(clock, provider=True), server="s", role_arn=grant().role_arn, tenant="acme", token="a-jwt")
    own = grant_for(caller(clock), server="s", role_arn=grant().role_arn, tenant="acme", token=token("acme"))
    broker = WebIdentityBroker(sts, policy=rendered, provider=AssumeRoleBroker(sts, policy=rendered))
    await broker.assume(staff)
    await broker.assume(own)
    assert [request.form["Action"] for request in server.sts] == ["AssumeRole", "AssumeRoleWithWebIdentity"]
    assert server.sts[0].tags == {"TenantId": "acme"}
    assert server.sts[0].form["SourceIdentity"] == "staff=ann"
    assert server.sts[0].form["RoleSessionName"] == "staff=s@ann"


@pytest.mark.parametrize(
    "tags",
    [
        {TAGS: {"principal_tags": {"TenantId": "acme"}}},
        {TAGS: {"principal_tags": {"tenantid": ["acme"]}}},  # IAM's tag keys are not case-sensitive
        {FLAT: "acme"},
        {FLAT: ["acme"]},
        {FLAT: "acme", TAGS: {"principal_tags": {"TenantId": ["acme"]}}},
    ],
)
async def test_a_token_may_name_its_tenant_in_each_form_that_sts_reads(
    sts: Sts, server: StsServer, tags: dict[str, object]
):
    await WebIdentityBroker(sts, policy=rendered).assume(grant(token=token_with(tags)))
    assert len(server.sts) == 1


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {TAGS: None},
        {TAGS: "acme"},
        {TAGS: {"principal_tags": ["acme"]}},
        {TAGS: {"principal_tags": {"TenantTier": ["acme"]}}},
        {TAGS: {"principal_tags": {"TenantId": []}}},
        {TAGS: {"principal_tags": {"TenantId": ["globex"]}}},
        {TAGS: {"principal_tags": {"TenantId": ["Acme"]}}},
        {TAGS: {"principal_tags": {"TenantId": ["acme", "globex"]}}},
        {TAGS: {"principal_tags": {"TenantId": ["acme"], "tenantid": ["globex"]}}},
        {FLAT: "globex"},
        {FLAT: "globex", TAGS: {"principal_tags": {"TenantId": ["acme"]}}},
    ],
)
async def test_a_token_whose_tags_do_not_name_its_tenant_is_refused_before_sts_is_asked(
    sts: Sts, server: StsServer, tags: dict[str, object]
):
    with pytest.raises(WebIdentityRefused) as caught:
        await WebIdentityBroker(sts, policy=rendered).assume(grant(token=token_with(tags)))
    assert "tag TenantId" in str(caught.value.sentence)
    assert server.sts == []


async def test_the_tag_that_names_the_tenant_may_have_another_name(sts: Sts, server: StsServer):
    broker = WebIdentityBroker(sts, policy=lambda _: None, tenant_tag="Customer")
    await broker.assume(grant(token=token_with({TAGS: {"principal_tags": {"Customer": ["acme"]}}})))
    with pytest.raises(WebIdentityRefused):
        await broker.assume(grant(token=token("acme")))
    assert len(server.sts) == 1


@pytest.mark.parametrize("given", [None, "not-a-jwt", "a.b.c"])
async def test_web_identity_without_a_readable_token_asks_nobody(sts: Sts, server: StsServer, given: str | None):
    with pytest.raises(WebIdentityRefused):
        await WebIdentityBroker(sts, policy=lambda _: None).assume(grant(token=given))
    assert server.sts == []


def refusing(server: StsServer, code: str, status: int) -> None:
    async def refuse(_: object) -> Reply:
        return sts_error(code, status)

    server.on_sts = refuse


@pytest.mark.parametrize("code", ["ExpiredTokenException", "InvalidIdentityToken", "IDPRejectedClaim"])
async def test_a_refused_token_is_told_apart_from_a_refused_role(sts: Sts, server: StsServer, code: str):
    refusing(server, code, 400)
    with pytest.raises(WebIdentityRefused) as caught:
        await WebIdentityBroker(sts, policy=lambda _: None).assume(grant(token=token()))
    assert caught.value.sentence is not None


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("PackedPolicyTooLarge", 400)])
async def test_whatever_may_be_the_tokens_doing_counts_against_the_token(
    sts: Sts, server: StsServer, code: str, status: int
):
    """A token's tags can make a trust policy refuse it, and fill the space that the session policy needs."""
    refusing(server, code, status)
    with pytest.raises(WebIdentityRefused) as caught:
        await WebIdentityBroker(sts, policy=lambda _: None).assume(grant(token=token()))
    assert caught.value.code == code


@pytest.mark.parametrize(("code", "status"), [("Throttling", 400), ("IDPCommunicationError", 400), ("Internal", 500)])
async def test_trouble_that_passes_is_no_tokens_doing(sts: Sts, server: StsServer, code: str, status: int):
    refusing(server, code, status)
    with pytest.raises(AwsError) as caught:
        await WebIdentityBroker(sts, policy=lambda _: None).assume(grant(token=token()))
    assert not isinstance(caught.value, WebIdentityRefused)


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("kind", [AssumeRoleBroker, WebIdentityBroker])
async def test_a_prepared_broker_has_its_client_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
    sts: Sts,
    server: StsServer,
    kind: type[AssumeRoleBroker | WebIdentityBroker],
    prepared: bool,
):
    """A setting under which no client can be built comes too late where one is there already."""
    broker = kind(sts, policy=lambda _: None)
    if prepared:
        await broker.prepare()
    assert server.sts == [], "nothing is asked ahead"
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "no-such-mode")
    with nullcontext() if prepared else pytest.raises(AwsError, match="InvalidDefaultsMode"):
        await broker.assume(grant(token=token()))


@pytest.mark.requirement("session-policies")
@pytest.mark.parametrize("seconds", [0, 899, 3_601])
async def test_a_session_length_that_sts_refuses_is_refused_at_start(sts: Sts, seconds: int):
    with pytest.raises(ValueError, match="900 to 3600"):
        AssumeRoleBroker(sts, policy=lambda _: None, duration_seconds=seconds)


@pytest.mark.parametrize("tenant", ["", "*", "acme/*", "a" * 64, "-acme", "${aws:userid}", "acme globex"])
def test_no_grant_is_made_for_what_is_no_tenant(tenant: str):
    with pytest.raises(ValueError, match="not a tenant id"):
        grant(tenant)


@pytest.mark.requirement("audited-by-name")
@pytest.mark.parametrize("tenant", ["acme", None])
def test_a_grant_of_the_provider_names_somebody(clock: Clock, tenant: str | None):
    with pytest.raises(ValueError, match="names the person or agent"):
        grant(tenant, is_provider=True)
    with pytest.raises(ValueError, match="subject is empty"):
        grant_for(caller(clock, provider=True, subject=""), server="s", role_arn="r", tenant=tenant)


@pytest.mark.requirement("audited-by-name")
def test_the_fleet_is_the_providers_alone():
    with pytest.raises(ValueError, match="the provider's"):
        grant(None, subject="ann")


@pytest.mark.parametrize("subject", ["acme", "user=acme", "staff=acme"])
async def test_no_subject_passes_for_a_tenant_or_for_the_other_side(
    sts: Sts, server: StsServer, clock: Clock, subject: str
):
    broker = AssumeRoleBroker(sts, policy=lambda _: None)
    for provider, per_subject in ((False, False), (False, True), (True, False)):
        behind = caller(clock, provider=provider, subject=subject)
        role_arn = grant().role_arn
        await broker.assume(grant_for(behind, server="s", role_arn=role_arn, tenant="acme", per_subject=per_subject))
    for name in ("SourceIdentity", "RoleSessionName"):
        shared, user, staff = (request.form[name] for request in server.sts)
        assert shared in ("acme", "s@acme")
        assert user.startswith("user=")
        assert staff.startswith("staff=")


def caller(clock: Clock, *, provider: bool = False, subject: str = "ann") -> Caller:
    return Caller(
        subject=subject,
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
