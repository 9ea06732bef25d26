"""What holds tenants apart in the cloud, to be taken away layer by layer: the role's policy and the session's."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fixtures.serving import Served
from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker, Grant, grant_for
from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.credentials.policy import render_session_policy
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.serving.assembly import assemble, system_clock
from tenantscope_core.tool.path import Gatekeepers, Roles, vend
from tenantscope_sandbox import Sandbox

OTHERS = ("globex", "acme_corp", "Acme-2")
"""Not acme; two of them nearly so."""
EVERYTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
NARROW: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::${DatasetsBucket}/datasets/allocated_cost/"
            "tenant_id=${aws:PrincipalTag/TenantId}/*",
        },
        {
            "Effect": "Allow",
            "Action": "dynamodb:*",
            "Resource": "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TenantsTable}",
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/TenantId}"]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        },
        {
            "Effect": "Allow",
            "Action": "logs:FilterLogEvents",
            "Resource": "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
            "/tenantscope/tenants/${aws:PrincipalTag/TenantId}/app*",
        },
    ],
}
"""One tenant's part of each of three stores, named by the session's tag."""

Read = Callable[[Sandbox, TenantSession, str], Awaitable[str]]


async def _from_s3(sandbox: Sandbox, aws: TenantSession, tenant: str) -> str:
    return (await aws.call("s3", "get_object", Bucket=sandbox.bucket, Key=manifest_of(tenant)))["Body"].decode()


async def _from_dynamodb(sandbox: Sandbox, aws: TenantSession, tenant: str) -> str:
    answer = await aws.call("dynamodb", "get_item", TableName=sandbox.table, Key={"tenantId": {"S": tenant}})
    return str(answer["Item"])


async def _from_logs(sandbox: Sandbox, aws: TenantSession, tenant: str) -> str:
    return str((await aws.call("logs", "filter_log_events", logGroupName=log_group_of(tenant)))["events"])


READS: Mapping[str, Read] = {"s3": _from_s3, "dynamodb": _from_dynamodb, "logs": _from_logs}
"""How to read something of a tenant's in each store; the text found names the tenant."""


def manifest_of(tenant: str) -> str:
    return f"datasets/allocated_cost/tenant_id={tenant}/_manifest.json"


def log_group_of(tenant: str) -> str:
    return f"/tenantscope/tenants/{tenant}/app"


async def refused(reading: Awaitable[object]) -> None:
    """Expect AWS to deny it."""
    with pytest.raises(AwsError) as caught:
        await reading
    assert caught.value.fault is Fault.DENIED, caught.value


@contextmanager
def role(sandbox: Sandbox, name: str, document: Mapping[str, Any]) -> Generator[str]:
    """For a block, a role that the servers' identity may assume with the external id and any tags; gives its ARN."""
    principal = f"arn:aws:iam::{sandbox.account}:user/tenantscope-execution"
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    condition = {"StringEquals": {"sts:ExternalId": sandbox.external_id}}
    trust = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Condition": condition}
    iam = sandbox.client("iam")
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="data", PolicyDocument=_named(sandbox, document))
    allowed = {"Effect": "Allow", "Action": actions, "Resource": arn}
    permitted = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="tenantscope-execution", PolicyName=f"assume-{name}", PolicyDocument=permitted)
    try:
        yield arn
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="data")
        iam.delete_role(RoleName=name)
        iam.delete_user_policy(UserName="tenantscope-execution", PolicyName=f"assume-{name}")


def names_of(sandbox: Sandbox) -> dict[str, str]:
    return {
        "AWS::Region": sandbox.region, "AWS::AccountId": sandbox.account,
        "DatasetsBucket": sandbox.bucket, "TenantsTable": sandbox.table,
    }  # fmt: skip


def _named(sandbox: Sandbox, document: Mapping[str, Any]) -> str:
    text = json.dumps(document)
    for name, value in names_of(sandbox).items():
        text = text.replace(f"${{{name}}}", value)
    return text


@dataclass(frozen=True)
class Account:
    """The emulated account, seen with the credentials of the servers' own process."""

    sandbox: Sandbox
    sts: Sts
    clients: AwsClients

    @asynccontextmanager
    async def vault(self, document: Mapping[str, Any] | None) -> AsyncGenerator[Vault]:
        """A vault whose session policies come from a document, or that sends none."""

        def policy(grant: Grant) -> str | None:
            if document is None:
                return None
            return render_session_policy(document, tenant=grant.tenant, names=names_of(self.sandbox))

        broker = AssumeRoleBroker(self.sts, policy=policy, external_id=self.sandbox.external_id)
        async with Vault(broker, self.clients, clock=system_clock) as vault:
            yield vault

    @asynccontextmanager
    async def session(
        self, served: Served, role_arn: str, document: Mapping[str, Any] | None
    ) -> AsyncGenerator[TenantSession]:
        """Acme's session on a role, with a session policy or without."""
        identity = await served.assembly.verifier.identify(served.token("acme"))
        grant = grant_for(identity.caller, server=served.spec.name, role_arn=role_arn, tenant="acme")
        async with self.vault(document) as vault:
            yield await vault.session_for(grant)


@asynccontextmanager
async def gatekeepers(served: Served) -> AsyncGenerator[Gatekeepers]:
    """Everything between a caller and a tool, as the server itself has it."""
    async with assemble(served.spec, served.assembly.settings).open_gatekeepers() as gate:
        yield gate


@asynccontextmanager
async def vended(served: Served, tenant: str = "acme") -> AsyncGenerator[TenantSession]:
    """The session that the server itself vends for a tenant's caller."""
    identity = await served.assembly.verifier.identify(served.token(tenant))
    async with gatekeepers(served) as gate:
        yield await vend(gate, served.spec.name, identity, tenant)


@asynccontextmanager
async def unguarded(served: Served, account: Account, wide_role: str) -> AsyncGenerator[Gatekeepers]:
    """The server's gatekeepers, but every role as wide as the account and no session policy."""
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(gatekeepers(served))
        vault = await stack.enter_async_context(account.vault(None))
        yield replace(gate, vault=vault, roles=Roles(wide_role, wide_role))


@pytest.fixture
def account(small_company: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The account as a server's process sees it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", small_company.execution.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", small_company.execution.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", small_company.aws_endpoint)
    sts, clients = Sts(region=small_company.region), AwsClients(region=small_company.region)
    yield Account(small_company, sts, clients)
    sts.close()
    clients.close()
