"""From verified claims to a caller; which claim means what is configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from tenantscope_core.identity.caller import Audience, Caller, is_tenant_id
from tenantscope_core.identity.refusal import CallerRefused, Reason

_MAX_ACTORS = 5
_MAX_SUBJECT_CHARS = 255  # what OpenID Connect allows


@dataclass(frozen=True, slots=True)
class ClaimMap:
    """The names of the claims that carry tenant, tier, scopes and groups, and what makes a caller a provider."""

    tenant: str = "custom:tenantId"
    tier: str = "custom:tenantTier"
    scope: str = "scope"
    scope_prefix: str = ""
    groups: str = "cognito:groups"
    provider_scope: str = "provider"
    provider_group: str | None = None

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """The caller that verified claims describe.

        Raises:
            CallerRefused: No tenant, one that is no tenant id, or both a tenant and the provider's scope.
        """
        scopes = frozenset(
            word.removeprefix(self.scope_prefix) for word in _listed(claims.get(self.scope), separator=" ")
        )
        is_provider = self.provider_scope in scopes or (
            self.provider_group is not None and self.provider_group in _listed(claims.get(self.groups), separator=None)
        )
        tenant = claims.get(self.tenant)
        if is_provider and tenant is not None:
            raise CallerRefused(
                Reason.AMBIGUOUS,
                "The token speaks for a tenant and for the provider at once; it must speak for one of them.",
            )
        if not is_provider:
            self._require_tenant(tenant)
        tier = claims.get(self.tier)
        return Caller(
            subject=_subject(claims["sub"]),
            audience=Audience.PROVIDER if is_provider else Audience.TENANT,
            tenant=None if is_provider else cast(str, tenant),
            tier=tier if isinstance(tier, str) and is_tenant_id(tier) and not is_provider else None,
            scopes=scopes,
            expires=datetime.fromtimestamp(float(claims["exp"]), UTC),
            actors=_actors(claims.get("act")),
        )

    def _require_tenant(self, tenant: object) -> None:
        if tenant is None or tenant == "":
            raise CallerRefused(
                Reason.TENANT_MISSING,
                f"The token names no tenant (claim {self.tenant!r}). A machine token from client credentials carries "
                "none: call with a user's token, or exchange the user's token for one that is meant for this server.",
            )
        if not is_tenant_id(tenant):
            raise CallerRefused(
                Reason.TENANT_INVALID,
                f"The token's tenant (claim {self.tenant!r}) is not a tenant id: 1 to 63 letters, digits, '_' or '-', "
                "beginning with a letter or digit.",
            )


def _subject(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_SUBJECT_CHARS:
        raise CallerRefused(
            Reason.CLAIM,
            f"The token's `sub` must be a text of 1 to {_MAX_SUBJECT_CHARS} characters: it names who acts.",
        )
    return value


def _listed(value: object, *, separator: str | None) -> list[str]:
    """Scopes or groups: a list of strings, or one string, which holds several only where there is a separator."""
    if isinstance(value, str):
        return [word for word in (value.split(separator) if separator else [value]) if word]
    if isinstance(value, list):
        return [word for word in cast(list[object], value) if isinstance(word, str)]
    return []


def _actors(act: object) -> tuple[str, ...]:
    """The agents that act for the subject, outermost first (RFC 8693 section 4.1)."""
    found: list[str] = []
    while isinstance(act, dict) and len(found) < _MAX_ACTORS:
        claims = cast(dict[str, object], act)
        found.append(str(claims.get("sub", ""))[:256])
        act = claims.get("act")
    return tuple(found)
