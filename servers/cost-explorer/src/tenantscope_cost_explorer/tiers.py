"""Tenants whose tier earns less than they cost: far above the others of it in what they cost."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_cost_explorer.robust import median
from tenantscope_cost_explorer.savings import (
    ZERO,
    Certainty,
    Effort,
    Evidence,
    Facts,
    Finding,
    Kind,
    TenantFacts,
    shared_out,
    tenants_lines,
    whole_cost,
)

FEWEST_OTHERS = 3
FAR_ABOVE = Decimal("1.5")


@dataclass(frozen=True, slots=True)
class Tier:
    """What the tenants of a tier cost and bring that earn money: the medians, and the highest cost."""

    name: str
    cost: Decimal
    dearest: Decimal
    price: Decimal


def tier_mismatches(facts: Facts) -> list[Finding]:
    """Tenants that lose money on a tier whose others earn some; they can break even, move up, or keep to its quotas."""
    tiers = earning_tiers(facts)
    lines = tenants_lines(facts.lines)
    found: list[Finding] = []
    for one in facts.tenants.values():
        tier = tiers.get(one.tier or "")
        if tier is None or one.revenue is None or one.cost <= max(one.revenue, ZERO):
            continue
        if one.cost >= FAR_ABOVE * tier.cost:
            found.append(_finding(facts, one, one.revenue, tier, list(tiers.values()), lines.get(one.tenant, [])))
    return found


def earning_tiers(facts: Facts) -> dict[str, Tier]:
    """The tiers on which enough tenants earn money to say what is usual."""
    earning: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for one in facts.tenants.values():
        if one.tier and one.revenue is not None and 0 < one.cost <= one.revenue:
            earning[one.tier].append((one.cost, one.revenue))
    return {
        name: Tier(
            name,
            cost=median([cost for cost, _ in ones]),
            dearest=max(cost for cost, _ in ones),
            price=median([revenue for _, revenue in ones]),
        )
        for name, ones in sorted(earning.items())
        if len(ones) >= FEWEST_OTHERS
    }


def _finding(
    facts: Facts, one: TenantFacts, revenue: Decimal, tier: Tier, tiers: Sequence[Tier], places: Sequence[int]
) -> Finding:
    gap = min(one.cost - revenue, one.cost)
    fits = min(tiers, key=lambda other: max(one.cost, other.cost) / min(one.cost, other.cost))
    ways = [way for way in (gap, fits.price - revenue, one.cost - tier.dearest) if way > 0]
    target = f"tier {fits.name} fits its cost" if fits != tier else "no other fits better; a price or quota does"
    times = (one.cost / tier.cost).quantize(Decimal("0.1"))
    return Finding(
        kind=Kind.TIER_MISMATCH,
        title=f"Loses money on tier {tier.name} at {times} times the median cost there; {target}",
        tenant=one.tenant,
        cost=one.cost,
        saving=gap,
        low=min(ways),
        high=min(max(ways), one.cost),
        certainty=Certainty.MEASURED,
        effort=Effort.HIGH,
        why="A new price or quota, to be agreed.",
        evidence=(
            Evidence("cost", one.cost, facts.currency),
            Evidence("revenue", revenue, f"{facts.currency} of revenue"),
            Evidence(f"median revenue of tier {fits.name}", fits.price, f"{facts.currency} of revenue"),
        ),
        claims=shared_out(gap, whole_cost(one, facts, places)),
        earns=True,
        then="get_margins; simulate_prices (pricing)",
    )
