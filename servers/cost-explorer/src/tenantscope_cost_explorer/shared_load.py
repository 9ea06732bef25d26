"""Tenants that take more of what all share than they pay for, or take it in bursts."""

from decimal import Decimal

from tenantscope_cost_explorer.savings import (
    ZERO,
    Burst,
    Certainty,
    Effort,
    Evidence,
    Facts,
    Finding,
    Kind,
    TenantFacts,
    shared_by,
)

ABOVE_MIDDLE = 3
"""What a quota would allow: so many times a tenant's day in the middle."""
BURSTING = 4
"""How often the middle the busiest day must be, to be called a burst."""
LEAST_EXCESS = Decimal("0.05")
FAR_ABOVE = Decimal(2)
"""How often its share of revenue a tenant's share of shared cost must be."""
_TENTH = Decimal("0.1")


def noisy_shares(facts: Facts) -> list[Finding]:
    """What tenants take of shared cost beyond a quota, or beyond what their part of the revenue pays for."""
    bursts = {burst.tenant: burst for burst in facts.bursts}
    pool = sum((one.driver for one in facts.tenants.values() if one.driver > 0), ZERO)
    found: list[Finding] = []
    for one in facts.tenants.values():
        taken = min(one.driver, one.shared)
        if taken <= 0:
            continue
        burst = bursts.get(one.tenant)
        beyond = taken * burst.excess / burst.requests if burst is not None and burst.requests else ZERO
        unpaid = _unpaid(facts, one, taken, pool)
        if burst is not None and beyond >= LEAST_EXCESS * taken and beyond >= unpaid:
            found.append(_bursting(facts, one, burst, taken, beyond))
        elif unpaid > 0:
            found.append(_unpaid_share(facts, one, taken, pool, unpaid))
    return found


def _unpaid(facts: Facts, one: TenantFacts, taken: Decimal, pool: Decimal) -> Decimal:
    """Shared cost beyond the tenant's share of revenue, where it is far beyond."""
    if one.revenue is None or not facts.revenue or facts.revenue <= 0:
        return ZERO
    paid = pool * max(one.revenue, ZERO) / facts.revenue
    return taken - paid if taken >= FAR_ABOVE * paid else ZERO


def _bursting(facts: Facts, one: TenantFacts, burst: Burst, taken: Decimal, beyond: Decimal) -> Finding:
    times = (burst.peak / burst.middle).quantize(_TENTH)
    return Finding(
        kind=Kind.NOISY_SHARE,
        title=f"Its busiest day is {times} times its usual one; a quota of {ABOVE_MIDDLE} times would hold back "
        f"{burst.excess / burst.requests:.0%} of its requests",
        tenant=one.tenant,
        cost=taken,
        saving=beyond,
        low=ZERO,
        high=beyond,
        certainty=Certainty.RANK,
        effort=Effort.MEDIUM,
        why="A rate limit, or a price for bursts.",
        evidence=(
            Evidence("shared by its use", taken, facts.currency),
            Evidence("requests", burst.requests, "Requests"),
            Evidence("requests beyond the quota", burst.excess, "Requests"),
        ),
        claims={shared_by(one.tenant): beyond},
        then="find_noisy_neighbours (metrics-logs)",
    )


def _unpaid_share(facts: Facts, one: TenantFacts, taken: Decimal, pool: Decimal, unpaid: Decimal) -> Finding:
    revenue, all_revenue = one.revenue or ZERO, facts.revenue or Decimal(1)
    return Finding(
        kind=Kind.NOISY_SHARE,
        title=f"Takes {taken / pool:.1%} of what is shared by use and brings {max(revenue, ZERO) / all_revenue:.1%} of"
        " revenue",
        tenant=one.tenant,
        cost=taken,
        saving=unpaid,
        low=ZERO,
        high=unpaid,
        certainty=Certainty.RANK,
        effort=Effort.HIGH,
        why="A price by use, or a quota, to be agreed.",
        evidence=(
            Evidence("shared by its use", taken, facts.currency),
            Evidence("revenue", revenue, f"{facts.currency} of revenue"),
            Evidence("revenue of the fleet", all_revenue, f"{facts.currency} of revenue"),
        ),
        claims={shared_by(one.tenant): unpaid},
        earns=True,
        then="get_margins; simulate_prices (pricing)",
    )
