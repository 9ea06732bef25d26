"""Margins in order, tenants or groups of them: every figure in cents and still adding up to revenue and bill."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tenantscope_core.results.answers import percent
from tenantscope_core.results.money import round_half_even, round_to_total

from tenantscope_cost_explorer.cents import ZERO, deal
from tenantscope_cost_explorer.margins.answers import Losers, Loss, MarginLine, OtherMargins
from tenantscope_cost_explorer.margins.losing import LosingRun, cost_down_percent, revenue_up_percent

Order = Literal["margin", "margin_percent", "revenue", "cost"]
Only = Literal["all", "losing"]
NONE = "(none)"


@dataclass(frozen=True, slots=True)
class MarginSum:
    """A tenant's period in one currency, exact."""

    tenant: str
    revenue: Decimal
    cost: Decimal
    tier: str | None = None
    persona: str | None = None
    plan: str | None = None

    @property
    def is_losing(self) -> bool:
        """Whether it costs more than it pays, by however little."""
        return self.cost > self.revenue


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an answer before it is worded; money in cents."""

    name: str
    revenue: Decimal
    cost: Decimal
    is_losing: bool
    tenants: tuple[MarginSum, ...] = ()
    named_cost: Decimal | None = None
    calls: int | None = None

    @property
    def margin(self) -> Decimal:
        """What is left of the revenue."""
        return self.revenue - self.cost


@dataclass(frozen=True, slots=True)
class Ledger:
    """A period of one currency in cents: a line for each tenant, and the cost that is nobody's."""

    lines: list[Line]
    residual: Decimal

    @property
    def revenue(self) -> Decimal:
        """What all paid."""
        return sum((line.revenue for line in self.lines), ZERO)

    @property
    def cost(self) -> Decimal:
        """What all were allocated."""
        return sum((line.cost for line in self.lines), ZERO)

    @property
    def margin(self) -> Decimal:
        """What is left when the residual is paid, too."""
        return self.revenue - self.cost - self.residual


@dataclass(frozen=True, slots=True)
class Page:
    """A page of lines, and what is not on it."""

    lines: list[Line]
    other: OtherMargins | None
    count: int
    more: bool


def in_cents(sums: Sequence[MarginSum], residual: Decimal) -> Ledger:
    """A line for each tenant and the residual, dealt over all at once: a tenant's figure is the same on every page."""
    tenants = sorted(sums, key=lambda one: one.tenant)
    revenue = round_to_total([one.revenue for one in tenants])
    *cost, rest = round_to_total([*(one.cost for one in tenants), residual])
    lines = [
        Line(one.tenant, paid, spent, one.is_losing, (one,))
        for one, paid, spent in zip(tenants, revenue, cost, strict=True)
    ]
    return Ledger(lines, rest)


def grouped(lines: Sequence[Line], by: Literal["tier", "persona"]) -> list[Line]:
    """Lines of tenants added up by what they have in common, to the same cents."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(getattr(line.tenants[0], by) or NONE, []).append(line)
    return [_added(name, group) for name, group in groups.items()]


def rest_of(everyone: Sequence[Line], matching: Sequence[Line]) -> list[Line]:
    """One line for the tenants that do not match, none where all do."""
    names = {line.name for line in matching}
    rest = [line for line in everyone if line.name not in names]
    return [_added("", rest)] if rest else []


def _added(name: str, lines: Sequence[Line]) -> Line:
    tenants = tuple(tenant for line in lines for tenant in line.tenants)
    return Line(
        name,
        revenue=sum((line.revenue for line in lines), ZERO),
        cost=sum((line.cost for line in lines), ZERO),
        is_losing=sum((one.cost for one in tenants), ZERO) > sum((one.revenue for one in tenants), ZERO),
        tenants=tenants,
    )


def page(
    listed: Sequence[Line], everything: Sequence[Line], *, order: Order, only: Only, start: int, limit: int
) -> Page:
    """A page of `listed` from `start`; `other` is all else of `everything`."""
    matching = sorted(
        (line for line in listed if only == "all" or line.is_losing), key=lambda line: (_rank(line, order), line.name)
    )
    shown = matching[start : start + limit]
    revenue = sum((line.revenue for line in everything), ZERO) - sum((line.revenue for line in shown), ZERO)
    cost = sum((line.cost for line in everything), ZERO) - sum((line.cost for line in shown), ZERO)
    rest = len(everything) - len(shown)
    other = OtherMargins(rows=rest, revenue=revenue, cost=cost, margin=revenue - cost) if rest else None
    return Page(shown, other, len(matching), start + limit < len(matching))


def _rank(line: Line, order: Order) -> tuple[int, Decimal]:
    """The worst margin first; without any revenue there is no percentage, which is worse than any, or says nothing."""
    match order:
        case "margin":
            return 0, line.margin
        case "margin_percent":
            if line.revenue > 0:
                return 1, line.margin / line.revenue
            return (0, line.margin) if line.margin < 0 else (2, line.margin)
        case "revenue":
            return 0, -line.revenue
        case "cost":
            return 0, -line.cost


def losers(lines: Sequence[Line], active: Set[str] | None) -> Losers:
    """The losing tenants among lines of one tenant each."""
    losing = [line for line in lines if line.is_losing]
    return Losers(
        tenants=len(losing),
        loss=sum((line.margin for line in losing), ZERO),
        inactive=None if active is None else sum(line.name not in active for line in losing),
    )


def tenant_line(
    line: Line, run: LosingRun | None, *, last: str, active: Set[str] | None, also_in: Sequence[str]
) -> MarginLine:
    """A tenant as it is answered; `last` is the last month of the period."""
    (tenant,) = line.tenants
    return MarginLine(
        name=line.name,
        tier=tenant.tier,
        persona=tenant.persona,
        plan=tenant.plan,
        active=None if active is None else line.name in active,
        revenue=line.revenue,
        cost=line.cost,
        margin=line.margin,
        margin_percent=percent(line.margin, line.revenue),
        also_in=list(also_in) or None,
        loss=_loss(tenant, run, last) if tenant.is_losing and run is not None else None,
    )


def _loss(tenant: MarginSum, run: LosingRun, last: str) -> Loss:
    return Loss(
        since=str(run.since),
        or_earlier=True if run.from_the_first else None,
        until=str(run.last) if str(run.last) != last else None,
        months=run.months,
        lost=round_half_even(run.total),
        revenue_up_percent=revenue_up_percent(tenant.revenue, tenant.cost),
        cost_down_percent=cost_down_percent(tenant.revenue, tenant.cost),
    )


def group_line(line: Line) -> MarginLine:
    """A tier, persona or feature as it is answered."""
    return MarginLine(
        name=line.name,
        tenants=len(line.tenants) if line.tenants else None,
        losing_tenants=sum(one.is_losing for one in line.tenants) if line.tenants else None,
        revenue=line.revenue,
        cost=line.cost,
        named_cost=line.named_cost,
        calls=line.calls,
        margin=line.margin,
        margin_percent=percent(line.margin, line.revenue),
    )


@dataclass(frozen=True, slots=True)
class Total:
    """A total, exact and in the cents that were fixed for it."""

    exact: Decimal
    cents: Decimal


def feature_lines(
    *,
    revenue: Mapping[str, Decimal],
    revenue_total: Total,
    named: Mapping[str, Decimal],
    shared: Mapping[str, Decimal],
    cost_total: Total,
    calls: Mapping[str, int],
) -> list[Line]:
    """Lines of features, to the cents of the totals; what has no feature's use is `NONE`.

    `revenue` and `shared` (cost that names no feature) were divided by use, `named` is what the bill gives to features.
    """
    names = sorted({*revenue, *named, *shared, *calls})
    costs = [named.get(name, ZERO) + shared.get(name, ZERO) for name in names]
    *paid, unused = deal(
        [revenue.get(name, ZERO) for name in names], exact=revenue_total.exact, cents=revenue_total.cents
    )
    *spent, unspent = deal(costs, exact=cost_total.exact, cents=cost_total.cents)
    lines = [
        Line(name, got, cost, cost > got, named_cost=round_half_even(named.get(name, ZERO)), calls=calls.get(name, 0))
        for name, got, cost in zip(names, paid, spent, strict=True)
    ]
    return [*lines, Line(NONE, unused, unspent, unspent > unused)] if unused or unspent else lines
