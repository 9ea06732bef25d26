"""A server's own IAM policy documents, as session policies for the grants that it asks STS for."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tenantscope_core.credentials.broker import Grant, Policy
from tenantscope_core.credentials.policy import PolicyError, render_session_policy

TENANT_POLICY, PROVIDER_POLICY = "policy.json", "policy.provider.json"
_LONGEST_TENANT = "t" * 63


def load_policy(package: str, file_name: str) -> dict[str, Any]:
    """A policy document of a server: inside its installed package, or in its folder of a checkout.

    Raises:
        FileNotFoundError: The package was built without it.
    """
    root = Path(str(resources.files(package)))
    in_checkout = root.parents[1] / file_name  # servers/<name>/src/<package> → servers/<name>
    for path in (root / file_name, in_checkout):
        if path.is_file():
            return dict(json.loads(path.read_text(encoding="utf-8")))
    raise FileNotFoundError(f"{package} has no {file_name}")


def session_policies(package: str, names: Mapping[str, str]) -> Policy:
    """The session policy of any grant: the tenant's policy with its name filled in, or the provider's.

    Raises:
        PolicyError: A name is missing or odd, or the policy of the longest tenant id would be too long for STS.
    """
    of_tenant, of_provider = load_policy(package, TENANT_POLICY), load_policy(package, PROVIDER_POLICY)

    def policy(grant: Grant) -> str:
        document = of_provider if grant.tenant is None else of_tenant
        return render_session_policy(document, tenant=grant.tenant, names=names)

    render_session_policy(of_tenant, tenant=_LONGEST_TENANT, names=names)
    render_session_policy(of_provider, tenant=None, names=names)
    return policy


def arn_names(role_arn: str, region: str) -> dict[str, str]:
    """What a role's ARN and the region tell of the names in a policy document.

    Raises:
        PolicyError: It is no role ARN.
    """
    match role_arn.split(":"):
        case ["arn", partition, "iam", "", account, role] if role.startswith("role/") and account.isdigit():
            return {"AWS::Partition": partition, "AWS::AccountId": account, "AWS::Region": region}
        case _:
            raise PolicyError("a role's ARN has the form arn:aws:iam::<account>:role/<name>")
