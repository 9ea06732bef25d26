"""What the tools answer. Amounts are in the currency that stands beside them; so are prices of units."""

from datetime import date
from typing import Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer, Freshness
from tenantscope_core.results.money import Amount


class VersionRow(Answer):
    """A version of the price book."""

    version: str
    hash: str = Field(description="Changes with anything that is charged for.")
    effective: str = Field(description="First month that it rates.")
    status: Literal["past", "current", "coming"]


class TierRow(Answer):
    """A tier of a graduated or volume price; bounds count all units of the month, free ones too."""

    up_to: Amount | None = Field(default=None, description="Last unit in it, included; left out for the last tier.")
    unit_price: Amount
    fee: Amount | None = Field(default=None, description="Once a month, if any unit of the tier is charged.")


class PriceRow(Answer):
    """One line of a plan."""

    line: str
    words: str = Field(description="The price in words.")
    model: Literal["flat", "per_unit", "graduated", "volume", "package", "percentage"]
    meter: str | None = None
    unit: str | None = None
    included: Amount | None = Field(default=None, description="Free units a month.")
    amount: Amount | None = Field(default=None, description="flat: a month.")
    unit_price: Amount | None = None
    tiers: list[TierRow] | None = None
    tier_count: int | None = Field(default=None, description="Tiers, where only `words` has room for them.")
    package_size: Amount | None = None
    package_price: Amount | None = Field(default=None, description="For each package begun.")
    percent: Amount | None = Field(default=None, description="Of the meter's cost, or of the lines `of`.")
    of: list[str] | None = None
    minimum: Amount | None = Field(default=None, description="The line's least a month.")
    maximum: Amount | None = Field(default=None, description="The line's most a month.")


class PlanRow(Answer):
    """A plan."""

    plan: str
    name: str
    yours: bool | None = Field(default=None, description="The tenant's own, with what is agreed apart.")
    public: bool
    fee: Amount = Field(description="A month.")
    minimum: Amount | None = Field(default=None, description="The least that all lines come to.")
    proration: Literal["day", "none"] = Field(description="How a part of a month counts.")
    features: list[str]
    feature_count: int | None = Field(default=None, description="Features, where there is no room to list them.")
    prices: list[PriceRow]
    other_lines: list[str] | None = Field(default=None, description="Lines whose prices there is no room for.")
    tenants: int | None = Field(default=None, description="Tenants on it; the provider's view.")
    coming: list[str] | None = Field(default=None, description="What the next version changes.")
    coming_count: int | None = Field(default=None, description="Changes, where there is no room to list them.")


class TermRow(Answer):
    """A term of the tenant's contract."""

    plan: str
    since: date
    through: date | None = Field(default=None, description="Last day; left out where it has no end.")
    pinned_version: str | None = Field(default=None, description="Rated by this version whatever comes after.")
    agreed: list[str] | None = Field(default=None, description="What is agreed apart from the plan.")
    agreed_apart: bool | None = Field(default=None, description="True where there is no room for `agreed`.")


class CreditTerms(Answer):
    """A credit that the tenant was given or bought."""

    name: str
    amount: Amount
    price: Amount | None = Field(default=None, description="What it was bought for; left out where given.")
    granted: str
    expires: str | None = Field(default=None, description="Last month whose bill it pays.")
    pays_for: list[str] | None = Field(default=None, description="Lines; every line where left out.")


class ContractRow(Answer):
    """What one tenant agreed to."""

    tenant_id: str
    terms: list[TermRow] = Field(description="The newest six at the most, the newest last.")
    term_count: int = Field(description="Terms there are, listed or not.")
    credits: list[CreditTerms] = Field(default=[], description="Given or bought, the last six at the most.")
    credit_count: int = Field(default=0, description="Credits there are, listed or not.")


class PlanList(Answer):
    """The price book of a month."""

    month: str
    currency: str
    version: str | None = Field(default=None, description="The version that rates the month.")
    versions: list[VersionRow] = Field(description="The newest eight at the most.")
    version_count: int = Field(description="Versions there are, listed or not.")
    contract: ContractRow | None = None
    plans: list[PlanRow]
    plan_count: int
    other_plans: list[str] = Field(default=[], description="Not shown here; ask with `plan`.")
    truncated: bool
    next: str = Field(description="What to call for more.")


class StepRow(Answer):
    """Units charged at one price."""

    quantity: Amount
    unit_price: Amount
    fee: Amount | None = None
    amount: Amount


class BillLine(Answer):
    """One line of a bill."""

    line: str
    kind: Literal["fee", "usage", "flat", "percentage", "minimum", "purchase"] = Field(
        description="minimum: tops up to what was agreed at least; purchase: of a credit."
    )
    plan: str
    quantity: Amount | None = Field(default=None, description="Used; for a percentage, the amount that it is of.")
    unit: str | None = None
    included: Amount | None = Field(default=None, description="Of these, free.")
    unit_price: Amount | None = Field(default=None, description="Where all have one.")
    percent: Amount | None = Field(default=None, description="Of the quantity, for a percentage.")
    steps: list[StepRow] | None = Field(default=None, description="Where there are several tiers or packages.")
    step_count: int | None = Field(default=None, description="Steps, where there is no room to list them.")
    discount: Amount | None = Field(default=None, description="Taken off already.")
    capped: bool | None = Field(default=None, description="True where the line's maximum holds.")
    amount: Amount


class OtherLines(Answer):
    """The lines that are not listed."""

    lines: int
    amount: Amount


class CreditRow(Answer):
    """What a credit paid of the bill."""

    name: str
    paid: Amount
    left: Amount
    expires: str | None = Field(default=None, description="Last month whose bill it pays.")


class OtherCredits(Answer):
    """The credits that are not listed."""

    credits: int
    paid: Amount
    left: Amount


class RatedTerm(Answer):
    """Days of the month under one plan."""

    plan: str
    first: date
    last: date
    version: str
    hash: str


class EstimateLine(Answer):
    """A line of the estimate."""

    line: str
    quantity: Amount | None = None
    amount: Amount


class Estimate(Answer):
    """What a running month may come to: a run rate, neither a forecast nor an offer."""

    total: Amount = Field(description="After credits.")
    lines: list[EstimateLine]
    method: str


class TenantBill(Answer):
    """One tenant's bill. Lines and other sum to subtotal; subtotal - credits_paid = total."""

    terms: list[RatedTerm]
    term_count: int | None = Field(default=None, description="Terms there are, where only the last are listed.")
    lines: list[BillLine]
    other: OtherLines | None = None
    subtotal: Amount
    minimum_top_up: Amount = Field(description="Of this, what only minimums asked for.")
    credits: list[CreditRow] = Field(default=[], description="Good for this month, in the order in which they pay.")
    other_credits: OtherCredits | None = None
    credits_paid: Amount
    estimate: Estimate | None = Field(default=None, description="For a running month.")
    nothing_committed_of: list[str] | None = Field(
        default=None, description="Datasets without anything for the month: no use, or not rolled up; counted as none."
    )
    credits_without_use_of: list[str] | None = Field(
        default=None, description="Earlier months that credits were counted through and that lack such data."
    )
    credits_without_use_count: int | None = Field(
        default=None, description="How many these are, where there is no room to list them."
    )


class PlanRevenue(Answer):
    """What one plan's tenants are billed."""

    plan: str
    tenants: int
    amount: Amount
    percent: float | None = None


class TenantRevenue(Answer):
    """What one tenant is billed."""

    tenant_id: str
    plans: list[str]
    amount: Amount
    percent: float | None = None


class OtherRevenue(Answer):
    """All that is not listed."""

    rows: int
    amount: Amount


class FleetBill(Answer):
    """The fleet's bills, after credits. Plans and other_plans sum to total, and so do tenants and other_tenants."""

    plans: list[PlanRevenue]
    other_plans: OtherRevenue | None = None
    tenants: list[TenantRevenue] = Field(description="The largest.")
    other_tenants: OtherRevenue | None = None
    tenant_count: int
    nothing_committed_of: list[str] | None = Field(
        default=None, description="Datasets that prices need and some month has nothing of; counted as no use."
    )
    other_currencies: list[str] | None = Field(default=None, description="In which there is revenue too, not shown.")


class BillReport(Answer):
    """A bill, or the fleet's."""

    of: str = Field(description="The tenant, or `fleet`.")
    period: str
    status: Literal["closed", "incomplete", "running"] = Field(
        description="running: use so far; fees and minimums whole. incomplete: over, see nothing_committed_of."
    )
    currency: str
    total: Amount
    tenant: TenantBill | None = None
    fleet: FleetBill | None = None
    truncated: bool
    freshness: Freshness
    next: str = Field(description="What to call for more.")
