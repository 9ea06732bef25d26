"""From monthly sums to an answer about what comes: exact money in, exact money out, floating point in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from tenantscope_core.results.money import round_half_even
from tenantscope_core.results.periods import Month

from tenantscope_cost_explorer.cents import deal
from tenantscope_cost_explorer.forecasting.ahead import SHORTEST
from tenantscope_cost_explorer.forecasting.answers import (
    BackTest,
    Interval,
    MonthAhead,
    OthersAhead,
    TenantAhead,
)
from tenantscope_cost_explorer.forecasting.events import Event, overlaid
from tenantscope_cost_explorer.forecasting.outlook import Fleet, Outlook, between, of_fleet, of_row, of_series
from tenantscope_cost_explorer.forecasting.season import YEAR, Floats
from tenantscope_cost_explorer.forecasting.table import Table, begins

ZERO = Decimal(0)
LISTED = 5

Series = Mapping[str | None, Sequence[Decimal]]
"""Monthly sums by tenant (None: the residual), all as long as each other."""


class TooShort(Exception):
    """There is less history than a forecast needs; `months` is how much there is."""

    def __init__(self, months: int) -> None:
        super().__init__(months)
        self.months = months


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be forecast: of which tenant (None: all) how many months, after which, with what known to come."""

    tenant: str | None
    months: int
    after: Month
    events: Sequence[Event] = ()

    @property
    def first(self) -> Month:
        """The first month to come."""
        return self.after.shift(1)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The parts of an answer that are worked out."""

    months: list[MonthAhead]
    total: Decimal
    total_80: Interval
    total_95: Interval
    before: Decimal
    margin_total: Decimal | None
    tenants: list[TenantAhead] | None
    other: OthersAhead | None
    residual: Decimal | None
    back_test: BackTest
    intervals_from: str
    notes: list[str]
    history_months: int


def forecast(asked: Asked, costs: Series, revenues: Series | None, *, alone: bool) -> Forecast:
    """What comes of these costs; with margins where revenues are given. `alone`: there are no other tenants to see.

    Raises:
        TooShort: The series asked about is shorter than six months.
    """
    table = _table(costs, asked)
    parts: Fleet | None = None
    if alone:
        series = table.row(asked.tenant)
    else:
        series = table.whole[None, :] if asked.tenant is None else table.row(asked.tenant)
    length = series.shape[1] - int(begins(series)[0])
    if length < SHORTEST:
        raise TooShort(length)
    series = series[:, series.shape[1] - length :]
    if alone:
        cost = of_series(series, asked.months, table.last_month)
    else:
        whole, parts = of_fleet(table, asked.months)
        cost = whole if asked.tenant is None else of_row(parts, asked.tenant)
    revenue = None if revenues is None else _revenue(asked, revenues)
    months = _months(asked, cost, series, revenue)
    past = [sum(sums, ZERO) for sums in zip(*_chosen(costs, asked.tenant, alone=alone), strict=True)]
    exact = [month.cost for month in months]
    overlay = overlaid(exact, asked.first, asked.events, "cost")
    spread = cost.total_spread * max((abs(float(factor)) for factor, _ in overlay), default=1.0)
    total = sum(exact, ZERO)
    listed = _tenants(asked, parts, costs, cost) if parts is not None and asked.tenant is None else None
    return Forecast(
        months=months,
        total=total,
        total_80=_around(total, spread[0], floor=_floor(past)),
        total_95=_around(total, spread[1], floor=_floor(past)),
        before=round_half_even(sum(past[-asked.months :], ZERO)),
        margin_total=None if revenue is None else sum((m.margin for m in months if m.margin is not None), ZERO),
        tenants=None if listed is None else listed[0],
        other=None if listed is None else listed[1],
        residual=None if listed is None else listed[2],
        back_test=_back_test(cost),
        intervals_from=_source(cost, alone=alone, fleet=asked.tenant is None),
        notes=_notes(asked, cost, length),
        history_months=length,
    )


@dataclass(frozen=True, slots=True)
class _Revenue:
    ahead: Floats
    series: Floats


def _table(series: Series, asked: Asked) -> Table:
    names = sorted(series, key=lambda name: (name is None, name or ""))
    values = np.array([[float(amount) for amount in series[name]] for name in names], dtype=np.float64)
    return Table(list(names), values, asked.after.month - 1)


def _chosen(costs: Series, tenant: str | None, *, alone: bool) -> list[Sequence[Decimal]]:
    return list(costs.values()) if tenant is None and not alone else [costs[tenant]]


def _revenue(asked: Asked, revenues: Series) -> _Revenue | None:
    table = _table(revenues, asked)
    series = table.whole[None, :] if asked.tenant is None else table.row(asked.tenant)
    series = series[:, int(begins(series)[0]) :]
    if series.shape[1] < SHORTEST:
        return None
    return _Revenue(of_series(series, asked.months, table.last_month).ahead, series)


def _months(asked: Asked, cost: Outlook, series: Floats, revenue: _Revenue | None) -> list[MonthAhead]:
    base = [_money(value) for value in cost.ahead]
    of_cost = overlaid(base, asked.first, asked.events, "cost")
    floor = ZERO if (series >= 0).all() else None
    margins = None
    paid: list[Decimal] = []
    of_paid: list[tuple[Decimal, Decimal]] = []
    if revenue is not None:
        shared = min(series.shape[1], revenue.series.shape[1])
        margins = between(revenue.series[:, -shared:], series[:, -shared:], asked.months, asked.after.month - 1)[0]
        paid = [_money(value) for value in revenue.ahead]
        of_paid = overlaid(paid, asked.first, asked.events, "revenue")
    found: list[MonthAhead] = []
    for place, (value, (factor, added)) in enumerate(zip(base, of_cost, strict=True)):
        with_events = round_half_even(value * factor + added)
        widths = cost.spread[:, place] * abs(float(factor))
        month = MonthAhead(
            month=str(asked.first.shift(place)),
            cost=with_events,
            cost_80=_around(with_events, widths[0], floor=floor),
            cost_95=_around(with_events, widths[1], floor=floor),
            events=with_events - value if with_events != value else None,
        )
        if margins is not None:
            more, once = of_paid[place]
            income = round_half_even(paid[place] * more + once)
            margin = income - with_events
            month = month.model_copy(
                update={
                    "revenue": income,
                    "margin": margin,
                    "margin_80": _around(margin, margins[0, place]),
                    "margin_95": _around(margin, margins[1, place]),
                }
            )
        found.append(month)
    return found


def _tenants(
    asked: Asked, parts: Fleet, costs: Series, cost: Outlook
) -> tuple[list[TenantAhead], OthersAhead | None, Decimal]:
    """The costliest tenants to come, the others, and the residual: in cents that sum to the total without events."""
    names = parts.table.names
    sums = [Decimal(repr(float(value))) for value in parts.ahead.sum(axis=1)]
    whole = sum((_money(value) for value in cost.ahead), ZERO)
    order = sorted((place for place in range(len(names)) if names[place] is not None), key=lambda place: -sums[place])
    shown, rest = order[:LISTED], order[LISTED:]
    exact = [*(sums[place] for place in shown), sum((sums[place] for place in rest), ZERO)]
    # Each month of the total is rounded by itself, so it may be some cents off the sum of these.
    cents = deal(exact, exact=sum(sums, ZERO), cents=whole)

    def before(places: Sequence[int]) -> Decimal:
        return round_half_even(sum((sum(costs[names[place]][-asked.months :], ZERO) for place in places), ZERO))

    listed = [
        TenantAhead(tenant_id=str(names[place]), cost=amount, before=before([place]))
        for place, amount in zip(shown, cents, strict=False)
    ]
    other = OthersAhead(tenants=len(rest), cost=cents[len(shown)], before=before(rest)) if rest else None
    return listed, other, cents[-1]


def _around(value: Decimal, width: float, *, floor: Decimal | None = None) -> Interval:
    half = _money(width)
    low = value - half
    return Interval(low=low if floor is None else max(low, min(floor, value)), high=value + half)


def _floor(past: Sequence[Decimal]) -> Decimal | None:
    return ZERO if all(amount >= 0 for amount in past) else None


def _money(value: float) -> Decimal:
    return round_half_even(Decimal(repr(float(value))))


def _back_test(cost: Outlook) -> BackTest:
    score = cost.score
    return BackTest(
        forecasts=score.origins,
        error_percent=_one(score.mape),
        total_error_percent=_one(score.total_error),
        naive_error_percent=_one(score.naive_mape),
        seasonal_naive_error_percent=_one(score.seasonal_naive_mape),
        inside_80_percent=_one(cost.coverage[0]),
        inside_95_percent=_one(cost.coverage[1]),
    )


def _one(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _source(cost: Outlook, *, alone: bool, fleet: bool) -> str:
    if not cost.errors:
        return "a random walk with this series' own changes: too few past errors are known to tell widths from them"
    whose = "this series" if alone else "all tenants, scaled to the fleet's own" if fleet else "other tenants"
    return f"{cost.errors:,} past errors of {whose}"


def _notes(asked: Asked, cost: Outlook, length: int) -> list[str]:
    notes: list[str] = []
    if length < 2 * YEAR:
        learnt = "the fleet's season is used" if cost.season else "no season is in here"
        notes.append(f"{length} months of history cannot tell a season from chance: {learnt}.")
    if asked.months > length:
        notes.append("It looks further ahead than there is history.")
    if cost.score.mape is not None and cost.score.naive_mape is not None and cost.score.mape > cost.score.naive_mape:
        notes.append("In the past, to say that nothing changes would have been nearer.")
    return notes
