"""Roles of no server, for what the servers' own do not show."""

import json
from typing import Any

from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.cloud import Credentials


def make_role(sandbox: Sandbox, name: str, *statements: dict[str, Any]) -> str:
    """Make a role that the servers' identity may assume with any tags, and return its ARN."""
    trust = {
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{sandbox.account}:user/tenantscope-execution"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }  # fmt: skip
    iam = sandbox.client("iam")
    trusted = json.dumps({"Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps({"Statement": statements}))
    allow = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": arn}
    document = json.dumps({"Statement": [allow]})
    iam.put_user_policy(UserName="tenantscope-execution", PolicyName=name, PolicyDocument=document)
    return arn


def session_of(sandbox: Sandbox, role: str, service: str, tenant: str | None) -> Any:
    """Return a client of a session that a role was assumed for, tagged with the tenant."""
    tags = [{"Key": "TenantId", "Value": tenant}] if tenant else []
    sts = sandbox.client("sts", sandbox.execution)
    found = sts.assume_role(RoleArn=role, RoleSessionName="test", Tags=tags)["Credentials"]
    keys = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    return sandbox.client(service, keys)
