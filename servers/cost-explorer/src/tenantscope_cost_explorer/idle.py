"""Spend that nobody uses: what tenants left behind, what runs at night for nobody, what the bill itself calls idle."""

from collections import defaultdict
from decimal import Decimal

from tenantscope_cost_explorer.saving_assumptions import (
    HOURS_A_WEEK,
    INFREQUENT_PRICE,
    NOT_PRODUCTION,
    SAID_IDLE,
    STOPPABLE,
    WORKING_HOURS,
)
from tenantscope_cost_explorer.savings import (
    ZERO,
    Certainty,
    Effort,
    Facts,
    Finding,
    Kind,
    Line,
    Spend,
    cost_evidence,
    shared_out,
    tenants_lines,
)

MOST_OF_THE_DAYS = Decimal("0.9")
"""The part of a period's days, and of its weekends, on which a resource must have run to be called always on."""
AS_ON_WEEKDAYS = Decimal("0.8")
_DAY = Decimal(24)
_WHOLE = Decimal("0.02")


def left_behind(facts: Facts) -> list[Finding]:
    """Storage and capacity of tenants that did nothing in the period."""
    found: list[Finding] = []
    for tenant, places in tenants_lines(facts.lines).items():
        one = facts.tenants.get(tenant)
        costs: dict[Spend, Decimal] = {
            place: facts.lines[place].cost for place in places if facts.lines[place].kind in ("storage", "capacity")
        }
        if one is None or one.active is not False or not costs:
            continue
        lines = [facts.lines[place] for place in places if place in costs]
        total = sum(costs.values(), ZERO)
        stored = sum((line.cost for line in lines if line.kind == "storage"), ZERO)
        largest = max(lines, key=lambda line: line.cost)
        last = next((month.month for month in reversed(one.history) if month.requests > 0), None)
        found.append(
            Finding(
                kind=Kind.IDLE,
                title="Kept for a tenant without any use " + (f"since {last}" if last else "in the months looked at"),
                tenant=tenant,
                service=largest.service,
                resource=largest.resource,
                cost=total,
                saving=total,
                low=total - stored * INFREQUENT_PRICE,
                high=total,
                certainty=Certainty.MEASURED,
                effort=Effort.LOW,
                why="Export what is owed, delete; low keeps the data in a cheaper class.",
                evidence=tuple(cost_evidence(((_named(line), line.cost) for line in lines), facts.currency)),
                claims=costs,
                then="get_costs with this tenant_id and group_by=service",
            )
        )
    return found


def always_on(facts: Facts) -> list[Finding]:
    """Capacity outside production that runs on weekends as on weekdays."""
    groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for place, line in enumerate(facts.lines):
        if line.environment and line.environment.lower() in NOT_PRODUCTION and _never_rests(line, facts):
            groups[line.environment, any(word in line.service.lower() for word in STOPPABLE)].append(place)
    found: list[Finding] = []
    for (environment, stoppable), places in sorted(groups.items()):
        lines = [facts.lines[place] for place in places]
        costs: dict[Spend, Decimal] = {place: facts.lines[place].cost for place in places}
        total = sum(costs.values(), ZERO)
        weekends = sum((line.weekend_cost for line in lines), ZERO)
        nights = sum((line.cost for line in lines if _by_whole_days(line)), ZERO)
        off = sum((line.weekend_cost for line in lines if not _by_whole_days(line)), ZERO)
        saving = nights * (1 - WORKING_HOURS / HOURS_A_WEEK) + off
        found.append(
            Finding(
                kind=Kind.IDLE,
                title=f"{environment} runs around the clock; {WORKING_HOURS} of {HOURS_A_WEEK} hours are worked",
                service=max(lines, key=lambda line: line.cost).service,
                resource=max(lines, key=lambda line: line.cost).resource,
                cost=total,
                saving=saving,
                low=min(weekends, saving),
                high=saving,
                certainty=Certainty.ASSUMED,
                effort=Effort.LOW if stoppable else Effort.MEDIUM,
                why="Stop and start it by a schedule."
                if stoppable
                else "Not stoppable: delete at night, make anew from code.",
                evidence=tuple(cost_evidence(((line.service, line.cost) for line in lines), facts.currency)),
                claims=shared_out(saving, costs),
                then=f"get_costs with environment={environment}, group_by=day",
            )
        )
    return found


def said_idle(facts: Facts) -> list[Finding]:
    """What the bill charges for being idle, such as addresses that are attached to nothing."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place, line in enumerate(facts.lines):
        words = line.description.lower()
        if line.kind == "capacity" and line.cost > 0 and any(word in words for word in SAID_IDLE):
            groups[line.service].append(place)
    found: list[Finding] = []
    for service, places in sorted(groups.items()):
        lines = [facts.lines[place] for place in places]
        costs: dict[Spend, Decimal] = {place: facts.lines[place].cost for place in places}
        total = sum(costs.values(), ZERO)
        owners = {line.tenant for line in lines}
        found.append(
            Finding(
                kind=Kind.IDLE,
                title="The bill itself calls it idle: attached to nothing",
                tenant=owners.pop() if len(owners) == 1 else None,
                service=service,
                resource=max(lines, key=lambda line: line.cost).resource,
                cost=total,
                saving=total,
                low=total,
                high=total,
                certainty=Certainty.MEASURED,
                effort=Effort.LOW,
                why="Release what is attached to nothing.",
                evidence=tuple(cost_evidence(((_named(line), line.cost) for line in lines), facts.currency)),
                claims=costs,
                then=f"get_costs with service={service}, group_by=day",
            )
        )
    return found


def _never_rests(line: Line, facts: Facts) -> bool:
    if line.kind != "capacity" or line.cost <= 0 or line.days is None or not line.weekend_days:
        return False
    weekdays = line.days - line.weekend_days
    if line.days < MOST_OF_THE_DAYS * facts.days or line.weekend_days < MOST_OF_THE_DAYS * facts.weekend_days:
        return False
    on_weekdays = (line.cost - line.weekend_cost) / weekdays if weekdays else ZERO
    return line.weekend_cost / line.weekend_days >= AS_ON_WEEKDAYS * on_weekdays


def _by_whole_days(line: Line) -> bool:
    """Whether it is charged by 24 hours a day: the bill is by the day, and tells nights by nothing else."""
    a_day = line.quantity / (line.days or 1) / _DAY
    return a_day >= 1 - _WHOLE and abs(a_day - a_day.to_integral_value()) <= _WHOLE * a_day.to_integral_value()


def _named(line: Line) -> str:
    return f"{line.service}, {line.resource_type}" if line.resource_type else line.service
