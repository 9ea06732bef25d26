"""Findings together: in order, linked where they are about the same spend, and summed without counting it twice.

Two savings on the same spend follow one another: what the second saves, it saves of what the first leaves. So the part
that is left of a spend is the product of the parts that each leaves, whatever their order, and the net saving is what
is not left. Two prices for one spend are one price, the higher. Spend that all share and the tenants' parts of it are
the same money: what holds of two savings holds of the two.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_cost_explorer.commitments import commitments, spend_on_demand, unused_of
from tenantscope_cost_explorer.idle import always_on, left_behind, said_idle
from tenantscope_cost_explorer.savings import ZERO, Facts, Finding, Kind, Spend, own_of, shared_by, tenants_lines
from tenantscope_cost_explorer.shared_load import noisy_shares
from tenantscope_cost_explorer.sizing import over_provisioned
from tenantscope_cost_explorer.storage_classes import storage_classes
from tenantscope_cost_explorer.tiers import tier_mismatches

FINDERS = {
    Kind.IDLE: (left_behind, always_on, said_idle),
    Kind.OVER_PROVISIONED: (over_provisioned,),
    Kind.TIER_MISMATCH: (tier_mismatches,),
    Kind.COMMITMENT: (commitments,),
    Kind.STORAGE_CLASS: (storage_classes,),
    Kind.NOISY_SHARE: (noisy_shares,),
}


@dataclass(frozen=True, slots=True)
class Found:
    """The findings that were asked for, largest saving first, and what they save together."""

    findings: list[Finding]
    gross: Decimal
    net: Decimal

    def overlapping(self, shown: int) -> list[list[int]]:
        """Of each of the first findings, the places of all that claim the same spend."""
        claimed: dict[Spend, list[int]] = defaultdict(list)
        for place, one in enumerate(self.findings):
            for spend in one.claims:
                claimed[spend].append(place)
        return [
            sorted({other for spend in one.claims for other in claimed[spend]} - {place})
            for place, one in enumerate(self.findings[:shown])
        ]


def find(facts: Facts, kinds: Sequence[Kind], *, tenant: str | None, least: Decimal) -> Found:
    """The findings of these kinds that save at least so much, of one tenant where it is named."""
    findings = [one for kind in kinds for finder in FINDERS[kind] for one in finder(facts)]
    kept = [one for one in findings if one.saving > 0 and one.saving >= least and tenant in (None, one.tenant)]
    kept.sort(key=lambda one: (-one.saving, one.kind, one.tenant or "", one.resource or "", one.title))
    return Found(kept, sum((one.saving for one in kept), ZERO), net_saving(facts, kept))


def net_saving(facts: Facts, findings: Sequence[Finding]) -> Decimal:
    """What the findings save together, each spend being saved at most once."""
    saved: dict[Spend, list[Decimal]] = defaultdict(list)
    earned: dict[Spend, Decimal] = {}
    for one in findings:
        for spend, saving in one.claims.items():
            if one.earns:
                earned[spend] = max(saving, earned.get(spend, ZERO))
            else:
                saved[spend].append(saving)
    costs = _costs(facts)
    of_all, of_tenants, rest = ZERO, ZERO, ZERO
    for spend in {**saved, **earned}:
        net = _together(costs[spend], [*saved[spend], *([earned[spend]] if spend in earned else [])])
        name = "line" if isinstance(spend, int) else spend[0]
        shared = isinstance(spend, int) and facts.lines[spend].method not in ("direct", "residual")
        if name == "shared":
            of_tenants += net
        elif shared or name == "on_demand":
            of_all += net
        else:
            rest += net
    carried = sum((one.shared for one in facts.tenants.values() if one.shared > 0), ZERO)
    pool = max(carried, of_all, of_tenants)
    return rest + (_together(pool, [of_all, of_tenants]) if of_all and of_tenants else of_all + of_tenants)


def _together(cost: Decimal, savings: Sequence[Decimal]) -> Decimal:
    """What several savings on one cost come to; a single one is itself."""
    if len(savings) == 1:
        return savings[0]
    if cost <= 0:
        return max(savings)
    left = Decimal(1)
    for saving in savings:
        left *= 1 - min(saving, cost) / cost
    return cost * (1 - left)


def _costs(facts: Facts) -> dict[Spend, Decimal]:
    costs: dict[Spend, Decimal] = {place: line.cost for place, line in enumerate(facts.lines)}
    own = tenants_lines(facts.lines)
    for tenant, one in facts.tenants.items():
        costs[shared_by(tenant)] = one.shared
        costs[own_of(tenant)] = one.direct - sum((facts.lines[place].cost for place in own.get(tenant, ())), ZERO)
    for service in spend_on_demand(facts).values():
        costs |= service
    for one in facts.day_spend:
        if one.kind == "unused" and one.commitment and one.month in facts.months:
            spend = unused_of(one.commitment)
            costs[spend] = costs.get(spend, ZERO) + one.cost
    return costs
