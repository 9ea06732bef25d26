"""What savings are found in, and what a finding is: exact amounts of a whole period, in one currency."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
MOST_EVIDENCE = 3


class Kind(StrEnum):
    """What is wrong with the spend."""

    IDLE = "idle"
    OVER_PROVISIONED = "over_provisioned"
    TIER_MISMATCH = "tier_mismatch"
    COMMITMENT = "commitment"
    STORAGE_CLASS = "storage_class"
    NOISY_SHARE = "noisy_share"


class Certainty(StrEnum):
    """How sure a saving is."""

    MEASURED = "measured"
    """By bill and use alone."""
    ASSUMED = "assumed"
    """With prices or hours that are stated."""
    RANK = "rank"
    """Where to look first."""


class Effort(StrEnum):
    """How much work it takes."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Spend of the bill: one resource, or all that one tenant uses of one SKU, or what is not told singly."""

    kind: str
    service: str
    unit: str
    cost: Decimal
    quantity: Decimal
    on_demand: bool = True
    resource: str | None = None
    resource_type: str | None = None
    tenant: str | None = None
    method: str = "residual"
    environment: str | None = None
    payer: str | None = None
    account: str | None = None
    region: str | None = None
    description: str = ""
    days: int | None = None
    """Days with a charge; None where lines were added up."""
    weekend_days: int = 0
    weekend_cost: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySpend:
    """A day's spend of one payer on one service: `on_demand`, covered by a commitment (`used`), or `unused`."""

    kind: str
    day: date
    service: str
    unit: str
    payer: str | None
    region: str | None
    commitment: str | None
    cost: Decimal
    listed: Decimal

    @property
    def month(self) -> str:
        """The month it is of."""
        return f"{self.day:%Y-%m}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthOfUse:
    """A tenant's use in one month, and what its own capacity cost."""

    month: str
    requests: Decimal
    capacity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFacts:
    """A tenant's sums. What nobody knows is None."""

    tenant: str
    cost: Decimal = ZERO
    direct: Decimal = ZERO
    driver: Decimal = ZERO
    revenue: Decimal | None = None
    tier: str | None = None
    active: bool | None = None
    requests: Decimal | None = None
    served_gb: Decimal | None = None
    history: tuple[MonthOfUse, ...] = ()
    """Up to the period's last month, in order of time and without a gap."""

    @property
    def shared(self) -> Decimal:
        """Its part of cost that is not its own alone."""
        return self.cost - self.direct


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A tenant's requests by day: the day in the middle, the busiest, and what lies above so many times the middle."""

    tenant: str
    middle: Decimal
    peak: Decimal
    requests: Decimal
    excess: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of a period's spend in one currency."""

    currency: str
    months: tuple[str, ...]
    days: int
    weekend_days: int
    bill: Decimal
    revenue: Decimal | None = None
    running: bool = False
    """Whether days of it were still to come when it was committed."""
    lines: Sequence[Line] = ()
    day_spend: Sequence[DaySpend] = ()
    tenants: Mapping[str, TenantFacts] = field(default_factory=dict[str, TenantFacts])
    bursts: Sequence[Burst] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One figure; those in the currency sum to the finding's cost."""

    what: str
    value: Decimal
    unit: str


Spend = int | tuple[str | None, ...]
"""The place of a line in `Facts.lines`, or a name and what it is of, such as `("shared", tenant)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Spend that can be saved. `claims` says on what, and sums to `saving`; none is above the spend's own cost."""

    kind: Kind
    title: str
    cost: Decimal
    saving: Decimal
    low: Decimal
    high: Decimal
    certainty: Certainty
    effort: Effort
    why: str
    evidence: tuple[Evidence, ...]
    claims: Mapping[Spend, Decimal]
    tenant: str | None = None
    service: str | None = None
    resource: str | None = None
    earns: bool = False
    """Whether the money is earned by a price rather than saved."""
    then: str = "get_costs"


def shared_by(tenant: str) -> Spend:
    """A tenant's part of what all share."""
    return ("shared", tenant)


def own_of(tenant: str) -> Spend:
    """What is a tenant's own and stands in no line."""
    return ("own", tenant)


def shared_out(saving: Decimal, costs: Mapping[Spend, Decimal]) -> dict[Spend, Decimal]:
    """A saving on several kinds of spend together, by their cost; it sums exactly, and none is above its cost.

    `costs` are positive and sum to at least the saving.
    """
    total = sum(costs.values(), ZERO)
    if not total:
        return {}
    if saving >= total:
        return dict(costs)
    parts = {spend: saving * cost / total for spend, cost in costs.items()}
    largest = max(parts, key=lambda spend: costs[spend])
    parts[largest] += saving - sum(parts.values(), ZERO)
    return parts


def cost_evidence(costs: Iterable[tuple[str, Decimal]], currency: str, rows: int = MOST_EVIDENCE) -> list[Evidence]:
    """Costs by name, largest first, in so many rows that sum to the whole."""
    sums: dict[str, Decimal] = {}
    for name, cost in costs:
        sums[name] = sums.get(name, ZERO) + cost
    ordered = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) <= rows:
        return [Evidence(name, cost, currency) for name, cost in ordered]
    rest = ordered[rows - 1 :]
    shown = [Evidence(name, cost, currency) for name, cost in ordered[: rows - 1]]
    return [*shown, Evidence(f"{len(rest)} others", sum((cost for _, cost in rest), ZERO), currency)]


def tenants_lines(lines: Sequence[Line]) -> dict[str, list[int]]:
    """The places of the lines that are one tenant's own."""
    found: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        if line.tenant is not None and line.method == "direct" and line.cost > 0:
            found.setdefault(line.tenant, []).append(place)
    return found


def whole_cost(one: TenantFacts, facts: Facts, places: Sequence[int]) -> dict[Spend, Decimal]:
    """All the spend of a tenant: its lines, what else is its own, and its part of what is shared."""
    costs: dict[Spend, Decimal] = {place: facts.lines[place].cost for place in places}
    costs[own_of(one.tenant)] = one.direct - sum(costs.values(), ZERO)
    costs[shared_by(one.tenant)] = one.shared
    return {spend: cost for spend, cost in costs.items() if cost > 0}
