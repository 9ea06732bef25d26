"""The cloud's part of administering: the admin role opens one tenant to the provider, by its tag and session policy."""

import json
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from catalogue import standing_servers
from fixtures.serving import environment_of, serve
from isolation.layers import EVERYTHING, Account, gatekeepers, names_of, refused, role
from tenantscope_core.credentials.broker import AssumeRoleBroker, Policy
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.serving.assembly import assemble, system_clock
from tenantscope_core.serving.policies import session_policies
from tenantscope_core.serving.settings import CoreSettings, WrongSettings, load_settings
from tenantscope_core.tool.path import Roles, vend
from tenantscope_sandbox import Sandbox

REGISTRY, PLAIN = (
    next(server for server in standing_servers() if server.spec.name == name)
    for name in ("tenant-management", "memory")
)
NOTES: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:GetObject"],
            "Resource": "arn:aws:s3:::${DatasetsBucket}/notes/tenant_id=${aws:PrincipalTag/TenantId}/*",
        }
    ],
}
"""What the provider may write about one tenant, and no tenant may."""

pytestmark = pytest.mark.requirement("administered-by-the-provider")


class AdministeringSettings(CoreSettings):
    """Of a server that administers."""

    admin_role_arn: str | None = None

    @property
    def admin_role(self) -> str | None:
        return self.admin_role_arn


@pytest.fixture(scope="module")
def admin_roles(small_company: Sandbox) -> Iterator[dict[str, str]]:
    """A role to administer with as it should be, and one that was widened to the whole account."""
    with role(small_company, "admin-narrow", NOTES) as narrow, role(small_company, "admin-wide", EVERYTHING) as wide:
        yield {"narrow": narrow, "wide": wide}


@pytest.fixture
def policy(small_company: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Policy:
    """The session policies of a server that administers: those of one that does not, and that of the notes."""
    package = tmp_path / "server_with_notes"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("policy.json", "policy.provider.json"):
        (package / name).write_text((PLAIN.folder / name).read_text())
    (package / "policy.admin.json").write_text(json.dumps(NOTES))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    names = {"AWS::Partition": "aws", **names_of(small_company)}
    return session_policies(package.name, names, administers=True)


@asynccontextmanager
async def acting(
    account: Account, admin_role: str, policy: Policy, *, tenant: str = "acme", by: str | None = None
) -> AsyncGenerator[TenantSession]:
    """The session of a call about a tenant, by the provider unless a tenant's caller is named."""
    sandbox = account.sandbox
    broker = AssumeRoleBroker(account.sts, policy=policy, external_id=sandbox.external_id)
    async with (
        serve(REGISTRY.spec, environment_of(REGISTRY, sandbox), sandbox) as served,
        gatekeepers(served) as gate,
        Vault(broker, account.clients, clock=system_clock) as vault,
    ):
        identity = await served.assembly.verifier.identify(served.token(by))
        roles = Roles(gate.roles.tenant, gate.roles.provider, admin_role)
        yield await vend(replace(gate, vault=vault, roles=roles), served.spec.name, identity, tenant)


async def note(aws: TenantSession, sandbox: Sandbox, tenant: str) -> None:
    key = f"notes/tenant_id={tenant}/note.txt"
    await aws.call("s3", "put_object", Bucket=sandbox.bucket, Key=key, Body=b"seen")


@pytest.mark.parametrize("layer", ["narrow", "wide"])
async def test_the_provider_writes_about_the_tenant_it_names_and_about_no_other(
    account: Account, admin_roles: dict[str, str], policy: Policy, layer: str
):
    """On the wide role, the session policy holds alone."""
    async with acting(account, admin_roles[layer], policy) as aws:
        await note(aws, account.sandbox, "acme")
        for other in ("globex", "acme_corp"):
            await refused(note(aws, account.sandbox, other))


async def test_the_admin_role_alone_holds_to_the_tenant_of_its_tag(account: Account, admin_roles: dict[str, str]):
    async with acting(account, admin_roles["narrow"], lambda grant: None) as aws:
        await note(aws, account.sandbox, "acme")
        await refused(note(aws, account.sandbox, "globex"))


@pytest.mark.parametrize("layer", ["narrow", "wide"])
async def test_a_tenants_caller_may_not_write_it_even_of_itself(
    account: Account, admin_roles: dict[str, str], policy: Policy, layer: str
):
    async with acting(account, admin_roles[layer], policy, by="acme") as aws:
        await refused(note(aws, account.sandbox, "acme"))


@pytest.mark.parametrize("other", ["TENANT", "PROVIDER"])
def test_a_server_does_not_start_where_the_role_to_administer_with_is_another_role_too(
    small_company: Sandbox, other: str
):
    environment = environment_of(REGISTRY, small_company)
    environment["TENANTSCOPE_ADMIN_ROLE_ARN"] = environment[f"TENANTSCOPE_{other}_ROLE_ARN"]
    with pytest.raises(WrongSettings, match="TENANTSCOPE_ADMIN_ROLE_ARN must be a role of its own"):
        assemble(REGISTRY.spec, load_settings(AdministeringSettings, environment))
