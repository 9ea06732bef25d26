"""What `suggest_savings` answers. Costs are EffectiveCost, in the currency that stands beside them."""

from typing import Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.money import Amount

from tenantscope_cost_explorer.models import Freshness


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
