"""Tenants in order of cost, with every figure in cents and still adding up to the bill."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Literal

from tenantscope_core.results.answers import percent
from tenantscope_core.results.money import round_half_even, round_to_total

from tenantscope_cost_explorer.costs.breakdown import ZERO
from tenantscope_cost_explorer.models import OtherTenants, TenantCost

Order = Literal["cost", "change"]
Status = Literal["active", "inactive", "all"]
Inactive = Literal["apart", "shared_among_active"]
UNIT = Decimal("1e-12")
_DIGITS = 90


@dataclass(frozen=True, slots=True)
class TenantSum:
    """A tenant's sums in one currency, exact; `tenant` None is the residual.

    `of_inactive` is the part of `total` that was inactive tenants' cost, None where that is kept apart.
    """

    tenant: str | None
    total: Decimal
    direct: Decimal
    before: Decimal
    of_inactive: Decimal | None = None


def shared_among_active(sums: Sequence[TenantSum], *, active: Set[str], active_before: Set[str]) -> list[TenantSum]:
    """The cost of tenants that used nothing, divided among those that did, in proportion to their own cost.

    To the last 10^-12 of the currency by largest remainder (Hamilton): the total stays what it was. Active tenants at
    or below zero get none. The period before is divided among those active then. Where no active tenant has a cost,
    there is nobody to divide among, and everything stays where it is.
    """
    now = _shared({one.tenant: one.total for one in sums}, active)
    before = _shared({one.tenant: one.before for one in sums}, active_before)
    return [
        TenantSum(
            one.tenant,
            now[one.tenant],
            one.direct if one.tenant is None or one.tenant in active or now[one.tenant] else ZERO,
            before[one.tenant],
            of_inactive=now[one.tenant] - one.total,
        )
        for one in sums
    ]


def inactive_cost(sums: Sequence[TenantSum], active: Set[str]) -> Decimal:
    """What tenants without any use cost."""
    return round_half_even(sum((one.total for one in sums if one.tenant not in active and one.tenant), ZERO))


def _shared(costs: Mapping[str | None, Decimal], active: Set[str]) -> dict[str | None, Decimal]:
    tenants = sorted(tenant for tenant in costs if tenant is not None)
    takers = [tenant for tenant in tenants if tenant in active and costs[tenant] > 0]
    idle = [tenant for tenant in tenants if tenant not in active]
    if not takers:
        return dict(costs)
    pool, whole = sum((costs[one] for one in idle), ZERO), sum((costs[one] for one in takers), ZERO)
    with localcontext() as context:
        context.prec = _DIGITS
        exact = [abs(pool) * costs[one] / whole for one in takers]
        parts = round_to_total(exact, unit=UNIT, total=abs(pool))
    sign = -1 if pool < 0 else 1
    given = {one: costs[one] + sign * part for one, part in zip(takers, parts, strict=True)}
    return {**costs, **dict.fromkeys(idle, ZERO), **given}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a ranking."""

    rows: list[TenantCost]
    other: OtherTenants | None
    bill: Decimal
    residual: Decimal
    residual_percent: float | None
    tenants: int
    active: int | None
    inactive: int | None
    more: bool


def rank(
    sums: Sequence[TenantSum],
    *,
    active: Set[str] | None,
    order: Order,
    status: Status,
    start: int,
    limit: int,
    compare: bool,
) -> Page:
    """A page from `start`. Cents are dealt over all tenants at once, so a tenant's figure is the same on every page."""
    tenants = sorted((one for one in sums if one.tenant is not None), key=lambda one: str(one.tenant))
    residual = sum((one.total for one in sums if one.tenant is None), ZERO)
    exact_bill = sum((one.total for one in tenants), residual)
    *cents, residual_cents = round_to_total([*(one.total for one in tenants), residual])
    before_cents = round_to_total([one.before for one in tenants])
    # The period before may hold tenants that cost nothing now; those are there to sum, not to be listed.
    made = [
        _tenant(one, total, before, exact_bill, active, compare)
        for one, total, before in zip(tenants, cents, before_cents, strict=True)
    ]
    listed = [one for one in made if status == "all" or one.active is (status == "active")]
    key = "total" if order == "cost" else "change"
    listed.sort(key=lambda one: (-(getattr(one, key) or ZERO), one.tenant_id))
    page = [one.model_copy(update={"rank": n}) for n, one in enumerate(listed[start : start + limit], start + 1)]
    on_page = {one.tenant_id for one in page}
    rest = [one for one in made if one.tenant_id not in on_page]
    return Page(
        rows=page,
        other=_other(rest, compare) if rest else None,
        bill=sum(cents, residual_cents),
        residual=residual_cents,
        residual_percent=percent(residual, exact_bill),
        tenants=len(listed),
        active=None if active is None else sum(one.active is True for one in made),
        inactive=None if active is None else sum(one.active is False for one in made),
        more=start + limit < len(listed),
    )


def _tenant(
    one: TenantSum, total: Decimal, before: Decimal, bill: Decimal, active: Set[str] | None, compare: bool
) -> TenantCost:
    direct = total if one.direct == one.total else round_half_even(one.direct)
    return TenantCost(
        rank=0,
        tenant_id=str(one.tenant),
        active=None if active is None else one.tenant in active,
        direct=direct,
        shared=total - direct,
        of_inactive=None if one.of_inactive is None else round_half_even(one.of_inactive),
        total=total,
        percent=percent(one.total, bill),
        before=before if compare else None,
        change=total - before if compare else None,
    )


def _other(rest: Sequence[TenantCost], compare: bool) -> OtherTenants:
    total = sum((one.total for one in rest), ZERO)
    before = sum((one.before for one in rest if one.before is not None), ZERO)
    return OtherTenants(
        tenants=len(rest),
        total=total,
        before=before if compare else None,
        change=total - before if compare else None,
    )
