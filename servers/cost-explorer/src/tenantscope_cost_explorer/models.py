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
