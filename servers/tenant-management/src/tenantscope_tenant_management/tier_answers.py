"""What the tools answer about tiers, and about changes of a tenant's terms."""

from pydantic import Field
from tenantscope_core.results.answers import Answer

from tenantscope_tenant_management import tiers


class TierView(Answer):
    """One tier."""

    name: str
    title: str
    description: str | None = None
    features: list[str] = Field(description="Features it opens.")
    quotas: dict[str, int] = Field(description="Limits by name; the unit is in the name.")
    yours: bool = Field(default=False, description="Whether it is the caller's own tier.")


class TierList(Answer):
    """Every tier, the least first."""

    tiers: list[TierView]
    count: int
    next: str | None = Field(default=None, description="What to call for more.")


class QuotaMove(Answer):
    """A quota that changes; a side is left out where there is none."""

    name: str
    before: int | None = None
    after: int | None = None


class Exceeded(Answer):
    """A quota of which more is used than it allows after the change."""

    name: str
    limit: int
    used: int


class TermsEffect(Answer):
    """What a change of tier or quotas means for the tenant."""

    gains: list[str] = Field(description="Features it gets.")
    loses: list[str] = Field(description="Features it loses.")
    quotas: list[QuotaMove] = Field(description="Quotas that change.")
    exceeded: list[Exceeded] = Field(description="Quotas of which it now uses too much.")
    unmeasured: list[str] = Field(description="Quotas that shrink and whose use nothing measures.")


class FieldChange(Answer):
    """A field of the record that changes; a side is left out where there is nothing."""

    field: str
    before: object | None = None
    after: object | None = None


def effect_view(effect: tiers.Effect) -> TermsEffect | None:
    """An effect as it is shown; None where there is none."""
    if not (effect.gains or effect.loses or effect.quotas):
        return None
    return TermsEffect(
        gains=list(effect.gains),
        loses=list(effect.loses),
        quotas=[QuotaMove(name=one.name, before=one.before, after=one.after) for one in effect.quotas],
        exceeded=[Exceeded(name=one.name, limit=one.limit, used=one.used) for one in effect.exceeded],
        unmeasured=list(effect.unmeasured),
    )
