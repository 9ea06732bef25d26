"""What `explain_cost_change` answers."""

from typing import Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.money import Amount

from tenantscope_cost_explorer.models import Freshness

Drivers = Literal["days", "volume", "unit_price", "mix", "new", "gone", "one_off", "unmeasured"]


class DriverChange(Answer):
    """What one driver did to the total."""

    driver: Drivers = Field(
        description="days: the same use on more or fewer days; volume: more or less use, at old prices; unit_price: "
        "what a unit costs; mix: a tenant's use of a service moved to dearer or cheaper features; new, gone: no cost "
        "before, or after; one_off: one-time charges, credits, adjustments, corrections; unmeasured: charges without "
        "a quantity, such as fees, tax and support."
    )
    change: Amount


class ChangeLine(Answer):
    """What one driver did to one cell: tenant, service, feature and unit."""

    tenant_id: str | None = Field(
        default=None, description="Of the fleet only. (residual): nobody's; (other tenants): many, explained together."
    )
    service: str
    feature: str = Field(description="(none) where charges do not say.")
    driver: Drivers
    change: Amount = Field(description="By this driver alone.")
    before: Amount = Field(description="Cost of the whole cell in the earlier period.")
    after: Amount = Field(description="Cost of the whole cell now.")
    quantity_before: Amount | None = Field(default=None, description="In `unit`.")
    quantity_after: Amount | None = None
    unit: str | None = None


class OtherChanges(Answer):
    """All that is not listed, so that lines and other sum to the change. All of `days` is in here."""

    lines: int
    change: Amount


class PerDay(Answer):
    """Cost a day, for periods of unequal length."""

    before: Amount
    after: Amount
    change: Amount


class CurrencyChange(Answer):
    """The change in one currency."""

    currency: str
    summary: str = Field(description="The biggest driver in words.")
    before: Amount
    after: Amount
    change: Amount = Field(description="after - before; the sum of drivers, and of lines and other.")
    change_percent: float | None = None
    per_day: PerDay | None = Field(default=None, description="Where the periods are not equally long.")
    drivers: list[DriverChange] = Field(description="Those that did anything.")
    lines: list[ChangeLine] = Field(description="Largest contributions first.")
    other: OtherChanges | None = None
    line_count: int = Field(description="Contributions there are, listed or not.")
    truncated: bool


class CostChange(Answer):
    """Why cost moved between two periods."""

    of: str = Field(description="The tenant, or `fleet`, which includes the residual.")
    period: str
    compared_with: str
    days: int = Field(description="Of the period, as far as it was over when it was rolled up.")
    days_before: int
    metric: Literal["EffectiveCost"] = "EffectiveCost"
    changes: list[CurrencyChange] = Field(description="One entry a currency; currencies are never added up.")
    other_currencies: list[str] = Field(default=[], description="Currencies that are not shown.")
    cells: int = Field(description="Tenant, service and feature combinations with cost in either period.")
    cells_together: int = Field(
        description="How many of these, the ones that moved least, are explained together by service and feature; "
        "their sums stay exact, but use moving between their tenants counts as unit_price."
    )
    freshness: Freshness
    next: str = Field(description="What to call for more.")
