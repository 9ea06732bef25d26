"""Tenants in order of cost, with every figure in cents and still adding up to the bill."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tenantscope_core.results.answers import percent
from tenantscope_core.results.money import round_half_even, round_to_total

from tenantscope_cost_explorer.breakdown import ZERO
from tenantscope_cost_explorer.models import OtherTenants, TenantCost

Order = Literal["cost", "change"]
Status = Literal["active", "inactive", "all"]


@dataclass(frozen=True, slots=True)
class TenantSum:
    """A tenant's sums in one currency, exact; `tenant` None is the residual."""

    tenant: str | None
    total: Decimal
    direct: Decimal
    before: Decimal


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
