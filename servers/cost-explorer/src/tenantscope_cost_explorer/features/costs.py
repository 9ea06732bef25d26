"""Costs of features in two views that sum to the bill: what names a feature, and with shared cost divided by use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from tenantscope_core.results.answers import percent
from tenantscope_core.results.money import CENT, round_half_even, round_to_total

from tenantscope_cost_explorer.cents import ZERO, deal
from tenantscope_cost_explorer.features.answers import FeatureCost, HostingCost, OtherFeatures, TwoViews, UnitCost

Order = Literal["cost", "per_call", "change"]
UNIT = Decimal("0.000001")
SERVICES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Use:
    """What was done with a feature; `users` is the least that is known of people, None where nothing is."""

    calls: int
    tenants: int
    users: int | None


@dataclass(slots=True)
class FeatureBill:
    """A bill of one currency by feature, exact. `before` is None where nothing is committed of the period before.

    `services` is what names a feature, by service; `shared` is each feature's part of `no_feature`, which is tenants'
    cost that names none; `residual` is nobody's cost that names none.
    """

    services: dict[str, dict[str, Decimal]] = field(default_factory=dict[str, dict[str, Decimal]])
    shared: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    no_feature: Decimal = ZERO
    residual: Decimal = ZERO
    before: dict[str, Decimal] | None = None

    @property
    def total(self) -> Decimal:
        """All of it."""
        named = (cost for services in self.services.values() for cost in services.values())
        return sum(named, self.no_feature + self.residual)


@dataclass(frozen=True, slots=True)
class Listed:
    """The features to show, and all that stands beside them."""

    rows: list[FeatureCost]
    other: OtherFeatures | None
    no_feature: TwoViews
    residual: Decimal
    bill: Decimal
    count: int


def list_features(bill: FeatureBill, uses: Mapping[str, Use], *, order: Order, limit: int) -> Listed:
    """Features in order, the rest as one; in each view all sums to the bill in cents."""
    names = sorted({*bill.services, *bill.shared, *uses})
    named = [sum(bill.services.get(name, {}).values(), ZERO) for name in names]
    fuller = [cost + bill.shared.get(name, ZERO) for name, cost in zip(names, named, strict=True)]
    total = round_half_even(bill.total)
    *attributed, no_feature, residual = round_to_total([*named, bill.no_feature, bill.residual], total=total)
    *with_shared, left = deal(fuller, exact=bill.total - bill.residual, cents=total - residual)
    made = [
        _feature(name, bill, uses.get(name), named=cost, cents=cents, fuller=more, total=total)
        for name, cost, cents, more in zip(names, named, attributed, with_shared, strict=True)
    ]
    made.sort(key=lambda row: (-_rank(row, order), row.feature))
    shown, rest = made[:limit], made[limit:]
    other = OtherFeatures(
        features=len(rest),
        attributed=sum((row.attributed.cost for row in rest), ZERO),
        with_shared=sum((row.with_shared.cost for row in rest), ZERO),
    )
    views = TwoViews(attributed=no_feature, with_shared=left)
    return Listed(shown, other if rest else None, views, residual, total, len(made))


def _feature(
    name: str, bill: FeatureBill, use: Use | None, *, named: Decimal, cents: Decimal, fuller: Decimal, total: Decimal
) -> FeatureCost:
    services = sorted(bill.services.get(name, {}).items(), key=lambda item: (-abs(item[1]), item[0]))
    shown = services[:SERVICES_SHOWN]
    *dearest, other = deal([cost for _, cost in shown], exact=named, cents=cents)
    before = None if bill.before is None else round_half_even(bill.before.get(name, ZERO))
    return FeatureCost(
        feature=name,
        attributed=_units(cents, use),
        with_shared=_units(fuller, use),
        percent=percent(fuller, total),
        before=before,
        change=None if before is None else cents - before,
        calls=use.calls if use else 0,
        active_tenants=use.tenants if use else 0,
        users_at_least=use.users if use else None,
        hosting=[HostingCost(service=service, cost=cost) for (service, _), cost in zip(shown, dearest, strict=True)],
        other_services=other if len(services) > SERVICES_SHOWN or other else None,
    )


def _units(cost: Decimal, use: Use | None) -> UnitCost:
    return UnitCost(
        cost=cost,
        per_call=_per(cost, use.calls if use else None, UNIT),
        per_active_tenant=_per(cost, use.tenants if use else None, CENT),
        per_user_at_most=_per(cost, use.users if use else None, CENT),
    )


def _per(cost: Decimal, number: int | None, unit: Decimal) -> Decimal | None:
    return round_half_even(cost / number, unit) if number else None


def _rank(row: FeatureCost, order: Order) -> Decimal:
    match order:
        case "cost":
            return row.with_shared.cost
        case "per_call":
            return row.with_shared.per_call if row.with_shared.per_call is not None else Decimal("-Infinity")
        case "change":
            return row.change or ZERO
