"""What `get_feature_unit_costs` answers. Costs are EffectiveCost, in the currency that stands beside them."""

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.money import Amount

from tenantscope_cost_explorer.models import Freshness


class UnitCost(Answer):
    """A feature's cost in one view, and by what it is used for; what has no use has no unit cost."""

    cost: Amount
    per_call: Amount | None = None
    per_active_tenant: Amount | None = None
    per_user_at_most: Amount | None = Field(default=None, description="cost by users_at_least.")


class HostingCost(Answer):
    """What one service of the cloud costs for a feature."""

    service: str
    cost: Amount


class FeatureCost(Answer):
    """One feature."""

    feature: str
    attributed: UnitCost = Field(description="What the bill and the allocation rules give to it.")
    with_shared: UnitCost = Field(description="With its part of the tenants' cost that names no feature.")
    percent: float | None = Field(default=None, description="with_shared as a share of the bill.")
    before: Amount | None = Field(default=None, description="attributed in the period before.")
    change: Amount | None = Field(default=None, description="attributed - before.")
    calls: int
    active_tenants: int = Field(description="Tenants that called it.")
    users_at_least: int | None = Field(
        default=None, description="Different people in one action on a tenant's busiest day, added up over tenants."
    )
    hosting: list[HostingCost] = Field(description="Dearest services of attributed.")
    other_services: Amount | None = Field(default=None, description="The rest of attributed.")


class TwoViews(Answer):
    """A sum in both views."""

    attributed: Amount
    with_shared: Amount


class OtherFeatures(TwoViews):
    """The features that are not listed."""

    features: int


class FeatureCosts(Answer):
    """Costs of features. In either view rows + other + no_feature + residual = bill."""

    period: str
    compared_with: str | None = Field(default=None, description="The period before.")
    currency: str
    other_currencies: list[str] = Field(default=[], description="Ask for these by `currency`.")
    bill: Amount
    order_by: str
    rows: list[FeatureCost]
    other: OtherFeatures | None = None
    no_feature: TwoViews = Field(description="Tenants' cost of no feature; with_shared: of tenants that used none.")
    residual: Amount = Field(description="Cost of no tenant and no feature.")
    feature_count: int = Field(description="Features, listed or not.")
    truncated: bool
    method: str = Field(description="How the two views are made.")
    notes: list[str] = Field(default=[], description="What to know before these numbers are used.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")
