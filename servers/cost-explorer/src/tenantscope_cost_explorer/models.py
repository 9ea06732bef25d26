"""What the tools answer. Costs are EffectiveCost unless named otherwise, with their currency beside them."""

from datetime import datetime
from typing import Literal

from pydantic import Field
from tenantscope_core.results import answers
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.money import Amount


class Freshness(answers.Freshness):
    """How complete and final the numbers are."""

    may_be_restated: bool = Field(description="Whether the cloud may still change the bill of the period.")


class CostRow(Answer):
    """The cost of one service, feature, environment, charge category, day or month."""

    name: str = Field(description="(none) where charges do not say.")
    cost: Amount
    percent: float | None = Field(default=None, description="Share of the total.")
    before: Amount | None = Field(default=None, description="Cost in the period before.")
    change: Amount | None = Field(default=None, description="cost - before.")


class OtherCosts(Answer):
    """All that is not listed, so that rows and other sum to the total."""

    rows: int = Field(description="How many are in here.")
    cost: Amount
    before: Amount | None = None
    change: Amount | None = None


class MethodCost(Answer):
    """How sure the number is: what came to tenants in one way."""

    method: str = Field(
        description="direct: known to be the tenant's; driver: shared by measured use; proxy: shared by cost; "
        "even: shared equally; residual: nobody's."
    )
    cost: Amount
    percent: float | None = Field(default=None, description="Share of the total.")


class CurrencyCosts(Answer):
    """The costs in one currency."""

    currency: str
    total: Amount = Field(description="Sum of rows and other.")
    before: Amount | None = Field(default=None, description="Total in the period before, where it is committed.")
    change: Amount | None = Field(default=None, description="total - before.")
    change_percent: float | None = None
    rows: list[CostRow]
    other: OtherCosts | None = None
    row_count: int = Field(description="Rows there are, listed or not.")
    truncated: bool
    methods: list[MethodCost] = Field(description="The total by allocation method; empty where none is known.")


MetricName = Literal["EffectiveCost", "AmortizedCost", "NetAmortizedCost", "UnblendedCost", "NetUnblendedCost"]
"""FOCUS's name of what exports answer with, and AWS's own of what its API does."""


class ApiSource(Answer):
    """Where the numbers are from where there is no export, and what asking took."""

    source: Literal["AWS Cost Explorer"] = "AWS Cost Explorer"
    covers: str = Field(description="What of the bill is in the numbers.")
    estimated: bool = Field(description="Whether AWS still calls some of them estimates.")
    api_requests: int = Field(description="Requests made for this answer; 0 where all of it was kept from before.")
    api_cost_usd: Amount = Field(description="What AWS charges for these requests.")
    cached_at: datetime | None = Field(default=None, description="When what was kept from before was had from AWS.")


class CostReport(Answer):
    """Costs over a period."""

    of: str = Field(description="The tenant, or `fleet`, which includes the residual.")
    period: str
    compared_with: str | None = Field(default=None, description="The period before.")
    metric: MetricName = Field(
        default="EffectiveCost", description="EffectiveCost is FOCUS's: amortised, after discounts."
    )
    source: ApiSource | None = Field(default=None, description="There where numbers are not from an export.")
    group_by: str
    filters: dict[str, str] = Field(default={}, description="What the cost is narrowed to.")
    costs: list[CurrencyCosts] = Field(description="One entry a currency; currencies are never added up.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")


class TenantCost(Answer):
    """What one tenant costs."""

    rank: int
    tenant_id: str
    active: bool | None = Field(default=None, description="Whether it used anything; left out where unknown.")
    direct: Amount = Field(description="Charges that are its own.")
    shared: Amount = Field(description="Its part of shared charges.")
    of_inactive: Amount | None = Field(default=None, description="Of shared: inactive tenants' cost.")
    total: Amount = Field(description="direct + shared.")
    percent: float | None = Field(default=None, description="Share of the bill.")
    before: Amount | None = Field(default=None, description="Total in the period before.")
    change: Amount | None = Field(default=None, description="total - before.")


class OtherTenants(Answer):
    """The tenants that are not on this page."""

    tenants: int
    total: Amount
    before: Amount | None = None
    change: Amount | None = None


class TenantRanking(Answer):
    """Tenants by cost. rows + other + residual = bill."""

    period: str
    compared_with: str | None = Field(default=None, description="The period before.")
    metric: MetricName = "EffectiveCost"
    source: ApiSource | None = Field(default=None, description="There where numbers are not from an export.")
    currency: str
    other_currencies: list[str] = Field(default=[], description="Ask for these by `currency`.")
    bill: Amount = Field(description="The whole fleet's cost; invoices are of BilledCost.")
    residual: Amount = Field(description="What no rule gives to a tenant.")
    residual_percent: float | None = None
    order_by: str
    rows: list[TenantCost]
    other: OtherTenants | None = None
    tenant_count: int = Field(description="Tenants that match, listed or not.")
    active_tenants: int | None = Field(default=None, description="Tenants with cost and with use in the period.")
    inactive_tenants: int | None = Field(default=None, description="Tenants with cost and without use.")
    inactive_cost: Amount | None = Field(default=None, description="What they cost; left out where unknown.")
    inactive: str = Field(description="apart, or shared_among_active: divided by these in proportion to their cost.")
    truncated: bool
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")


class RuleCost(Answer):
    """What one rule consumed, in one currency."""

    rule: str = Field(description="(no rule): charges that none matched.")
    method: str
    currency: str
    charges: int = Field(description="Rows of the bill.")
    cost: Amount
    allocated: Amount = Field(description="Came to tenants.")
    residual: Amount = Field(description="Did not: no tenant, or no driver measured anything.")


class Coverage(Answer):
    """What came to tenants in one way, in one currency."""

    method: str
    currency: str
    cost: Amount
    percent: float | None = None


class InvoiceTie(Answer):
    """One invoice against what was made of it, in BilledCost."""

    invoice: str
    currency: str
    billed: Amount
    allocated: Amount
    residual: Amount
    difference: Amount = Field(description="billed - allocated - residual, before rounding; always 0.00.")


class ResidualService(Answer):
    """A service with cost that is nobody's."""

    service: str
    currency: str
    cost: Amount


class MetricTotal(Answer):
    """The bill by one of FOCUS's metrics, in one currency."""

    currency: str
    total: Amount
    residual: Amount


class AllocationReport(Answer):
    """How the bill of a period was allocated."""

    period: str
    effective_cost: list[MetricTotal] = Field(description="What rules and coverage add up to: amortised.")
    billed_cost: list[MetricTotal] = Field(description="What the invoices add up to: as charged.")
    rules_versions: list[str] = Field(description="Hash of the rules; several where they changed within the period.")
    charges: int = Field(description="Rows of the bill, each consumed once.")
    reconciles: bool = Field(description="Whether every invoice ties exactly.")
    rules: list[RuleCost] = Field(description="EffectiveCost by rule, in the order of the rules file.")
    coverage: list[Coverage] = Field(description="EffectiveCost by method.")
    invoices: list[InvoiceTie]
    invoice_count: int
    residual_services: list[ResidualService] = Field(description="Largest unallocated services.")
    truncated: bool = Field(description="Whether rules, invoices or services are more than are listed.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")


class SavingEvidence(Answer):
    """One figure of the whole period, as it stands in the datasets."""

    what: str
    value: Amount
    unit: str


class Saving(Answer):
    """Spend that can be saved. Amounts are a month's."""

    number: int
    kind: str
    title: str
    tenant_id: str | None = Field(default=None, description="Left out where it is not of one tenant.")
    service: str | None = None
    resource: str | None = Field(default=None, description="The dearest resource, commitment or payer; its end.")
    cost: Amount = Field(description="The spend behind it.")
    saving: Amount
    low: Amount
    high: Amount
    earns: bool | None = Field(default=None, description="true: earned by a price rather than saved.")
    certainty: str = Field(
        description="measured: by bill and use; assumed: with prices or hours that are stated; rank: where to look."
    )
    effort: Literal["low", "medium", "high"]
    why: str = Field(description="What makes the effort.")
    evidence: list[SavingEvidence]
    fleet_margin_points: float | None = Field(default=None, description="What it adds to the fleet's margin.")
    tenant_margin_percent: float | None = Field(default=None, description="The tenant's margin now.")
    tenant_margin_then: float | None = Field(default=None, description="With the saving.")
    overlaps: list[int] = Field(default=[], description="Numbers of findings on the same spend, the first five.")
    next: str


class OtherSavings(Answer):
    """The findings that are not listed."""

    findings: int
    saving: Amount


class SavingKind(Answer):
    """All findings of a kind, listed or not, and what they rest on; they sum to the gross."""

    kind: str
    findings: int
    saving: Amount
    note: str = Field(description="What low and high are, and what was not seen.")


class SavingsReport(Answer):
    """What can be saved, largest first. Amounts are a month's, evidence is of the whole period."""

    of: str = Field(description="The tenant, or `fleet`.")
    period: str
    currency: str
    other_currencies: list[str] = Field(default=[], description="Ask for these by `currency`.")
    bill: Amount = Field(description="The fleet's EffectiveCost.")
    findings: list[Saving]
    other: OtherSavings | None = None
    finding_count: int = Field(description="Findings there are, listed or not.")
    truncated: bool
    gross: Amount = Field(description="Sum of findings and other.")
    overlap: Amount = Field(description="What the gross counts twice.")
    net: Amount = Field(description="gross - overlap: what all of them save together.")
    net_percent: float | None = Field(default=None, description="Share of the bill.")
    fleet_margin_percent: float | None = None
    fleet_margin_then: float | None = Field(default=None, description="With the net saving, on today's revenue.")
    kinds: list[SavingKind]
    not_looked_at: list[str] = Field(description="What was left out, and why.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")
