"""Session policies: a server's policy document with one tenant's name in place of the variable."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from tenantscope_core.identity.caller import is_tenant_id

MAX_POLICY_CHARS = 2_048
_TENANT_VARIABLE = "aws:PrincipalTag/"
_VARIABLE = re.compile(r"\$\{([^${}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}")


class PolicyError(ValueError):
    """A policy document that cannot become a session policy: a fault of configuration."""


def render_session_policy(
    document: Mapping[str, Any], *, tenant: str | None, names: Mapping[str, str], tenant_tag: str = "TenantId"
) -> str:
    """The minified session policy of one tenant, or with `tenant=None` one that names no tenant.

    `${aws:PrincipalTag/TenantId}` becomes the tenant literally, so that the session is narrowed even where the role's
    own policy forgot to; `${DatasetsBucket}` and the like come from `names`.

    Raises:
        PolicyError: The tenant or a name could open more than itself, a variable is left over, or the result is longer
            than the 2,048 characters that STS takes.
    """
    values = dict(names)
    for name, value in names.items():
        if name.startswith("aws:") or not _NAME.fullmatch(value):
            raise PolicyError(f"the name {name} has a value that cannot stand in a policy")
    if tenant is not None:
        if not is_tenant_id(tenant):
            raise PolicyError("not a tenant id")
        values[_TENANT_VARIABLE + tenant_tag] = tenant
    if not document.get("Statement"):
        raise PolicyError("the policy document has no statement")
    rendered = json.dumps(_filled(_without_sids(document), values), separators=(",", ":"), ensure_ascii=True)
    if "${" in rendered:
        raise PolicyError("the policy document uses a variable in a place where none is filled in")
    if len(rendered) > MAX_POLICY_CHARS:
        raise PolicyError(
            f"the session policy has {len(rendered)} characters, more than the {MAX_POLICY_CHARS} allowed"
        )
    return rendered


def _without_sids(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without the names of its statements, which are for people and count against its length."""
    statements = cast("list[dict[str, Any]]", document["Statement"])
    kept = [{name: value for name, value in each.items() if name != "Sid"} for each in statements]
    return {**document, "Statement": kept}


def _filled(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return _VARIABLE.sub(lambda match: _value(match[1], values), node)
    if isinstance(node, list):
        return [_filled(item, values) for item in cast("list[Any]", node)]
    if isinstance(node, dict):
        return {key: _filled(item, values) for key, item in cast("dict[str, Any]", node).items()}
    return node


def _value(variable: str, values: Mapping[str, str]) -> str:
    if variable not in values:
        raise PolicyError(f"nothing fills the variable {variable} of the policy document")
    return values[variable]
