"""What `forecast_costs` answers. Costs are EffectiveCost, in the currency that stands beside them."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.money import Amount

from tenantscope_cost_explorer.forecasting.events import Kind, Side
from tenantscope_cost_explorer.models import Freshness


class EventIn(BaseModel):
    """Something that is known to come."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    month: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}$", description="'2026-12'.")
    kind: Kind
    of: Side = "cost"
    percent: Decimal | None = Field(
        default=None, ge=-100, le=1000, description="Taken off by a contract's end (100 if left out), added by a price."
    )
    amount: Decimal | None = Field(default=None, ge=-(10**12), le=10**12, description="Of a one_off.")


class Interval(Answer):
    """Between what it stays with the stated chance."""

    low: Amount
    high: Amount


class MonthAhead(Answer):
    """One month to come."""

    month: str
    cost: Amount = Field(description="With events.")
    cost_80: Interval
    cost_95: Interval
    events: Amount | None = Field(default=None, description="Part of cost that comes from the events given.")
    revenue: Amount | None = None
    margin: Amount | None = Field(default=None, description="revenue - cost.")
    margin_80: Interval | None = None
    margin_95: Interval | None = None


class TenantAhead(Answer):
    """What one tenant will cost over the months together, without events."""

    tenant_id: str
    cost: Amount
    before: Amount = Field(description="In as many months before.")


class OthersAhead(Answer):
    """All tenants that are not listed."""

    tenants: int
    cost: Amount
    before: Amount


class BackTest(Answer):
    """How this method would have done for this very series, from each of the past months, knowing nothing later."""

    forecasts: int = Field(description="Months from which it was tried.")
    error_percent: float | None = Field(default=None, description="Mean absolute error of a month.")
    total_error_percent: float | None = Field(default=None, description="Median absolute error of all months' sum.")
    naive_error_percent: float | None = Field(default=None, description="Of saying that nothing changes.")
    seasonal_naive_error_percent: float | None = Field(default=None, description="Of repeating the year before.")
    inside_80_percent: float | None = Field(
        default=None, description="Past months within intervals as wide as the 80 %."
    )
    inside_95_percent: float | None = None


class ForecastReport(Answer):
    """What comes, how sure that is, and how it was told."""

    of: str = Field(description="The tenant, or `fleet`, which includes the residual.")
    currency: str
    other_currencies: list[str] = Field(default=[], description="Have cost too, and are not in here.")
    metric: Literal["EffectiveCost"] = "EffectiveCost"
    history: str = Field(description="The months that it is told from.")
    history_months: int
    months: list[MonthAhead]
    total: Amount = Field(description="Cost of all months.")
    total_80: Interval
    total_95: Interval
    before: Amount = Field(description="Cost in as many months before.")
    margin_total: Amount | None = None
    tenants: list[TenantAhead] | None = Field(
        default=None, description="The costliest; with other and residual they are the total without events."
    )
    other: OthersAhead | None = None
    residual: Amount | None = Field(default=None, description="Nobody's part of it.")
    back_test: BackTest
    intervals_from: str = Field(description="Whose past errors made the intervals.")
    notes: list[str] = Field(description="What to know before these numbers are used.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")
