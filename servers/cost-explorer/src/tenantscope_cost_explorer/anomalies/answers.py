"""What `find_cost_anomalies` answers."""

from datetime import date
from typing import Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.money import Amount

from tenantscope_cost_explorer.models import Freshness


class AnomalyRow(Answer):
    """One day (of `monthly`: a month, by its first day) of one series behind an anomaly."""

    tenant_id: str | None = Field(default=None, description="Of the fleet only; * is all others of the service.")
    service: str | None = Field(default=None, description="Where the anomaly is in several.")
    feature: str
    day: date
    cost: Amount
    expected: Amount
    quantity: Amount | None = Field(default=None, description="Of the dearest unit of the day.")
    unit: str | None = None


class CostAnomaly(Answer):
    """One event: the same days, in one service of one or many tenants, or in several services of one tenant."""

    rank: int = Field(description="By excess.")
    kind: Literal["daily", "monthly", "one_off"] = Field(
        description="daily: found on days; monthly: costs known by the month only; one_off: one-time charges, credits, "
        "adjustments and corrections, which are no fault by themselves."
    )
    direction: Literal["up", "down"]
    service: str | None = Field(default=None, description="Left out where it is several; the rows name them.")
    services: int
    tenant_id: str | None = Field(default=None, description="Of the fleet only, where it is one tenant.")
    tenants: int | None = Field(default=None, description="Of the fleet: how many; left out where it is all of them.")
    series: int = Field(description="Tenant, service and feature combinations in this event.")
    first_day: date
    last_day: date
    began_before: bool = Field(default=False, description="Whether it began before the period.")
    ongoing: bool = Field(default=False, description="Whether its last day is the last that is known.")
    currency: str
    actual: Amount = Field(description="Cost of its series on its days.")
    expected: Amount
    excess: Amount = Field(description="actual - expected; negative for down.")
    deviation: float | None = Field(
        default=None,
        description="Strongest miss in robust deviations of the series' own past, at most 100: a rank, no probability.",
    )
    reason: str
    revenue: Amount | None = Field(
        default=None, description="Of its tenants in the period's months; left out where unknown, as is margin_points."
    )
    margin_points: float | None = Field(
        default=None, description="What the excess does to their margin, in points of revenue; negative is a loss."
    )
    rows: list[AnomalyRow] = Field(description="Largest excess first.")
    row_count: int
    next: str


class Unseen(Answer):
    """What was not looked at, so that nothing found there is not taken for nothing there."""

    series: int = Field(description="Tenant, service and feature combinations with daily costs.")
    looked_at: int = Field(description="Those with the largest departures, each by itself; the rest by service only.")
    largest_departure: Amount | None = Field(
        default=None, description="At most so much does one of the rest depart from its past."
    )
    new_tenants: int = Field(description="Tenants in their first six weeks, which are not judged on their own.")
    notes: list[str]


class CostAnomalies(Answer):
    """Unusual spend of a period."""

    of: str = Field(description="The tenant, or `fleet`, which includes the residual.")
    period: str
    judged_through: date = Field(description="The last complete day.")
    history_from: date
    metric: Literal["EffectiveCost"] = "EffectiveCost"
    sensitivity: str
    false_alarms_per_1000: int = Field(
        description="At most so many events a month are to be expected in 1,000 steady series at this sensitivity."
    )
    min_cost: float
    anomalies: list[CostAnomaly]
    count: int = Field(description="Anomalies there are, listed or not.")
    truncated: bool
    unseen: Unseen
    freshness: Freshness
    next: str
