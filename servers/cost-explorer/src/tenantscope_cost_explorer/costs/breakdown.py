"""Sums made presentable: largest first, the rest as one row, every figure in cents and still adding up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_core.results.answers import percent
from tenantscope_core.results.money import round_half_even, round_to_total

from tenantscope_cost_explorer.allocation.rules import Method
from tenantscope_cost_explorer.models import CostRow, CurrencyCosts, MethodCost, OtherCosts

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CostSum:
    """A sum over charges of one currency, group and method; `before` is of the period before."""

    currency: str
    name: str
    method: str
    cost: Decimal = ZERO
    before: Decimal = ZERO


def by_currency(sums: Sequence[CostSum], *, limit: int, in_order_of_time: bool, compare: bool) -> list[CurrencyCosts]:
    """What to show, the currency with the most cost first. In order of time, the newest rows are kept."""
    currencies: dict[str, list[CostSum]] = {}
    for one in sums:
        currencies.setdefault(one.currency, []).append(one)
    made = [_currency(name, group, limit, in_order_of_time, compare) for name, group in currencies.items()]
    return sorted(made, key=lambda costs: (-abs(costs.total), costs.currency))


def _currency(
    currency: str, sums: Sequence[CostSum], limit: int, in_order_of_time: bool, compare: bool
) -> CurrencyCosts:
    costs, befores = _added(sums, "cost"), _added(sums, "before")
    if in_order_of_time:
        names = sorted(name for name, cost in costs.items() if cost != 0)
        shown, rest = names[-limit:], names[:-limit]
    else:
        names = sorted(costs, key=lambda name: (-abs(costs[name]), -abs(befores[name]), name))
        shown, rest = names[:limit], names[limit:]
    total, before = sum(costs.values(), ZERO), sum(befores.values(), ZERO)
    compare_rows = compare and not in_order_of_time
    now_cents = round_to_total([*(costs[name] for name in shown), sum((costs[name] for name in rest), ZERO)])
    before_cents = round_to_total([*(befores[name] for name in shown), sum((befores[name] for name in rest), ZERO)])
    total_cents = sum(now_cents, ZERO)
    before_total = round_half_even(before)
    rows = [
        CostRow(
            name=name,
            cost=now,
            percent=percent(costs[name], total),
            before=was if compare_rows else None,
            change=now - was if compare_rows else None,
        )
        for name, now, was in zip(shown, now_cents, before_cents, strict=False)
    ]
    other = OtherCosts(
        rows=len(rest),
        cost=now_cents[-1],
        before=before_cents[-1] if compare_rows else None,
        change=now_cents[-1] - before_cents[-1] if compare_rows else None,
    )
    return CurrencyCosts(
        currency=currency,
        total=total_cents,
        before=before_total if compare else None,
        change=total_cents - before_total if compare else None,
        change_percent=percent(total - before, before) if compare else None,
        rows=rows,
        other=other if rest else None,
        row_count=len(names),
        truncated=bool(rest),
        methods=method_costs(_added(sums, "cost", by="method")),
    )


def method_costs(costs: Mapping[str, Decimal]) -> list[MethodCost]:
    """Costs by method in the order from surest to least, adding up."""
    methods = [method for method in Method if costs.get(method, ZERO) != 0]
    cents = round_to_total([costs[method] for method in methods])
    total = sum(costs.values(), ZERO)
    return [
        MethodCost(method=method, cost=cost, percent=percent(costs[method], total))
        for method, cost in zip(methods, cents, strict=True)
    ]


def _added(sums: Sequence[CostSum], what: str, by: str = "name") -> dict[str, Decimal]:
    added: dict[str, Decimal] = {}
    for one in sums:
        key = one.method if by == "method" else one.name
        added[key] = added.get(key, ZERO) + (one.cost if what == "cost" else one.before)
    return added
