"""What `get_margins` answers. Margins are revenue less EffectiveCost, in the currency that stands beside them."""

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.money import Amount

from tenantscope_cost_explorer.models import Freshness


class Loss(Answer):
    """Since when a tenant loses money, and what would end it, all else unchanged."""

    since: str = Field(description="First month of the losing row; see since_rule.")
    or_earlier: bool | None = Field(default=None, description="It is the first month that is known.")
    until: str | None = Field(default=None, description="Newest losing month, where a later one of the period was not.")
    months: int = Field(description="Losing months in the row.")
    lost: Amount = Field(description="Margin since then.")
    revenue_up_percent: float | None = Field(default=None, description="More revenue that breaks even in the period.")
    cost_down_percent: float | None = Field(default=None, description="Less cost that breaks even in the period.")


class MarginLine(Answer):
    """One tenant, or one tier, persona or feature."""

    name: str
    tenants: int | None = Field(default=None, description="In this tier or persona.")
    losing_tenants: int | None = None
    tier: str | None = None
    persona: str | None = None
    plan: str | None = None
    active: bool | None = Field(default=None, description="Whether it used anything; left out where unknown.")
    revenue: Amount
    cost: Amount = Field(description="Allocated; of a feature with its part of cost that names none.")
    named_cost: Amount | None = Field(default=None, description="Part of cost that the bill gives to the feature.")
    calls: int | None = None
    margin: Amount = Field(description="revenue - cost.")
    margin_percent: float | None = Field(default=None, description="Of revenue; left out where that is nothing.")
    also_in: list[str] | None = Field(
        default=None, description="It has revenue or cost in these currencies too, so this is not its whole margin."
    )
    loss: Loss | None = None


class OtherMargins(Answer):
    """All that is not on this page."""

    rows: int
    revenue: Amount
    cost: Amount
    margin: Amount


class Losers(Answer):
    """Tenants that cost more than they pay, of those that match."""

    tenants: int
    loss: Amount = Field(description="Their margins added up.")
    inactive: int | None = Field(default=None, description="Of them without any use in the period.")


class MarginReport(Answer):
    """Margins of a period. rows + other = revenue and cost; cost + residual is the bill."""

    period: str
    currency: str
    other_currencies: list[str] = Field(default=[], description="Ask for these by `currency`; nothing is converted.")
    group_by: str
    order_by: str
    filters: dict[str, str] = Field(default={}, description="What rows are narrowed to; the rest is in `other`.")
    revenue: Amount
    cost: Amount = Field(description="EffectiveCost allocated to tenants.")
    residual: Amount = Field(description="Cost of no tenant; in no row's margin.")
    bill: Amount = Field(description="cost + residual.")
    margin: Amount = Field(description="revenue - bill.")
    margin_percent: float | None = None
    losing: Losers
    active_tenants: int | None = Field(default=None, description="With revenue or cost, and with use.")
    inactive_tenants: int | None = Field(default=None, description="With revenue or cost, and without use.")
    rows: list[MarginLine]
    other: OtherMargins | None = None
    row_count: int = Field(description="Rows that match, listed or not.")
    truncated: bool
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")
    since_rule: str | None = Field(default=None, description="How `since` is told.")
    method: str | None = Field(default=None, description="How revenue and cost come to features.")
    notes: list[str] = Field(default=[], description="What to know before these numbers are used.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")
