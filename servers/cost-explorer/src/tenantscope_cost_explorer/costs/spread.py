"""Charges that reach over the edge of a period, or over several days, spread evenly over the days they cover."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext

from tenantscope_core.results.periods import Period

_DIGITS = 60


@dataclass(frozen=True, slots=True)
class Stretch:
    """The days that charges cover, `end` excluded."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many; at least one."""
        return max((self.end - self.start).days, 1)


def part_within(cost: Decimal, stretch: Stretch, period: Period) -> Decimal:
    """The part of a cost that falls on the days of a period."""
    shared = min(stretch.end, period.end) - max(stretch.start, period.start)
    return _fraction(cost, max(shared.days, 0), stretch.days)


def by_day(cost: Decimal, stretch: Stretch, period: Period) -> Iterator[tuple[date, Decimal]]:
    """A cost that belongs to the period as a whole, day by day; what lies outside counts for the nearest day in it."""
    first, last = period.start, period.end - timedelta(days=1)
    start, end = min(max(stretch.start, first), last), min(max(stretch.end - timedelta(days=1), first), last)
    days = (end - start).days + 1
    for number in range(days):
        yield start + timedelta(days=number), _fraction(cost, 1, days)


def _fraction(cost: Decimal, days: int, of: int) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        return cost if days == of else cost * days / of
