"""What a month that still runs may come to: the days ahead as the days of late were. A run rate, not a forecast."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import Meter
from tenantscope_pricing.segments import QUANTUM, Daily, Quantities

WINDOW_DAYS = 28
WEEKDAYS_FROM_DAYS = 14
"""History from which on a day is taken to be like the same weekday; with less, like the mean of all days."""


def run_rate(
    daily: Daily, meters: Mapping[str, Meter], month: Month, today: date
) -> tuple[dict[date, Quantities], str]:
    """The quantities of a running month's days, those ahead filled in, and the method in words.

    A day ahead, and today where it is higher, is the mean of the same weekday in the last 28 days before today with
    data. Of less than 14 days of history it is their mean. Meters of seats stay at their highest day so far.
    """
    first, after = month.first_day, month.shift(1).first_day
    known = sorted(day for day in daily if day < today)
    days: dict[date, Quantities] = {day: used for day, used in daily.items() if first <= day < after}
    if not known:
        return days, "nothing used before today, so nothing is added"
    last = known[-1]
    start = max(known[0], last - timedelta(days=WINDOW_DAYS - 1))
    history = [start + timedelta(days=n) for n in range((last - start).days + 1)]
    by_weekday = len(history) >= WEEKDAYS_FROM_DAYS
    for number in range((after - first).days):
        day = first + timedelta(days=number)
        if day > last:
            like = [one for one in history if not by_weekday or one.weekday() == day.weekday()]
            seen = daily.get(day, {})
            days[day] = {
                name: max(seen.get(name, Decimal(0)), _mean([daily.get(one, {}).get(name, Decimal(0)) for one in like]))
                for name, meter in meters.items()
                if meter.aggregate == "sum"
            } | {name: used for name, used in seen.items() if meters[name].aggregate == "max"}
    kind = "the mean of the same weekday" if by_weekday else "the mean"
    return days, f"use so far, and each day after {last} as {kind} of the {len(history)} days to {last}"


def _mean(values: list[Decimal]) -> Decimal:
    return (sum(values, Decimal(0)) / len(values)).quantize(QUANTUM, rounding=ROUND_HALF_EVEN)
