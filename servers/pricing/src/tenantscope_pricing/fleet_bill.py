"""The fleet's bills by plan and by tenant, largest first, the rest as one row, everything adding up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_core.results.answers import percent
from tenantscope_core.results.money import round_to_total

from tenantscope_pricing.book import ZERO, minor_unit
from tenantscope_pricing.models import FleetBill, OtherRevenue, PlanRevenue, TenantRevenue

MAX_PLANS, MAX_TENANTS = 12, 10


@dataclass(frozen=True, slots=True)
class Billed:
    """What one tenant was billed on one plan in one currency, exact."""

    tenant: str
    plan: str
    currency: str
    amount: Decimal


NO_CURRENCY = "XXX"
"""ISO 4217's code where no currency is involved."""


def fleet_bill(billed: Sequence[Billed]) -> tuple[str, Decimal, FleetBill]:
    """The currency with the most revenue, its total, and what is shown of it."""
    sums = _summed((one.currency, one.amount) for one in billed)
    ranked = sorted(sums, key=lambda currency: (-abs(sums[currency]), currency))
    chosen = ranked[0] if ranked else NO_CURRENCY
    unit = minor_unit(chosen)
    rows = [one for one in billed if one.currency == chosen]
    by_plan, by_tenant = (
        _summed((one.plan, one.amount) for one in rows),
        _summed((one.tenant, one.amount) for one in rows),
    )
    on: dict[str, set[str]] = {}
    plans_of: dict[str, set[str]] = {}
    for one in rows:
        on.setdefault(one.plan, set()).add(one.tenant)
        plans_of.setdefault(one.tenant, set()).add(one.plan)
    total = sum(by_tenant.values(), ZERO)
    plans, other_plans = _top(by_plan, MAX_PLANS, unit)
    tenants, other_tenants = _top(by_tenant, MAX_TENANTS, unit)
    cents = sum(plans.values(), other_plans.amount if other_plans is not None else ZERO)
    return (
        chosen,
        cents,
        FleetBill(
            plans=[
                PlanRevenue(plan=plan, tenants=len(on[plan]), amount=amount, percent=percent(amount, total))
                for plan, amount in plans.items()
            ],
            other_plans=other_plans,
            tenants=[
                TenantRevenue(
                    tenant_id=tenant, plans=sorted(plans_of[tenant]), amount=amount, percent=percent(amount, total)
                )
                for tenant, amount in tenants.items()
            ],
            other_tenants=other_tenants,
            tenant_count=len(by_tenant),
            other_currencies=sorted(ranked[1:]) or None,
        ),
    )


def _summed(parts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for name, amount in parts:
        sums[name] = sums.get(name, ZERO) + amount
    return sums


def _top(sums: Mapping[str, Decimal], most: int, unit: Decimal) -> tuple[dict[str, Decimal], OtherRevenue | None]:
    names = sorted(sums, key=lambda name: (-sums[name], name))
    shown, rest = names[:most], names[most:]
    *amounts, other = round_to_total(
        [*(sums[name] for name in shown), sum((sums[name] for name in rest), ZERO)], unit=unit
    )
    return dict(zip(shown, amounts, strict=True)), OtherRevenue(rows=len(rest), amount=other) if rest else None
