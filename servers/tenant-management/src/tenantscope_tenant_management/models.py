"""What the tools answer."""

from datetime import datetime

from pydantic import Field
from tenantscope_core.results.answers import Answer


class Quota(Answer):
    """A limit of the tenant and, where it is measured, how much of it is used."""

    name: str
    limit: int
    used: int | None = Field(default=None, description="Left out where nothing measures it.")
    used_as_of: datetime | None = Field(default=None, description="When `used` was measured.")
    at_least: bool = Field(default=False, description="Whether counting stopped at `used`.")
    held_by: str | None = Field(default=None, description="What refuses more here; else the product has to.")
    own: bool = Field(default=False, description="Whether it is the tenant's own exception from its tier.")


class TenantProfile(Answer):
    """Everything the registry says of one tenant."""

    tenant_id: str
    name: str
    status: str = Field(
        description="active, trial, pending, suspended, offboarding, offboarded, failed, inactive (switched off), "
        "unknown (it has none: nobody is let in), or a word of the company's own."
    )
    status_reason: str | None = Field(default=None, description="Why it is suspended.")
    legal_hold: bool = Field(default=False, description="Whether its data must be kept: it cannot be offboarded.")
    tier: str = Field(description="Empty where it has none yet.")
    plan: str | None = None
    email: str | None = None
    tags: dict[str, str]
    entitlements: list[str] = Field(description="Features the tenant may use.")
    quotas: list[Quota]
    config: dict[str, object] = Field(description="The tenant's own settings.")
    created: datetime | None = None
    last_active: datetime | None = Field(default=None, description="Last known use; left out where never seen.")
    version: int = Field(description="Grows with each change; an update names the version it was made on.")
    left_out: list[str] = Field(default=[], description="Fields that are not shown because all would be too large.")


class TenantSummary(Answer):
    """One tenant in a list."""

    tenant_id: str
    name: str
    status: str
    tier: str
    tags: dict[str, str]
    last_active: datetime | None = None


class TenantPage(Answer):
    """A page of tenants in order of name; of last use where activity alone was asked for."""

    tenants: list[TenantSummary]
    count: int = Field(description="Tenants on this page.")
    damaged: list[str] | None = Field(
        default=None,
        description="Tenants passed by whose records cannot be read, ten at most; get_tenant says what is wrong.",
    )
    damaged_count: int | None = Field(default=None, description="How many they are.")
    truncated: bool = Field(description="Whether more match than are shown.")
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")
    next: str | None = Field(default=None, description="What to call for more.")
