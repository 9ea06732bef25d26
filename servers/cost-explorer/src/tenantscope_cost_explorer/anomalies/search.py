"""Every series judged, then what is left of each service, so that what many cause a little of is found, and once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tenantscope_cost_explorer.anomalies.events import (
    Anomaly,
    Days,
    Event,
    Key,
    Sensitivity,
    Spent,
    daily_events,
    grouped,
    monthly_events,
    remainder,
)

ByDay = dict[date, Spent]
ByDate = dict[date, Decimal]


@dataclass(frozen=True, slots=True)
class DailySeries:
    """Daily costs of the series that moved most, and of each service; `since` has the first day of each tenant.

    There are `series` of them in all; of those that are not here, no day departs by more than `unseen` from the mean of
    its past, nor the whole period from as many days of it. `new_tenants` are not judged on the period's last day, and
    not part of the totals.
    """

    costs: dict[Key, ByDay]
    totals: dict[Key, ByDate]
    since: dict[str, date]
    series: int
    unseen: float
    new_tenants: int


@dataclass(frozen=True, slots=True)
class MonthlySeries:
    """Sums, by the first day of each month, of costs that are known by the month only."""

    costs: dict[Key, ByDate]
    totals: dict[Key, ByDate]
    since: dict[str, date]
    series: int


def search(
    daily: DailySeries,
    monthly: MonthlySeries,
    one_offs: Iterable[Event],
    days: Days,
    months: Sequence[tuple[date, int]],
    sensitivity: Sensitivity,
) -> list[Anomaly]:
    """All anomalies, the largest excess first. What is known by the day and by the month are different charges."""
    events = [
        event
        for key, costs in sorted(daily.costs.items(), key=lambda one: one[0])
        for event in daily_events(key, costs, days, daily.since[key.tenant], sensitivity)
    ]
    found = _by_service(events)
    for key, totals in sorted(daily.totals.items(), key=lambda one: one[0]):
        left = remainder(totals, found[key.currency, key.service])
        spent = {day: Spent(cost) for day, cost in left.items()}
        events += daily_events(key, spent, days, days.known_from, sensitivity)
    shared = [
        event
        for key, costs in sorted(monthly.costs.items(), key=lambda one: one[0])
        for event in monthly_events(key, costs, _from(months, monthly.since[key.tenant]), days.first, sensitivity)
    ]
    found = _by_service(shared)
    for key, totals in sorted(monthly.totals.items(), key=lambda one: one[0]):
        left = remainder(totals, found[key.currency, key.service])
        shared += monthly_events(key, left, months, days.first, sensitivity)
    return grouped([*events, *shared, *one_offs])


def _by_service(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    found: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        found[event.key.currency, event.key.service].append(event)
    return found


def _from(months: Sequence[tuple[date, int]], since: date) -> list[tuple[date, int]]:
    return [month for month in months if month[0] >= since]
