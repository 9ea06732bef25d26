"""The production template: current, small enough as session policies, and enough for queries."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tenantscope_sandbox import Sandbox

REPOSITORY = Path(__file__).parents[3]
POLICIES = sorted(REPOSITORY.glob("servers/*/policy*.json"))
STS_LIMIT = 2048
LONGEST_TENANT = "t" * 63


def test_the_committed_template_is_current():
    script = REPOSITORY / "examples/deploy/generate.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_policy_stays_well_under_the_limit_of_session_policies(path: Path, bare_sandbox: Sandbox):
    values = {
        "AWS::Partition": "aws", "AWS::Region": "ap-southeast-2", "AWS::AccountId": bare_sandbox.account,
        "aws:PrincipalTag/TenantId": LONGEST_TENANT, **bare_sandbox.outputs,
    }  # fmt: skip
    minified = json.dumps(json.loads(path.read_text()), separators=(",", ":"))
    rendered = re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], minified)
    assert len(rendered) <= STS_LIMIT - 100


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
