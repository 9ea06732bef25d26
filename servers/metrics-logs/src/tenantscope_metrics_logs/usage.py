"""Quantities of days and hours made into figures of a period: what adds up is added up, and nothing else is.

People are different people within a day (and, where `monthly_users` says so, within a month), so over days only the
busiest day and the mean day can be told. A percentile of several percentiles is none: what stands for them is their
median weighted by requests, that is the value at which half of all requests fell into days (or hours) no slower than
that, and the highest of them beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from tenantscope_core.results.answers import percent
from tenantscope_core.results.periods import Month, Period

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.models import Figures

TOKENS_IN, TOKENS_OUT, TOKENS_CACHED, MODEL_REQUESTS = "tokens_in", "tokens_out", "tokens_cached", "model_requests"
TOKENS = (TOKENS_IN, TOKENS_OUT, TOKENS_CACHED, MODEL_REQUESTS)
_WHOLE = (metrics.ERRORS, metrics.CLIENT_ERRORS, metrics.THROTTLED, metrics.BYTES, *TOKENS)


@dataclass(frozen=True, slots=True)
class Quantity:
    """What one metric came to on one day."""

    day: date
    metric: str
    unit: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles over several days or hours, in milliseconds: weighted medians, and the highest p95."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    p95_ms_worst: float | None = None


@dataclass(slots=True)
class Measured:
    """What is known of a stretch of time.

    `summed` are quantities that add up; `people` the different people of each day; `all_people` those of the whole
    stretch, where they were counted over it.
    """

    summed: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    people: list[int] = field(default_factory=list[int])
    all_people: int | None = None
    latency: Latency = Latency()
    tenants: int | None = None

    def add(self, metric: str, quantity: Decimal) -> None:
        """Add a quantity that adds up."""
        self.summed[metric] = self.summed.get(metric, Decimal(0)) + quantity


@dataclass(frozen=True, slots=True)
class Span:
    """What a question is answered from: a period, the one before where it is known, and the rows over time.

    `length` is how long the period is so far, as a multiple of the one before.
    """

    period: str
    total: Measured
    compared_with: str | None = None
    before: Measured | None = None
    rows: Mapping[str, Measured] = field(default_factory=dict[str, Measured])
    length: float = 1.0


def measured(quantities: Iterable[Quantity], period: Period) -> Measured:
    """What the quantities of the days of a period come to."""
    found = Measured()
    months: dict[date, int] = {}
    for one in quantities:
        if not period.start <= one.day < period.end:
            continue
        if one.metric == metrics.USERS:
            found.people.append(int(one.quantity))
        elif one.metric == metrics.MONTHLY_USERS:
            months[one.day] = int(one.quantity)
        elif one.metric not in metrics.LATENCY:
            found.add(one.metric, one.quantity)
    if period.days == 1 and found.people:
        found.all_people = found.people[0]
    elif period.is_whole_months and len(period.months) == 1:
        found.all_people = months.get(period.start)
    return found


def by_time(quantities: Sequence[Quantity], period: Period, group_by: str) -> dict[str, Measured]:
    """The same day by day or month by month, within the period; of what has nothing there is none."""
    names = {(str(one.day) if group_by == "day" else str(one.day)[:7]): None for one in quantities}
    stretches = {name: _within(_stretch(name), period) for name in sorted(names)}
    found = {name: measured(quantities, stretch) for name, stretch in stretches.items() if stretch is not None}
    return {name: one for name, one in found.items() if one.summed or one.people}


def _stretch(name: str) -> Period:
    if len(name) == len("2026-09"):
        month = Month.parse(name)
        return Period.of_months(month, month)
    first = date.fromisoformat(name)
    return Period(first, date.fromordinal(first.toordinal() + 1))


def _within(stretch: Period, period: Period) -> Period | None:
    common = Period(max(stretch.start, period.start), min(stretch.end, period.end))
    return common if common.days > 0 else None


def figures(found: Measured) -> Figures:
    """The figures of a stretch of time; what was not measured is None."""
    summed = found.summed
    requests = summed.get(metrics.REQUESTS)
    errors = summed.get(metrics.ERRORS)
    took = summed.get(metrics.REQUEST_MS)
    several = found.people if len(found.people) > 1 or found.all_people is None else []
    return Figures(
        requests=_whole(requests),
        error_percent=None if requests is None or errors is None else percent(errors, requests),
        users=found.all_people,
        users_busiest_day=max(several, default=None),
        users_mean_day=round(sum(several) / len(several), 1) if several else None,
        mean_ms=None if took is None or not requests else round(float(took / requests), 1),
        p50_ms=found.latency.p50_ms,
        p95_ms=found.latency.p95_ms,
        p95_ms_worst=None if found.latency.p95_ms_worst == found.latency.p95_ms else found.latency.p95_ms_worst,
        tenants=found.tenants,
        **{name: _whole(summed.get(name)) for name in _WHOLE},
    )


def change_percent(now: Decimal | int | None, before: Decimal | int | None, length: float = 1.0) -> float | None:
    """By how much something changed, in per cent of what it was; None where either is unknown or it was nothing.

    `length` is how long the time of `now` is, as a multiple of the time of `before`: rates are compared, so that a
    month that still runs has not fallen.
    """
    if now is None or before is None or before <= 0 or length <= 0:
        return None
    return round((float(now) / (float(before) * length) - 1) * 100, 1)


def weighted_median(values: Iterable[tuple[float, float]]) -> float | None:
    """The lowest value at which half of the weight is reached, from (value, weight); None without any weight."""
    ordered = sorted((value, weight) for value, weight in values if weight > 0)
    half, reached = sum(weight for _, weight in ordered) / 2, 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= half:
            return value
    return None


def _whole(quantity: Decimal | None) -> int | None:
    return None if quantity is None else round(quantity)
