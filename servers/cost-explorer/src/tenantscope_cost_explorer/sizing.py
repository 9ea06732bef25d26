"""Capacity that does not follow use: of a tenant far above its peers, or unchanged while its use falls.

It is a rank and no proof: what instances have to do beside answering requests, their CPU and their memory, the bill
does not tell.
"""

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

from tenantscope_cost_explorer.robust import MOST_ORDINARY, Spread
from tenantscope_cost_explorer.saving_assumptions import ONE_SIZE_DOWN
from tenantscope_cost_explorer.savings import (
    ZERO,
    Certainty,
    Effort,
    Evidence,
    Facts,
    Finding,
    Kind,
    Spend,
    TenantFacts,
    shared_out,
    tenants_lines,
)

FEWEST_PEERS = 5
TWICE = 2
FALLING_MONTHS = 3
FALLEN_TO, FLAT_ABOVE = Decimal("0.6"), Decimal("0.9")


def over_provisioned(facts: Facts) -> list[Finding]:
    """Tenants whose own capacity costs far more a request than their peers', or stayed while use fell."""
    capacity: dict[str, dict[Spend, Decimal]] = {
        tenant: {place: facts.lines[place].cost for place in places if facts.lines[place].kind == "capacity"}
        for tenant, places in tenants_lines(facts.lines).items()
    }
    each: dict[str, Decimal] = {}
    groups: dict[str | None, list[str]] = defaultdict(list)
    for tenant, costs in capacity.items():
        one = facts.tenants.get(tenant)
        if costs and one is not None and one.active and one.requests:
            each[tenant] = sum(costs.values(), ZERO) / one.requests
            groups[one.tier].append(tenant)
    found: list[Finding] = []
    for tier, tenants in groups.items():
        spread = Spread.of([each[tenant] for tenant in tenants])
        for tenant in tenants:
            one, costs, own = facts.tenants[tenant], capacity[tenant], each[tenant]
            left = _left_of_use(one)
            stands_out = len(tenants) > FEWEST_PEERS and own >= TWICE * spread.middle
            if stands_out and spread.score(own) > MOST_ORDINARY:
                found.append(_above_peers(facts, one, costs, own, spread.middle, tier))
            elif left is not None:
                found.append(_falling(facts, one, costs, left))
    return found


def _above_peers(
    facts: Facts, one: TenantFacts, costs: dict[Spend, Decimal], own: Decimal, peers: Decimal, tier: str | None
) -> Finding:
    total = sum(costs.values(), ZERO)
    to_peers = total * (1 - peers / own)
    times = (own / peers).quantize(Decimal("0.1"))
    of = f"of tier {tier}" if tier else "with capacity of their own"
    return _finding(
        facts,
        one,
        costs,
        title=f"Its capacity costs {times} times as much a request as the median of tenants {of}",
        saving=min(total * ONE_SIZE_DOWN, to_peers),
        high=to_peers,
        evidence=(
            Evidence("capacity of its own", total, facts.currency),
            Evidence("capacity a thousand requests", own * 1000, f"{facts.currency} per 1,000 requests"),
            Evidence("median of its peers", peers * 1000, f"{facts.currency} per 1,000 requests"),
        ),
    )


def _falling(facts: Facts, one: TenantFacts, costs: dict[Spend, Decimal], left: Decimal) -> Finding:
    total = sum(costs.values(), ZERO)
    first, last = one.history[-FALLING_MONTHS], one.history[-1]
    to_use = total * (1 - left)
    return _finding(
        facts,
        one,
        costs,
        title=f"Its use fell {FALLING_MONTHS} months running, its capacity stayed",
        saving=min(total * ONE_SIZE_DOWN, to_use),
        high=to_use,
        evidence=(
            Evidence("capacity of its own", total, facts.currency),
            Evidence(f"requests in {first.month}", first.requests, "Requests"),
            Evidence(f"requests in {last.month}", last.requests, "Requests"),
        ),
    )


def _finding(
    facts: Facts,
    one: TenantFacts,
    costs: dict[Spend, Decimal],
    *,
    title: str,
    saving: Decimal,
    high: Decimal,
    evidence: tuple[Evidence, ...],
) -> Finding:
    largest = max((facts.lines[place] for place in costs if isinstance(place, int)), key=lambda line: line.cost)
    return Finding(
        kind=Kind.OVER_PROVISIONED,
        title=title,
        tenant=one.tenant,
        service=largest.service,
        resource=largest.resource,
        cost=sum(costs.values(), ZERO),
        saving=saving,
        low=ZERO,
        high=max(saving, high),
        certainty=Certainty.RANK,
        effort=Effort.MEDIUM,
        why="Look at CPU and memory first; one size down needs a restart in a quiet hour.",
        evidence=evidence,
        claims=shared_out(saving, costs),
        then="get_costs with this tenant_id and group_by=month",
    )


def _left_of_use(one: TenantFacts) -> Decimal | None:
    """What is left of a use that fell month by month while capacity stayed; None where that is not so."""
    months = one.history[-FALLING_MONTHS:]
    if len(months) < FALLING_MONTHS or not months[0].requests or not months[0].capacity:
        return None
    falls = all(after.requests < before.requests for before, after in pairwise(months))
    left = months[-1].requests / months[0].requests
    flat = months[-1].capacity >= FLAT_ABOVE * months[0].capacity
    return left if falls and flat and left <= FALLEN_TO else None
