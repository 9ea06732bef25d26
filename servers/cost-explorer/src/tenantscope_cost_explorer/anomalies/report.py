"""Anomalies made presentable, with what they do to margins where revenue is known."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tenantscope_core.results.money import round_half_even

from tenantscope_cost_explorer.anomalies.answers import AnomalyRow, CostAnomaly
from tenantscope_cost_explorer.anomalies.events import ALL, Anomaly, Event, Row
from tenantscope_cost_explorer.changes.report import RESIDUAL, quantity

MANY = 5
ROWS, FEWER_ROWS = 5, 2  # of more than MANY anomalies fewer are shown of each, so that the longest names fit
MOST = 100.0  # where there was no spend at all, a score is any number
ZERO = Decimal(0)

Revenue = Mapping[tuple[str, str], Decimal]
"""By tenant and currency."""


def described(found: Anomaly, *, rank: int, fleet: bool, revenue: Revenue | None, rows: int) -> CostAnomaly:
    """One anomaly. Only an answer about the `fleet` names tenants; `revenue` is None where it is unknown."""
    head = found.members[0]
    behind = found.rows
    expected = round_half_even(sum((row.expected for row in behind), ZERO))
    actual = round_half_even(sum((row.spent.cost for row in behind), ZERO))
    tenants = {one.key.tenant for one in found.members}
    one = next(iter(tenants)) if len(tenants) == 1 and ALL not in tenants else None
    known = None if revenue is None else _revenue(tenants, head.key.currency, revenue)
    services = sorted({one.key.service for one in found.members})
    first, last = min(each.first for each in found.members), max(each.last for each in found.members)
    scores = [each.score for each in found.members if each.score is not None]
    return CostAnomaly(
        rank=rank,
        kind=head.kind,
        direction="up" if found.excess > 0 else "down",
        service=services[0] if len(services) == 1 else None,
        services=len(services),
        tenant_id=one if fleet else None,
        tenants=len(tenants) if fleet and ALL not in tenants else None,
        series=len(found.members),
        first_day=first,
        last_day=last,
        began_before=any(each.began_before for each in found.members),
        ongoing=any(each.goes_on for each in found.members),
        currency=head.key.currency,
        actual=actual,
        expected=expected,
        excess=actual - expected,
        deviation=round(min(max(max(scores, key=abs), -MOST), MOST), 1) if scores else None,
        reason=_reason(found, actual, expected),
        revenue=None if known is None else round_half_even(known),
        margin_points=None if not known else round(float(-found.excess / known * 100), 1),
        rows=[_row(row, fleet, len(services) > 1) for row in behind[:rows]],
        row_count=len(behind),
        next=_next(head, services, one if fleet else None, f"{first}..{last}"),
    )


def _revenue(tenants: set[str], currency: str, revenue: Revenue) -> Decimal | None:
    """Of these tenants, or of all; None unless every one of them has any."""
    if ALL in tenants:
        sums = [amount for (_, of), amount in revenue.items() if of == currency]
    elif all((tenant, currency) in revenue for tenant in tenants - {RESIDUAL}) and tenants != {RESIDUAL}:
        sums = [revenue[tenant, currency] for tenant in tenants - {RESIDUAL}]
    else:
        return None
    total = sum(sums, ZERO)
    return total if total > 0 else None


def _reason(found: Anomaly, actual: Decimal, expected: Decimal) -> str:
    head = found.members[0]
    if head.kind == "one_off":
        return "A one-time charge, credit, adjustment or correction."
    days = max(len({row.day for row in one.rows}) for one in found.members)
    span = "One month" if head.kind == "monthly" else "One day" if days == 1 else f"{days} days in a row"
    usual = "the months before lead to expect" if head.kind == "monthly" else "is usual for the weekdays"
    if expected <= 0:
        return f"{span} with spend where there was none."
    if actual <= 0:
        return f"{span} without spend where {expected} {head.key.currency} {usual.replace('lead', 'led')}."
    return f"{span} at {actual / expected:.2f} times what {usual}."


def _row(row: Row, fleet: bool, names_service: bool) -> AnomalyRow:
    return AnomalyRow(
        tenant_id=row.key.tenant if fleet else None,
        service=row.key.service if names_service else None,
        feature=row.key.feature,
        day=row.day,
        cost=round_half_even(row.spent.cost),
        expected=row.expected,
        quantity=quantity(row.spent.quantity),
        unit=row.spent.unit,
    )


def _next(head: Event, services: Sequence[str], tenant: str | None, span: str) -> str:
    named = f"tenant_id={tenant}, " if tenant is not None and tenant != RESIDUAL else ""
    if head.kind == "monthly":
        return f"explain_cost_change with {named}period={head.first:%Y-%m}"
    if len(services) > 1:
        return f"get_costs with {named}period={span}, group_by=service"
    by = "charge_category" if head.kind == "one_off" else "day"
    return f"get_costs with {named}service={services[0]}, period={span}, group_by={by}"
