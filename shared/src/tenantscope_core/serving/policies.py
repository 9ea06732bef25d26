"""A server's own IAM policy documents, as session policies for the grants that it asks STS for."""

import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tenantscope_core.credentials.broker import Grant, Policy
from tenantscope_core.credentials.policy import PolicyError, render_session_policy

TENANT_POLICY, PROVIDER_POLICY, ADMIN_POLICY = "policy.json", "policy.provider.json", "policy.admin.json"
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


def session_policies(
    package: str,
    names: Mapping[str, str],
    *,
    administers: bool = False,
    names_of: Callable[[str], Mapping[str, str]] = lambda tenant: {},
) -> Policy:
    """The session policy of any grant: the tenant's or the admin role's with its name filled in, or the provider's.

    With `administers`, the server is to have a policy for what the provider does to one tenant. `names_of` gives names
    that are another's for each tenant.

    Raises:
        PolicyError: A name is missing or odd, the policy of the longest tenant id would be too long for STS, or there
            is no policy to administer with.
    """
    of_tenant, of_provider = load_policy(package, TENANT_POLICY), load_policy(package, PROVIDER_POLICY)
    of_admin = _admin_policy(package) if administers else None

    def policy(grant: Grant) -> str:
        if grant.tenant is None:
            return render_session_policy(of_provider, tenant=None, names=names)
        # Whatever role was chosen: what is not the provider's own administering gets no more than the tenant.
        document = of_admin if of_admin is not None and grant.is_admin and grant.is_provider else of_tenant
        return render_session_policy(document, tenant=grant.tenant, names={**names, **names_of(grant.tenant)})

    for document in (of_tenant, of_admin):
        if document is not None:
            render_session_policy(document, tenant=_LONGEST_TENANT, names=names)
    render_session_policy(of_provider, tenant=None, names=names)
    return policy


def _admin_policy(package: str) -> dict[str, Any]:
    try:
        return load_policy(package, ADMIN_POLICY)
    except FileNotFoundError:
        raise PolicyError("an admin role is set, and this server administers no tenant") from None


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
