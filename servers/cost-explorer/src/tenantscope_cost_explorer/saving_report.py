"""Findings made presentable: a month's amounts in cents that still add up, and what each does to margins."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tenantscope_core.results.money import round_half_even

from tenantscope_cost_explorer.models import OtherSavings, Saving, SavingEvidence, SavingKind
from tenantscope_cost_explorer.saving_evidence import LISTED
from tenantscope_cost_explorer.saving_total import Found
from tenantscope_cost_explorer.savings import ZERO, Facts, Finding, Kind

MOST_OVERLAPS = 5
_WORDS, _TITLE, _RESOURCE = 56, 180, 44
_THOUSANDTH = Decimal("0.001")

NOTES: Mapping[Kind, str] = {
    Kind.IDLE: "Paid for and not used; whether someone still needs it is not known.",
    Kind.OVER_PROVISIONED: "Cost of own capacity a request, against peers or earlier months; CPU and memory not seen.",
    Kind.TIER_MISMATCH: "Saving is breaking even; low and high are other ways: a quota, another tier.",
    Kind.COMMITMENT: "Discounts are the bill's own or public; low is at 10 % less use. Hours of a day not seen.",
    Kind.STORAGE_CLASS: "Low is if all is read once a month. Reads other than the tenants' requests not seen.",
    Kind.NOISY_SHARE: "A part of what all carry: it shrinks only as far as that cost follows use, so low is 0.",
}
_NEEDS = {
    "saving_evidence": (Kind.IDLE, Kind.OVER_PROVISIONED, Kind.COMMITMENT, Kind.STORAGE_CLASS),
    "usage": (Kind.IDLE, Kind.OVER_PROVISIONED, Kind.STORAGE_CLASS, Kind.NOISY_SHARE),
    "revenue": (Kind.TIER_MISMATCH, Kind.NOISY_SHARE),
    "margin": (Kind.TIER_MISMATCH,),
}
"""What each kind is found in."""
_WITHOUT = {
    "saving_evidence": "run the rollup again",
    "usage": "tenants without use, peers and bursts are not told; commit it",
    "revenue": "no share of revenue and no margin is told; commit it",
    "margin": "no tier is known; run the rollup again",
}


def savings(found: Found, facts: Facts, limit: int) -> tuple[list[Saving], OtherSavings | None, Decimal, Decimal]:
    """The first findings, the rest as one, and the gross and net saving, of a month and in cents."""
    shown, rest = found.findings[:limit], found.findings[limit:]
    overlapping = found.overlapping(limit)
    made = [
        _saving(number, one, facts, [other + 1 for other in same])
        for number, (one, same) in enumerate(zip(shown, overlapping, strict=True), start=1)
    ]
    others = sum((in_cents(one, facts) for one in rest), ZERO)
    gross = sum((one.saving for one in made), others)
    other = OtherSavings(findings=len(rest), saving=others) if rest else None
    return made, other, gross, min(round_half_even(found.net / len(facts.months)), gross)


def in_cents(one: Finding, facts: Facts) -> Decimal:
    """What a finding saves in a month: the same figure whatever else is found beside it."""
    return round_half_even(one.saving / len(facts.months))


def _saving(number: int, one: Finding, facts: Facts, overlaps: Sequence[int]) -> Saving:
    months, saving = len(facts.months), in_cents(one, facts)
    tenant = facts.tenants.get(one.tenant or "")
    paid = tenant.revenue if tenant is not None else None
    return Saving(
        number=number,
        kind=one.kind,
        title=_clipped(one.title, _TITLE),
        tenant_id=one.tenant,
        service=_clipped(one.service, _WORDS) if one.service else None,
        resource=_end(one.resource, _RESOURCE) if one.resource else None,
        cost=round_half_even(one.cost / months),
        saving=saving,
        low=min(round_half_even(one.low / months), saving),
        high=max(round_half_even(one.high / months), saving),
        earns=one.earns or None,
        certainty=one.certainty,
        effort=one.effort.value,
        why=one.why,
        evidence=[
            SavingEvidence(
                what=_clipped(each.what, _WORDS), value=_figure(each.value, each.unit, facts), unit=each.unit
            )
            for each in one.evidence
        ],
        fleet_margin_points=_points(facts.revenue, facts.bill, one),
        tenant_margin_percent=margin(paid, tenant.cost) if tenant is not None else None,
        tenant_margin_then=_then(paid, tenant.cost, one) if tenant is not None else None,
        overlaps=list(overlaps[:MOST_OVERLAPS]),
        next=_clipped(one.then, _TITLE),
    )


def margin(revenue: Decimal | None, cost: Decimal) -> float | None:
    """Margin in per cent of revenue; None where there is no revenue."""
    return round(float((revenue - cost) / revenue * 100), 1) if revenue is not None and revenue > 0 else None


def _then(revenue: Decimal | None, cost: Decimal, one: Finding) -> float | None:
    if revenue is None:
        return None
    return margin(revenue + one.saving, cost) if one.earns else margin(revenue, cost - one.saving)


def _points(revenue: Decimal | None, cost: Decimal, one: Finding) -> float | None:
    if revenue is None or revenue <= 0:
        return None
    now = (revenue - cost) / revenue
    after = revenue + one.saving if one.earns else revenue
    then = (revenue - cost + one.saving) / after
    return round(float((then - now) * 100), 2)


def by_kind(found: Found, facts: Facts) -> list[SavingKind]:
    """All findings by kind; they sum to the gross."""
    of_kind = {kind: [in_cents(one, facts) for one in found.findings if one.kind == kind] for kind in Kind}
    return [
        SavingKind(kind=kind, findings=len(cents), saving=sum(cents, ZERO), note=NOTES[kind])
        for kind, cents in of_kind.items()
        if cents
    ]


def not_looked_at(kinds: Sequence[Kind], lacking: Mapping[str, Sequence[str]], facts: Facts) -> list[str]:
    """What was left out of the kinds that were asked for, and why."""
    said = [
        f"{', '.join(left)}: no {name} is committed for {', '.join(months[:3])}"
        f"{' and more' if len(months) > 3 else ''}; {_WITHOUT[name]}"
        for name, months in lacking.items()
        if (left := [kind for kind in _NEEDS[name] if kind in kinds])
    ]
    if facts.running:
        said.append(f"days after the first {facts.days}: the last month was running; what is idle so far may wake")
    summed = sum((line.cost for line in facts.lines if line.days is None), ZERO) / max(len(facts.months), 1)
    if summed:
        said.append(
            f"{round_half_even(summed)} {facts.currency} a month of resources beyond the {LISTED:,} dearest of a kind"
        )
    return said


def _figure(value: Decimal, unit: str, facts: Facts) -> Decimal:
    return round_half_even(value) if unit == facts.currency else round_half_even(value, _THOUSANDTH).normalize() + ZERO


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _end(text: str, most: int) -> str:
    """The end of a name, where resources differ."""
    return text if len(text) <= most else "…" + text[-(most - 1) :]
