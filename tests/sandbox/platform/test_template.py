"""The production template: current, small enough as session policies, and enough for queries."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from tenantscope_core.credentials.policy import render_session_policy
from tenantscope_sandbox import Sandbox

REPOSITORY = Path(__file__).parents[3]
POLICIES = sorted(REPOSITORY.glob("servers/*/policy*.json"))
STS_LIMIT, ROOM = 2048, 90  # characters; for longer names of tables and buckets
LONGEST_TENANT = "t" * 63


def test_the_committed_template_is_current():
    script = REPOSITORY / "examples/deploy/generate.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_policy_stays_well_under_the_limit_of_session_policies(path: Path, bare_sandbox: Sandbox):
    names = {
        "AWS::Partition": "aws", "AWS::Region": "ap-southeast-2", "AWS::AccountId": bare_sandbox.account,
        **bare_sandbox.outputs, "UserPool": bare_sandbox.outputs["UserPoolId"],
        "BillingView": "custom-46f47cb2-a11d-43f3-983d-470b5708a899",
    }  # fmt: skip
    used = {name: value for name, value in names.items() if f"${{{name}}}" in path.read_text()}
    rendered = render_session_policy(json.loads(path.read_text()), tenant=LONGEST_TENANT, names=used)
    assert len(rendered) <= STS_LIMIT - ROOM


def test_tenant_variables_reach_iam_unfilled(bare_sandbox: Sandbox):
    policy = bare_sandbox.client("iam").get_role_policy(
        RoleName="tenantscope-cost-explorer-tenant", PolicyName="cost-explorer"
    )["PolicyDocument"]
    assert "tenant_id=${aws:PrincipalTag/TenantId}/*" in json.dumps(policy)
    assert bare_sandbox.bucket in json.dumps(policy)


def test_the_bucket_is_private_encrypted_and_versioned(bare_sandbox: Sandbox):
    s3, bucket = bare_sandbox.client("s3"), bare_sandbox.bucket
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]


@pytest.fixture
def generate() -> ModuleType:
    """The script that makes the template."""
    spec = importlib.util.spec_from_file_location("generate", REPOSITORY / "examples/deploy/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_server_with_a_policy_to_administer_gets_a_third_role_held_to_one_tenant_and_to_the_servers(
    tmp_path: Path, generate: ModuleType
):
    for name in ("plain", "with-admin"):
        (tmp_path / name).mkdir()
        for file in ("policy.json", "policy.provider.json"):
            (tmp_path / name / file).write_text((REPOSITORY / "servers/tenant-management" / file).read_text())
    (tmp_path / "with-admin/policy.admin.json").write_text(
        (REPOSITORY / "servers/tenant-management/policy.json").read_text().replace("GetItem", "PutItem")
    )
    made = yaml.safe_load(generate.template(tmp_path))
    roles = {name for name, resource in made["Resources"].items() if resource["Type"] == "AWS::IAM::Role"}
    assert {name for name in roles if name.startswith(("Plain", "WithAdmin"))} == {
        "PlainTenantRole",
        "PlainProviderRole",
        *(f"WithAdmin{a}Role" for a in ("Tenant", "Provider", "Admin")),
    }
    assert {name for name in made["Outputs"] if name.endswith("AdminRoleArn")} == {"WithAdminAdminRoleArn"}
    tenant, admin = (made["Resources"][f"WithAdmin{audience}Role"]["Properties"] for audience in ("Tenant", "Admin"))
    assert admin["RoleName"] == {"Fn::Sub": "${AWS::StackName}-with-admin-admin"}
    assert admin["AssumeRolePolicyDocument"]["Statement"] == tenant["AssumeRolePolicyDocument"]["Statement"][:1]
    assert "PutItem" in json.dumps(admin["Policies"])
    (assumes,) = made["Resources"]["ExecutionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {"Fn::GetAtt": ["WithAdminAdminRole", "Arn"]} in assumes["Resource"]


def test_a_server_is_told_of_its_admin_role_where_the_stack_made_one(
    bare_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    arn = "arn:aws:iam::000000000000:role/tenantscope-pricing-admin"
    monkeypatch.setitem(bare_sandbox.outputs, "PricingAdminRoleArn", arn)
    assert bare_sandbox.role_arn("pricing", "admin") == arn
    assert bare_sandbox.server_env("pricing")["TENANTSCOPE_ADMIN_ROLE_ARN"] == arn
    assert "TENANTSCOPE_ADMIN_ROLE_ARN" not in bare_sandbox.server_env("memory")
