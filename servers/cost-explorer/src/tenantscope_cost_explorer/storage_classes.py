"""Object storage that is hardly read, in the class for what is read often."""

from decimal import Decimal

from tenantscope_cost_explorer.saving_assumptions import INFREQUENT_PRICE, RARELY_READ, READING_PRICE
from tenantscope_cost_explorer.savings import (
    ZERO,
    Certainty,
    Effort,
    Evidence,
    Facts,
    Finding,
    Kind,
    Line,
    Spend,
    shared_out,
    tenants_lines,
)

SERVICE = "Amazon Simple Storage Service"
_OTHER_CLASSES = ("infrequent", "glacier", "archive", "intelligent", "one zone", "reduced", "express", "-ia", "deep")
_HOURS_A_DAY = Decimal(24)


def storage_classes(facts: Facts) -> list[Finding]:
    """Standard storage of tenants to whom little of it was served, at the price of infrequent access."""
    price, seen = _infrequent_price(facts)
    costs: dict[Spend, Decimal] = {}
    kept: dict[Spend, Decimal] = {}
    stored_gb, reading = ZERO, ZERO
    owners: list[str] = []
    for tenant, places in tenants_lines(facts.lines).items():
        one = facts.tenants.get(tenant)
        served = None if one is None else ZERO if one.active is False else one.served_gb
        standard = [place for place in places if _is_standard(facts.lines[place])]
        own: dict[Spend, Decimal] = {place: facts.lines[place].cost for place in standard}
        gigabytes = sum((_mean_gb(facts.lines[place], facts) or ZERO for place in standard), ZERO)
        if served is None or gigabytes <= 0 or served > gigabytes * RARELY_READ * len(facts.months):
            continue
        cost = sum(own.values(), ZERO)
        saved = cost * (1 - price) - cost / gigabytes * served / len(facts.months) * READING_PRICE
        if saved > 0:
            costs |= own
            kept |= shared_out(saved, own)
            stored_gb += gigabytes
            reading += served
            owners.append(tenant)
    if not costs:
        return []
    total = sum(costs.values(), ZERO)
    savings = sum(kept.values(), ZERO)
    only = owners[0] if len(owners) == 1 else None
    whose = "a tenant" if only else f"{len(owners)} tenants"
    best = total * (1 - price)
    return [
        Finding(
            kind=Kind.STORAGE_CLASS,
            title=f"Standard storage of {whose} that is hardly read; infrequent access is at {price:.0%} of its price"
            f" ({'as this bill says' if seen else 'public prices'})",
            tenant=only,
            service=SERVICE,
            cost=total,
            saving=savings,
            low=max(min(best - total * READING_PRICE, savings), ZERO),
            high=best,
            certainty=Certainty.ASSUMED,
            effort=Effort.LOW,
            why="A lifecycle rule; objects under 128 KB or younger than 30 days do not gain.",
            evidence=(
                Evidence("standard storage", total, facts.currency),
                Evidence("stored on average", stored_gb, "GB"),
                Evidence("served to these tenants", reading, "GB"),
            ),
            claims=kept,
            then=f"get_costs with service={SERVICE}",
        )
    ]


def _is_standard(line: Line) -> bool:
    words = line.description.lower()
    return line.kind == "storage" and line.service == SERVICE and not any(word in words for word in _OTHER_CLASSES)


def _mean_gb(line: Line, facts: Facts) -> Decimal | None:
    """GB on average over the period; None where the unit does not tell."""
    unit = line.unit.lower()
    if "hour" in unit or "hr" in unit:
        return line.quantity / _HOURS_A_DAY / facts.days
    return line.quantity / len(facts.months) if "mo" in unit else None


def _infrequent_price(facts: Facts) -> tuple[Decimal, bool]:
    """The price of infrequent access over the standard one, as the bill says where it has both, and whether it does."""
    sums = {True: [ZERO, ZERO], False: [ZERO, ZERO]}
    for line in facts.lines:
        standard = _is_standard(line)
        words = line.description.lower()
        rare = line.kind == "storage" and line.service == SERVICE and "infrequent" in words and "one zone" not in words
        gigabytes = _mean_gb(line, facts)
        if gigabytes is not None and (standard or rare):
            sums[standard][0] += line.cost
            sums[standard][1] += gigabytes
    if any(amount <= 0 for pair in sums.values() for amount in pair):
        return INFREQUENT_PRICE, False
    ratio = (sums[False][0] / sums[False][1]) / (sums[True][0] / sums[True][1])
    return (ratio, True) if ratio < 1 else (INFREQUENT_PRICE, False)
