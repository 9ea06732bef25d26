"""Who is calling, as proved by a verified token."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tenantscope_core.stores.schemas import TENANT_ID

_TENANT_ID = re.compile(TENANT_ID)


class Audience(StrEnum):
    """The two kinds of caller, told apart by the token and never by an argument."""

    TENANT = "tenant"
    PROVIDER = "provider"


def is_tenant_id(value: object) -> bool:
    """Whether a value is a tenant id as it stands; nothing is trimmed, folded or cleaned.

    No id can contain `/` or `:`, so either may follow an id in a key or path without `acme` ever opening `acme_corp`.
    """
    return isinstance(value, str) and _TENANT_ID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller. `tenant` is set for a tenant's caller and None for the provider's own staff and agents."""

    subject: str
    audience: Audience
    tenant: str | None
    tier: str | None
    scopes: frozenset[str]
    expires: datetime
    actors: tuple[str, ...] = ()

    @property
    def is_provider(self) -> bool:
        """Whether the caller belongs to the SaaS company itself."""
        return self.audience is Audience.PROVIDER
