"""A month's margins: what each tenant paid less what it cost, currency by currency."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_cost_explorer.cents import ZERO


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tenant was allocated in one currency; `tenant` None is the residual."""

    tenant: str | None
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Revenue:
    """What a tenant was charged for one plan in one currency."""

    tenant: str
    currency: str
    plan: str | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MarginRow:
    """One tenant's month in one currency; `tenant` None is what is nobody's."""

    tenant: str | None
    currency: str
    revenue: Decimal
    cost: Decimal
    tier: str | None
    persona: str | None
    plan: str | None

    @property
    def margin(self) -> Decimal:
        """What is left of the revenue."""
        return self.revenue - self.cost


def margin_rows(
    costs: Iterable[Cost],
    revenue: Iterable[Revenue],
    *,
    tiers: Mapping[str, str],
    personas: Mapping[str, str],
) -> list[MarginRow]:
    """The rows of one month in order of tenant and currency, the residual last.

    Currencies are never added up: a tenant that pays in one and costs in another has a row of each, with nothing on the
    other side. Several plans of one month stand as one text, in order of name.
    """
    sums: dict[tuple[str | None, str], list[Decimal]] = {}
    plans: dict[tuple[str | None, str], set[str]] = {}
    for charged in revenue:
        key = (charged.tenant, charged.currency)
        sums.setdefault(key, [ZERO, ZERO])[0] += charged.amount
        plans.setdefault(key, set()).update([charged.plan] if charged.plan else [])
    for cost in costs:
        sums.setdefault((cost.tenant, cost.currency), [ZERO, ZERO])[1] += cost.amount
    return [
        MarginRow(
            tenant,
            currency,
            paid,
            spent,
            tier=tiers.get(tenant) if tenant is not None else None,
            persona=personas.get(tenant) if tenant is not None else None,
            plan=", ".join(sorted(plans.get((tenant, currency), ()))) or None,
        )
        for (tenant, currency), (paid, spent) in sorted(sums.items(), key=_in_order)
    ]


def in_two_currencies(rows: Sequence[MarginRow]) -> list[str]:
    """The tenants with revenue in one currency and cost in another, which have no one margin."""
    paid = {(row.tenant, row.currency) for row in rows if row.revenue != 0}
    spent = {(row.tenant, row.currency) for row in rows if row.cost != 0}
    one_sided = paid ^ spent
    both = {tenant for tenant, _ in paid} & {tenant for tenant, _ in spent}
    return sorted({tenant for tenant, _ in one_sided if tenant is not None and tenant in both})


def _in_order(item: tuple[tuple[str | None, str], list[Decimal]]) -> tuple[bool, str, str]:
    tenant, currency = item[0]
    return tenant is None, tenant or "", currency
