"""Commitments: what is unused of those there are, and the steady use on demand that a new one would cover.

Savings Plans and reservations are paid by the hour, used or not. A bill tells days, so an hour's peaks and gaps are not
seen; the steady base is the day that nine in ten of each month looked at reach, of the lowest of those months.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from tenantscope_cost_explorer.robust import low_percentile
from tenantscope_cost_explorer.saving_assumptions import LESS_USE, Plan, plan_for
from tenantscope_cost_explorer.savings import (
    ZERO,
    Certainty,
    DaySpend,
    Effort,
    Evidence,
    Facts,
    Finding,
    Kind,
    Spend,
    cost_evidence,
    shared_out,
)

REACHED_BY_ALL_BUT = 10
"""Per cent of a month's days that may lie below the steady base."""
_HOURS = Decimal(24)
_SPEND_BASED = "savingsplan"
Service = tuple[str | None, str, str]
"""Payer, service, unit."""


@dataclass(slots=True)
class _OnDemand:
    """What is still on demand, by service and day, and by region within a day."""

    left: dict[Service, dict[date, dict[str | None, Decimal]]] = field(
        default_factory=dict[Service, dict[date, dict[str | None, Decimal]]]
    )

    def add(self, one: DaySpend) -> None:
        regions = self.left.setdefault((one.payer, one.service, one.unit), {}).setdefault(one.day, {})
        regions[one.region] = regions.get(one.region, ZERO) + one.cost

    def on(self, service: Service, day: date) -> Decimal:
        return sum((cost for cost in self.left.get(service, {}).get(day, {}).values() if cost > 0), ZERO)

    def take(self, service: Service, day: date, regions: set[str | None] | None, most: Decimal) -> Decimal:
        """Cover up to `most` of a day's use in these regions (None: in any); what was covered."""
        taken = ZERO
        there = self.left.get(service, {}).get(day, {})
        for region in sorted(there, key=str):
            if regions is None or region in regions:
                part = max(min(there[region], most - taken), ZERO)
                there[region] -= part
                taken += part
        return taken


def commitments(facts: Facts) -> list[Finding]:
    """Unused commitments beside use that they could cover, and commitments worth making for what is left after that."""
    on_demand = _OnDemand()
    of_commitments: dict[str, list[DaySpend]] = defaultdict(list)
    for one in facts.day_spend:
        if one.kind == "on_demand":
            on_demand.add(one)
        elif one.commitment is not None:
            of_commitments[one.commitment].append(one)
    calendar, spends = _calendar(facts), spend_on_demand(facts)
    found: list[Finding] = []
    for commitment, own in sorted(of_commitments.items()):
        found += _unused(
            facts, commitment, [one for one in own if one.month in facts.months], on_demand, calendar, spends
        )
    return found + _worthwhile(facts, on_demand, _covered(of_commitments), calendar, spends)


def unused_of(commitment: str) -> Spend:
    """What was paid for a commitment and covered nothing."""
    return ("unused", commitment)


def _unused(
    facts: Facts,
    commitment: str,
    own: Sequence[DaySpend],
    on_demand: _OnDemand,
    calendar: Mapping[str, Sequence[date]],
    spends: Mapping[Service, Mapping[Spend, Decimal]],
) -> list[Finding]:
    unused: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for one in own:
        if one.kind == "unused":
            unused[one.day] += one.cost
    used = [one for one in own if one.kind == "used"]
    paid, listed = _sum(one.cost for one in used), _sum(one.listed for one in used)
    loss = _sum(unused.values())
    if loss <= 0:
        return []
    rate = paid / listed if 0 < paid < listed else None
    services = sorted({(one.payer, one.service, one.unit) for one in used}, key=str)
    regions = None if _SPEND_BASED in commitment.lower() else {one.region for one in used}
    days = [day for month in facts.months for day in calendar.get(month, ())]
    beside = _sum(on_demand.on(service, day) for service in services for day in days)
    covered, left = ZERO, dict(unused)
    for day, amount in unused.items() if rate is not None else ():
        for service in services:
            taken = on_demand.take(service, day, regions, left[day] / rate) if rate and left[day] > 0 else ZERO
            covered += taken
            left[day] -= taken * (rate or ZERO)
        left[day] = max(left[day], ZERO) if amount > 0 else amount
    spend = Evidence("unused", loss, f"{facts.currency} of commitment")
    use = Evidence("used", paid / (paid + loss) * 100, "percent")
    found: list[Finding] = []
    costs = {spend: cost for service in services for spend, cost in spends.get(service, {}).items()}
    if covered := min(covered, _sum(costs.values())):
        found.append(
            Finding(
                kind=Kind.COMMITMENT,
                title="A commitment is partly unused while what it covers is also paid on demand",
                service=services[0][1],
                resource=commitment,
                cost=beside,
                saving=covered,
                low=ZERO,
                high=covered,
                certainty=Certainty.MEASURED,
                effort=Effort.LOW,
                why="Share commitments among the payer's accounts; peaks within a day may stand in its way.",
                evidence=(Evidence("on demand beside it", beside, facts.currency), spend, use),
                claims=shared_out(covered, costs),
                then="get_costs with group_by=day",
            )
        )
    rest = _sum(one for one in left.values() if one > 0)
    steady = low_percentile([left.get(day, ZERO) for day in days], REACHED_BY_ALL_BUT) * facts.days
    if (saving := min(steady, rest)) > 0:
        found.append(
            Finding(
                kind=Kind.COMMITMENT,
                title="A commitment is larger than all the use that it can cover",
                service=services[0][1] if services else None,
                resource=commitment,
                cost=loss,
                saving=saving,
                low=ZERO,
                high=rest,
                certainty=Certainty.MEASURED,
                effort=Effort.LOW,
                why="It is paid until it ends: renew it smaller, or sell what is left of it.",
                evidence=(
                    Evidence("unused", loss, facts.currency),
                    Evidence("of it, could cover nothing", rest, f"{facts.currency} of commitment"),
                    use,
                ),
                claims={unused_of(commitment): saving},
                then="get_costs with charge_category=Usage, group_by=day",
            )
        )
    return found


def _worthwhile(
    facts: Facts,
    on_demand: _OnDemand,
    covered: Mapping[Service, "_Covered"],
    calendar: Mapping[str, Sequence[date]],
    spends: Mapping[Service, Mapping[Spend, Decimal]],
) -> list[Finding]:
    plans: dict[tuple[str | None, str], list[tuple[Service, Plan]]] = defaultdict(list)
    for service in sorted(on_demand.left, key=str):
        plan = plan_for(service[1], service[2])
        if plan is not None:
            plans[service[0], plan.name].append((service, plan))
    found: list[Finding] = []
    for (payer, name), services in plans.items():
        base: dict[Service, Decimal] = {}
        saving, low, high, committed = ZERO, ZERO, ZERO, ZERO
        claims: dict[Spend, Decimal] = {}
        for service, plan in services:
            costs = spends.get(service, {})
            steady = min(
                low_percentile([on_demand.on(service, day) for day in days], REACHED_BY_ALL_BUT)
                for days in calendar.values()
            )
            discount = covered[service].discount or plan.discount
            whole = steady * facts.days
            part = min(whole * discount, _sum(costs.values()))
            if part <= 0:
                continue
            base[service] = whole
            saving += part
            low += max(min(whole * (discount - LESS_USE), part), ZERO)
            high += max(min(whole * max(plan.most, discount), _sum(costs.values())), part)
            committed += steady * (1 - discount) / _HOURS
            claims |= shared_out(part, costs)
        if not base:
            continue
        total = _sum(base.values())
        found.append(
            Finding(
                kind=Kind.COMMITMENT,
                title=f"{name} for a year: commit {committed:.3f} {facts.currency} an hour;"
                f" {_coverage(facts, base, covered, spends):.0%} covered now; it pays while {1 - saving / total:.0%} of"
                " the steady use stays",
                service=max(base, key=lambda service: (base[service], service[1]))[1],
                resource=payer,
                cost=total,
                saving=saving,
                low=low,
                high=high,
                certainty=Certainty.ASSUMED,
                effort=Effort.LOW,
                why="Bought for a year: do what else saves first.",
                evidence=tuple(
                    cost_evidence(
                        ((f"{service[1]}, {service[2]}", amount) for service, amount in base.items()), facts.currency
                    )
                ),
                claims=claims,
                then="get_costs with group_by=day; forecast_costs",
            )
        )
    return found


def on_demand_of(service: Service) -> Spend:
    """What a payer pays on demand for a service and stands in no line."""
    return ("on_demand", *service)


def spend_on_demand(facts: Facts) -> dict[Service, dict[Spend, Decimal]]:
    """The period's spend on demand by service: the lines that are told, and all else of it."""
    totals: dict[Service, Decimal] = defaultdict(lambda: ZERO)
    for one in facts.day_spend:
        if one.kind == "on_demand" and one.month in facts.months:
            totals[one.payer, one.service, one.unit] += one.cost
    found: dict[Service, dict[Spend, Decimal]] = {service: {} for service in totals}
    for place, line in enumerate(facts.lines):
        costs = found.get((line.payer, line.service, line.unit))
        if costs is not None and line.kind == "capacity" and line.on_demand and line.cost > 0:
            costs[place] = line.cost
    for service, costs in found.items():
        rest = totals[service] - _sum(costs.values())
        if rest > 0:
            costs[on_demand_of(service)] = rest
    return found


@dataclass(slots=True)
class _Covered:
    """What commitments cover of a service, at list price, and what Savings Plans among them are paid for it."""

    listed: dict[str, Decimal] = field(default_factory=lambda: defaultdict[str, Decimal](lambda: ZERO))
    plans: Decimal = ZERO
    plans_listed: Decimal = ZERO

    @property
    def discount(self) -> Decimal | None:
        """What the payer's own Savings Plans save on it; None where none covers it."""
        return 1 - self.plans / self.plans_listed if 0 < self.plans < self.plans_listed else None


def _covered(of_commitments: Mapping[str, Sequence[DaySpend]]) -> Mapping[Service, _Covered]:
    found: dict[Service, _Covered] = defaultdict(_Covered)
    for commitment, own in of_commitments.items():
        for one in own:
            if one.kind == "used":
                covered = found[one.payer, one.service, one.unit]
                covered.listed[one.month] += one.listed
                if _SPEND_BASED in commitment.lower():
                    covered.plans += one.cost
                    covered.plans_listed += one.listed
    return found


def _coverage(
    facts: Facts,
    services: Iterable[Service],
    covered: Mapping[Service, _Covered],
    spends: Mapping[Service, Mapping[Spend, Decimal]],
) -> Decimal:
    """The part of the period's use of these services, at list price, that commitments cover."""
    at_list, on_demand = ZERO, ZERO
    for service in services:
        at_list += _sum(covered[service].listed[month] for month in facts.months)
        on_demand += _sum(spends.get(service, {}).values())
    return at_list / (at_list + on_demand)


def _calendar(facts: Facts) -> dict[str, list[date]]:
    """By month its days, up to the last that the bill speaks of."""
    last: dict[str, date] = {}
    for one in facts.day_spend:
        last[one.month] = max(one.day, last.get(one.month, one.day))
    return {month: [day.replace(day=n) for n in range(1, day.day + 1)] for month, day in last.items()}


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
