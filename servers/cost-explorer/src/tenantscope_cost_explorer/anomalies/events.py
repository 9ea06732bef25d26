"""Unusual spend: days and months that leave a series' baseline, made into events, and events that are one, into groups.

A day counts when it misses its baseline by the sensitivity's threshold and by a share of what was expected; an event is
two or more such days in a row, or one that misses by twice the threshold. After `LONGEST_EVENT` days a new level is the
normal one. Days that count are left out of the baseline of later ones.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Literal

from tenantscope_core.results.money import round_half_even

from tenantscope_cost_explorer.anomalies.baselines import (
    FEWEST_DAYS,
    FEWEST_MONTHS,
    MOST_MONTHS,
    REFERENCE_DAYS,
    Judged,
    judge_day,
    judge_month,
)

Sensitivity = Literal["low", "medium", "high"]
Kind = Literal["daily", "monthly", "one_off"]
ZERO = Decimal(0)
ALL = "*"
"""Stands for every tenant or feature of a service together."""
LONGEST_EVENT = 14
ONBOARDING_DAYS = 42
_ALONE = 2.0
_SAME_DAYS = 0.5


@dataclass(frozen=True, slots=True)
class Threshold:
    """How far a value must miss: in robust deviations, and as a share of what was expected."""

    score: float
    share: float


THRESHOLDS: Mapping[Sensitivity, Threshold] = {
    "low": Threshold(6.0, 1.0),
    "medium": Threshold(4.0, 0.3),
    "high": Threshold(3.0, 0.15),
}

FALSE_ALARMS: Mapping[Sensitivity, int] = {"low": 5, "medium": 20, "high": 70}
"""At most so many events a month in 1,000 series of steady noise, heavy-tailed noise included; tests count them."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Whose cost of what."""

    currency: str
    service: str
    tenant: str
    feature: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What a series cost on one day, with the quantity of its dearest unit."""

    cost: Decimal
    quantity: Decimal | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One day (or month, named by its first day) of an event; `expected` in cents."""

    key: Key
    day: date
    spent: Spent
    expected: Decimal

    @property
    def excess(self) -> Decimal:
        """Cost beyond what was expected."""
        return self.spent.cost - self.expected


@dataclass(frozen=True, slots=True)
class Event:
    """Days in a row on which one series left its baseline; `score` is that of its strongest day."""

    kind: Kind
    key: Key
    first: date
    last: date
    score: float | None
    rows: tuple[Row, ...]
    began_before: bool = False
    goes_on: bool = False

    @property
    def excess(self) -> Decimal:
        """Cost beyond what was expected."""
        return sum((row.excess for row in self.rows), ZERO)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Events that are one: the same days and direction, of one service or of one tenant."""

    members: tuple[Event, ...]

    @property
    def excess(self) -> Decimal:
        """Of all members."""
        return sum((one.excess for one in self.members), ZERO)

    @property
    def rows(self) -> list[Row]:
        """Of all members, the largest excess first."""
        return sorted(
            (row for one in self.members for row in one.rows), key=lambda row: (-abs(row.excess), row.day, row.key)
        )


@dataclass(frozen=True, slots=True)
class Days:
    """The days that are asked about, `first` to `last` included, and the day from which on costs are known."""

    known_from: date
    first: date
    last: date


def daily_events(
    key: Key, costs: Mapping[date, Spent], days: Days, tenant_since: date, sensitivity: Sensitivity
) -> list[Event]:
    """The events of one series within the days asked about; days without a cost are zero.

    Nothing is said of a tenant's first `ONBOARDING_DAYS`, nor before there are `FEWEST_DAYS` to judge by.
    """
    threshold = THRESHOLDS[sensitivity]
    start = max(days.known_from, tenant_since)
    judged_from = days.first - timedelta(days=LONGEST_EVENT)
    if tenant_since > days.known_from:
        judged_from = max(judged_from, tenant_since + timedelta(days=ONBOARDING_DAYS))
    series = [start + timedelta(days=n) for n in range((days.last - start).days + 1)]
    values = [float(costs[day].cost) if day in costs else 0.0 for day in series]
    expected, scores, left_out = list(values), [0.0] * len(values), [False] * len(values)
    since = run = 0
    for at, day in enumerate(series):
        reference = [i for i in range(max(since, at - REFERENCE_DAYS), at) if not left_out[i]]
        if day < judged_from or len(reference) < FEWEST_DAYS:
            run = 0
            continue
        judged = _at_month_start(judge_day(values, reference, at), values, day, at)
        counts = abs(judged.score) >= threshold.score and _misses_much(values[at], judged.expected, threshold)
        if not counts:
            run = 0
            continue
        run = run + 1 if run and (scores[at - 1] > 0) is (judged.score > 0) else 1
        expected[at], scores[at], left_out[at] = judged.expected, judged.score, True
        if run == LONGEST_EVENT:  # the new level is the normal one from here on, and the old one is forgotten
            since, run = at + 1 - LONGEST_EVENT, 0
            left_out[since : at + 1] = [False] * LONGEST_EVENT
    return [
        event
        for first, last in _runs(scores, threshold)
        if (
            event := _daily(
                key, costs, days, series[first : last + 1], expected[first : last + 1], scores[first : last + 1]
            )
        )
    ]


def monthly_events(
    key: Key,
    costs: Mapping[date, Decimal],
    months: Sequence[tuple[date, int]],
    asked_from: date,
    sensitivity: Sensitivity,
) -> list[Event]:
    """The asked months of a series, each by its first day with its length, that break with the months before them.

    `months` begin with the first that the series can be known in. The month after one that counts is held against what
    was expected of that one as well, so that going back to normal is no event.
    """
    threshold = THRESHOLDS[sensitivity]
    values = [float(costs.get(first, ZERO)) for first, _ in months]
    lengths = [length for _, length in months]
    usual = list(values)
    events: list[Event] = []
    for at, (first, length) in enumerate(months):
        if at < FEWEST_MONTHS:
            continue
        past = slice(max(0, at - MOST_MONTHS), at + 1)
        judged = min(
            (judge_month([*before[past][:-1], values[at]], lengths[past]) for before in (values, usual)),
            key=lambda one: abs(one.score),
        )
        if abs(judged.score) < threshold.score or not _misses_much(values[at], judged.expected, threshold):
            continue
        usual[at] = judged.expected
        if first >= asked_from:
            row = Row(key, first, Spent(costs.get(first, ZERO)), _cents(judged.expected))
            last = first + timedelta(days=length - 1)
            events.append(Event("monthly", key, first, last, judged.score, (row,), goes_on=at == len(months) - 1))
    return events


def one_off(key: Key, day: date, cost: Decimal) -> Event:
    """A charge that happens once: shown as what it is, unusual by its nature."""
    return Event("one_off", key, day, day, None, (Row(key, day, Spent(cost), ZERO),))


def remainder(totals: Mapping[date, Decimal], events: Iterable[Event]) -> dict[date, Decimal]:
    """A service's totals without the excess of events found in its series, so that no excess is found twice."""
    left = dict(totals)
    for event in events:
        for row in event.rows:
            left[row.day] = left.get(row.day, ZERO) - row.excess
    return left


def grouped(events: Iterable[Event]) -> list[Anomaly]:
    """Events as anomalies, the largest excess first.

    An event joins the largest one of its service, kind and direction that shares most of its days with it. What then is
    one tenant's alone joins, likewise, what else is that tenant's alone: one cause in several services.
    """
    services = _gathered([(event,) for event in events], lambda one: one.key.service)
    tenants = [{one.key.tenant for one in group} for group in services]
    alone = [group for group, of in zip(services, tenants, strict=True) if len(of) == 1 and ALL not in of]
    several = [group for group, of in zip(services, tenants, strict=True) if len(of) > 1 or ALL in of]
    found = [Anomaly(group) for group in (*several, *_gathered(alone, lambda one: one.key.tenant))]
    return sorted(found, key=lambda one: (-abs(one.excess), one.members[0].first, one.members[0].key))


def _gathered(groups: Iterable[tuple[Event, ...]], by: Callable[[Event], str]) -> list[tuple[Event, ...]]:
    """Groups joined where their largest events agree in `by`, kind, currency and direction, and share most days."""
    homes: dict[tuple[Kind, str, str, bool], list[list[Event]]] = defaultdict(list)
    for group in sorted(groups, key=lambda one: (-abs(one[0].excess), one[0].first, one[0].key)):
        head = group[0]
        alike = homes[head.kind, head.key.currency, by(head), head.excess > 0]
        home = next((one for one in alike if _shared(one[0], head) >= _SAME_DAYS), None)
        if home is None:
            alike.append(list(group))
        else:
            home.extend(group)
    return [tuple(home) for alike in homes.values() for home in alike]


def _misses_much(value: float, expected: float, threshold: Threshold) -> bool:
    return abs(value - expected) >= threshold.share * abs(expected)


def _at_month_start(judged: Judged, values: Sequence[float], day: date, at: int) -> Judged:
    """On the first of a month, what the first of the month before cost is no surprise."""
    before = at - ((day - timedelta(days=1)).day if day.day == 1 else at + 1)
    if before < 0 or values[before] <= judged.expected:
        return judged
    known = values[before] * (1 + THRESHOLDS["medium"].share)
    return Judged(values[before], 0.0 if values[at] <= known else judged.score)


def _runs(scores: Sequence[float], threshold: Threshold) -> Iterable[tuple[int, int]]:
    """First and last position of each run of scores with one sign that is long or strong enough."""
    at = 0
    for positive, group in groupby(scores, key=lambda score: (score > 0) - (score < 0)):
        run = list(group)
        first, at = at, at + len(run)
        strongest = max(abs(score) for score in run)
        if positive and (len(run) > 1 or strongest >= _ALONE * threshold.score):
            yield first, at - 1


def _daily(
    key: Key,
    costs: Mapping[date, Spent],
    days: Days,
    run: Sequence[date],
    expected: Sequence[float],
    scores: Sequence[float],
) -> Event | None:
    """A run as an event, as far as it lies within the days asked about."""
    inside = [n for n, day in enumerate(run) if days.first <= day <= days.last]
    if not inside:
        return None
    nothing = Spent(ZERO)
    rows = tuple(Row(key, run[n], costs.get(run[n], nothing), _cents(expected[n])) for n in inside)
    return Event(
        "daily",
        key,
        rows[0].day,
        rows[-1].day,
        max((scores[n] for n in inside), key=abs),
        rows,
        began_before=run[0] < days.first,
        goes_on=run[-1] == days.last,
    )


def _shared(one: Event, other: Event) -> float:
    """Days that both have as a share of the days that either has."""
    both = (min(one.last, other.last) - max(one.first, other.first)).days + 1
    either = (max(one.last, other.last) - min(one.first, other.first)).days + 1
    return max(both, 0) / either


def _cents(value: float) -> Decimal:
    return round_half_even(Decimal(repr(value)))
