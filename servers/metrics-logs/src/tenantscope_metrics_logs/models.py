"""What the tools answer. Times are milliseconds, sizes bytes, days UTC."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer, Freshness
from tenantscope_core.results.periods import FORMS

PeriodText = Annotated[str, Field(description=f"{FORMS}.", max_length=40)]
State = Literal["fading", "dormant", "unclear", "returning", "new", "active"]


class Figures(Answer):
    """What was used, and how it went. Left out: what was not measured."""

    requests: int | None = None
    errors: int | None = Field(default=None, description="Failed on our side (5xx).")
    error_percent: float | None = Field(default=None, description="Share of requests, in per cent.")
    client_errors: int | None = Field(default=None, description="Refused for the caller's sake (4xx but 429).")
    throttled: int | None = Field(default=None, description="Refused for coming too fast (429).")
    users: int | None = Field(default=None, description="Different people on the day, or in the whole month.")
    users_busiest_day: int | None = Field(default=None, description="Different people on the day with the most.")
    users_mean_day: float | None = Field(default=None, description="Different people a day, mean of days with any.")
    mean_ms: float | None = Field(default=None, description="Mean time of a request; exact.")
    p50_ms: float | None = Field(default=None, description="See how.latency.")
    p95_ms: float | None = Field(default=None, description="See how.latency.")
    p95_ms_worst: float | None = Field(default=None, description="See how.latency.")
    bytes: int | None = None
    tokens_in: int | None = Field(default=None, description="Of language models, as are the others.")
    tokens_out: int | None = None
    tokens_cached: int | None = None
    model_requests: int | None = None
    tenants: int | None = Field(default=None, description="Tenants with any request.")


class _Named(Answer):
    name: str


class UsageRow(Figures, _Named):
    """The figures of one hour, day or month."""


class _Counted(Answer):
    rows: int = Field(description="How many are in here.")


class OtherUsage(Figures, _Counted):
    """The hours, days or months that are not listed, so that what adds up adds up to the total."""


class FurtherMetric(Answer):
    """A metric of the dataset that is none of the figures."""

    metric: str
    unit: str
    quantity: float = Field(description="Sum over the period.")
    before: float | None = Field(default=None, description="Sum over the period before.")


class Method(Answer):
    """How figures were made that cannot be added up."""

    users: str
    latency: str


class UsageReport(Answer):
    """Usage over a period."""

    of: str = Field(description="The tenant, or `fleet`.")
    period: str
    compared_with: str | None = Field(default=None, description="The period before.")
    source: Literal["rollup", "cloudwatch"]
    group_by: str
    total: Figures = Field(description="The whole period.")
    before: Figures | None = Field(default=None, description="The whole period before.")
    requests_change_percent: float | None = Field(default=None, description="Of requests a day so far, against before.")
    rows: list[UsageRow] = Field(default=[], description="In order of time; one without a request is left out.")
    other: OtherUsage | None = None
    row_count: int = Field(description="Rows there are, listed or not.")
    truncated: bool
    further: list[FurtherMetric] = Field(default=[], description="Other metrics, the first ten by name.")
    further_count: int = Field(default=0, description="Other metrics there are.")
    how: Method
    tokens_missing_months: list[str] = Field(default=[], description="Months without committed llm_usage.")
    freshness: Freshness | None = Field(default=None, description="Of the rollup.")
    next: str = Field(description="What to call for more.")


class FeatureRow(Answer):
    """The use of one feature or action."""

    name: str
    calls: int
    percent: float | None = Field(default=None, description="Share of all calls.")
    errors: int = Field(description="Calls that failed on our side (5xx).")
    error_percent: float | None = None
    users_at_least: int | None = Field(default=None, description="Different people in one action on its busiest day.")
    p95_ms: float | None = Field(default=None, description="Call-weighted median of days' p95.")
    p95_ms_worst: float | None = Field(default=None, description="Highest p95 of a day.")
    days_used: float = Field(description="Days with a call; of the fleet, the mean of its tenants.")
    tenants: int | None = Field(default=None, description="Tenants that used it.")
    adoption_percent: float | None = Field(default=None, description="Tenants that used it, of active_tenants.")
    tenants_before: int | None = None
    before: int | None = Field(default=None, description="Calls in the period before.")
    change_percent: float | None = Field(default=None, description="Of calls a day so far, against before.")


class OtherFeatures(Answer):
    """What is not listed, so that rows and other sum to the total."""

    rows: int = Field(description="How many are in here.")
    calls: int
    errors: int
    before: int | None = None


class FadingTenant(Answer):
    """A tenant that uses the feature much less than in the period before."""

    tenant_id: str
    calls: int
    before: int
    change_percent: float


class FadingTenants(Answer):
    """Tenants that fade within the feature, the largest loss first."""

    rule: str
    tenants: list[FadingTenant]
    count: int = Field(description="How many there are, listed or not.")


class FeatureReport(Answer):
    """Which features are used, and how."""

    of: str = Field(description="The tenant, or `fleet`.")
    period: str
    days: int = Field(description="Days of the period up to the last rollup.")
    compared_with: str | None = Field(default=None, description="The period before.")
    group_by: Literal["feature", "action"]
    feature: str | None = Field(default=None, description="The feature whose actions these are.")
    calls: int = Field(description="Sum of rows and other.")
    errors: int
    before: int | None = Field(default=None, description="Calls in the period before.")
    change_percent: float | None = Field(default=None, description="Of calls a day so far, against before.")
    active_tenants: int | None = Field(default=None, description="Tenants with a call of any feature.")
    rows: list[FeatureRow] = Field(description="Most calls first.")
    other: OtherFeatures | None = None
    row_count: int = Field(description="Rows there are, listed or not.")
    truncated: bool
    fading: FadingTenants | None = None
    freshness: Freshness
    next: str = Field(description="What to call for more.")


class TenantActivity(Answer):
    """How one tenant stands, and the rule that says so."""

    tenant_id: str
    state: State
    rule: str = Field(description="Why it is in this state, with the numbers.")
    weekly_requests: float = Field(description="Median of its last four weeks.")
    usual_weekly_requests: float | None = Field(default=None, description="Median of the eight weeks before those.")
    last_request: date = Field(description="Last day with a request.")


class StateCount(Answer):
    """How many tenants are in a state."""

    state: State
    tenants: int
    means: str = Field(description="The rule of this state.")


class ActivityPage(Answer):
    """Tenants by activity, the most worrying first."""

    as_of: date = Field(description="The day that is judged from.")
    known_from: date = Field(description="First day looked at; who was last seen before is not listed.")
    tenants: int = Field(description="All tenants with a request since then; tenants never seen are not among them.")
    states: list[StateCount] = Field(description="Sums to tenants.")
    state: State | None = Field(default=None, description="The filter.")
    rows: list[TenantActivity]
    row_count: int = Field(description="Tenants that match, listed or not.")
    truncated: bool
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")
    freshness: Freshness
    next: str = Field(description="What to call for more.")
