"""Tenants whose tier earns less than they cost: far above the others of it in what they cost."""

from collections import defaultdict
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


def tier_mismatches(facts: Facts) -> list[Finding]:
    """Tenants that lose money on a tier whose others earn some; they can break even, move up, or keep to its quotas."""
    earning: dict[str, list[TenantFacts]] = defaultdict(list)
    for one in facts.tenants.values():
        if one.tier is not None and one.revenue is not None and 0 < one.cost <= one.revenue:
            earning[one.tier].append(one)
    normal = {tier: ones for tier, ones in earning.items() if len(ones) >= FEWEST_OTHERS}
    lines = tenants_lines(facts.lines)
    found: list[Finding] = []
    for one in facts.tenants.values():
        if one.tier is None or one.revenue is None or one.tier not in normal or one.cost <= max(one.revenue, ZERO):
            continue
        usual = median([other.cost for other in normal[one.tier]])
        if one.cost < FAR_ABOVE * usual:
            continue
        found.append(_finding(facts, one, usual, normal, lines.get(one.tenant, [])))
    return found


def _finding(
    facts: Facts, one: TenantFacts, usual: Decimal, normal: dict[str, list[TenantFacts]], places: list[int]
) -> Finding:
    revenue = one.revenue if one.revenue is not None else ZERO
    gap = min(one.cost - revenue, one.cost)
    dearest = max(other.cost for other in normal[str(one.tier)])
    fits = min(normal, key=lambda tier: _distance(one.cost, median([other.cost for other in normal[tier]])))
    price = median([other.revenue for other in normal[fits] if other.revenue is not None])
    ways = [way for way in (gap, price - revenue, one.cost - dearest) if way > 0]
    target = f"tier {fits} fits its cost" if fits != one.tier else "no other tier fits better; its price or quota does"
    times = (one.cost / usual).quantize(Decimal("0.1"))
    return Finding(
        kind=Kind.TIER_MISMATCH,
        title=f"Loses money on tier {one.tier} at {times} times the median cost there; {target}",
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
            Evidence(f"median revenue of tier {fits}", price, f"{facts.currency} of revenue"),
        ),
        claims=shared_out(gap, whole_cost(one, facts, places)),
        earns=True,
        then="get_margins; simulate_prices (pricing)",
    )


def _distance(cost: Decimal, usual: Decimal) -> Decimal:
    """How far two positive costs are apart, as a ratio of at least one."""
    return max(cost, usual) / min(cost, usual)
