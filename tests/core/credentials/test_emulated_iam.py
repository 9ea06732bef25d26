"""Vending against the deployed template, in an emulated account that checks signatures, trust, tags and policies."""

import dataclasses
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures.grants import grant
from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker, Grant, Policy, WebIdentityBroker
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.credentials.policy import render_session_policy
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.results.errors import NotAuthenticated, NotPermitted
from tenantscope_sandbox import Sandbox

SERVER = "cost-explorer"


def key(tenant: str) -> str:
    return f"datasets/allocated_cost/tenant_id={tenant}/month=2026-09/run=1/part-0.parquet"


def opens(tenant_of_policy: str | None, bucket: str) -> Policy:
    """A session policy for the tenant of the grant, or for another where a test says so."""
    document: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::${Bucket}/datasets/allocated_cost/tenant_id=${aws:PrincipalTag/TenantId}/*",
            }
        ],
    }

    def policy(asked: Grant) -> str:
        return render_session_policy(document, tenant=tenant_of_policy or asked.tenant, names={"Bucket": bucket})

    return policy


class Account:
    """Sessions in the emulated account, as a server's process has them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.sts = Sts(region=sandbox.region, endpoint_url=sandbox.aws_endpoint)
        self.clients = AwsClients(region=sandbox.region, endpoint_url=sandbox.aws_endpoint)

    def vault(self, *, policy: Policy, external_id: str | None = None) -> Vault:
        given = self.sandbox.external_id if external_id is None else external_id
        broker = AssumeRoleBroker(self.sts, policy=policy, external_id=given)
        return Vault(broker, self.clients, clock=lambda: datetime.now(UTC))

    def grant(self, tenant: str = "acme") -> Grant:
        expires = datetime.now(UTC) + timedelta(hours=1)
        return grant(tenant, server=SERVER, role_arn=self.sandbox.role_arn(SERVER), token_expires=expires)

    async def read(self, session: TenantSession, tenant: str) -> bytes:
        return (await session.call("s3", "get_object", Bucket=self.sandbox.bucket, Key=key(tenant)))["Body"]


@pytest.fixture
async def account(bare_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Account]:
    for tenant in ("acme", "acme_corp"):
        bare_sandbox.client("s3").put_object(Bucket=bare_sandbox.bucket, Key=key(tenant), Body=tenant.encode())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bare_sandbox.execution.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bare_sandbox.execution.secret_access_key)
    account = Account(bare_sandbox)
    yield account
    account.sts.close()
    account.clients.close()


async def test_a_tenants_session_opens_its_own_data_and_no_lookalikes(account: Account):
    async with account.vault(policy=opens(None, account.sandbox.bucket)) as vault:
        session = await vault.session_for(account.grant())
        assert await account.read(session, "acme") == b"acme"
        with pytest.raises(AwsError) as caught:
            await account.read(session, "acme_corp")
    assert isinstance(caught.value.as_failure(), NotPermitted)


async def test_the_tags_alone_hold_where_the_session_policy_names_another_tenant(account: Account):
    """The session policy would open the other tenant; the role, narrowed by the tag, does not."""
    async with account.vault(policy=opens("acme_corp", account.sandbox.bucket)) as vault:
        session = await vault.session_for(account.grant())
        with pytest.raises(AwsError, match="AccessDenied"):
            await account.read(session, "acme_corp")


async def test_the_session_policy_alone_holds_where_it_is_narrower_than_the_role(account: Account):
    narrow = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    async with account.vault(policy=lambda _: narrow) as vault:
        session = await vault.session_for(account.grant())
        with pytest.raises(AwsError, match="AccessDenied"):
            await account.read(session, "acme")


async def test_the_tenant_that_the_token_asserts_is_the_only_one_that_web_identity_opens(account: Account):
    """The token says acme, in its tag; neither the grant nor the session policy can make it another's."""
    token = account.sandbox.issuer.token("acme", "growth", ["costs:read"])
    broker = WebIdentityBroker(account.sts, policy=opens(None, account.sandbox.bucket))
    async with Vault(broker, account.clients, clock=lambda: datetime.now(UTC)) as vault:
        own = await vault.session_for(dataclasses.replace(account.grant(), token=token))
        assert await account.read(own, "acme") == b"acme"
        with pytest.raises(NotAuthenticated):
            await vault.session_for(dataclasses.replace(account.grant("acme_corp"), token=token))


async def test_the_token_decides_in_the_cloud_too_where_our_own_comparison_is_led_astray(account: Account):
    """The tag that we are told to compare is a harmless one; the role goes by the tag that the token asserts."""
    tags = {"principal_tags": {"TenantId": ["acme"], "TenantTier": ["acme_corp"]}}
    token = account.sandbox.issuer.token("acme", None, ["costs:read"], claims={"https://aws.amazon.com/tags": tags})
    broker = WebIdentityBroker(account.sts, policy=opens(None, account.sandbox.bucket), tenant_tag="TenantTier")
    async with Vault(broker, account.clients, clock=lambda: datetime.now(UTC)) as vault:
        other = await vault.session_for(dataclasses.replace(account.grant("acme_corp"), token=token))
        with pytest.raises(AwsError, match="AccessDenied"):
            await account.read(other, "acme_corp")


async def test_a_wrong_external_id_is_refused_before_anything_is_read(account: Account):
    async with account.vault(policy=lambda _: None, external_id="another") as vault:
        with pytest.raises(NotPermitted) as caught:
            await vault.session_for(account.grant())
    assert "arn:" not in caught.value.sentence


async def test_the_process_itself_can_read_no_tenants_data(account: Account):
    s3 = account.sandbox.client("s3", account.sandbox.execution)
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.get_object(Bucket=account.sandbox.bucket, Key=key("acme"))
