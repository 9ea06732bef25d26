"""The days of a month by the terms of a contract, and what a part of a month is of a whole one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import Book, Contract, Meter, Plan, Term, Version

QUANTUM = Decimal("0.000001")
"""What a quantity is counted in."""
_DIGITS = 60


@dataclass(frozen=True, slots=True)
class Segment:
    """Days of one month under one term and plan, `end` excluded."""

    month: Month
    start: date
    end: date
    term: Term
    version: Version
    plan: Plan

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def month_days(self) -> int:
        """How many days the whole month has."""
        return (self.month.shift(1).first_day - self.month.first_day).days

    @property
    def is_whole(self) -> bool:
        """Whether it counts as a whole month: it is one, or its plan is not prorated."""
        return self.days == self.month_days or not self.plan.prorated

    def part_of(self, value: Decimal, unit: Decimal) -> Decimal:
        """Its part, in whole `unit`s, of something that is a whole month's.

        It is the difference between what is due by its end and what was due by its start, each rounded half to even, so
        that the parts of a month sum to the whole.
        """
        if self.is_whole:
            return value
        before = (self.start - self.month.first_day).days
        return _share(value, before + self.days, self.month_days, unit) - _share(value, before, self.month_days, unit)

    def held(self, quantity: Decimal) -> Decimal:
        """What it is to have had this many (of seats) for its days, in units times months."""
        return quantity if self.is_whole else _share(quantity, self.days, self.month_days, QUANTUM)


def segments(book: Book, contract: Contract, month: Month) -> tuple[Segment, ...]:
    """The terms that have days in a month, in order of time; none where the contract does not cover it.

    Raises:
        LookupError: The book has no plan for a term, see `Book.plan_of`.
    """
    first, after = month.first_day, month.shift(1).first_day
    found: list[Segment] = []
    for term in contract.terms:
        start = max(term.since, first)
        end = after if term.through is None else min(term.through + timedelta(days=1), after)
        if start < end:
            found.append(Segment(month, start, end, term, *book.plan_of(term, month)))
    return tuple(found)


Quantities = Mapping[str, Decimal]
"""The quantity of each meter; one that is not named was not used."""
Daily = Mapping[date, Quantities]
"""The quantities of each day; a day that is not there saw no use."""


def quantities(daily: Daily, segment: Segment, meters: Mapping[str, Meter]) -> dict[str, Decimal]:
    """What was used on the days of a segment: summed up, or the highest day's for meters of seats."""
    found: dict[str, Decimal] = {}
    for day, used in daily.items():
        if segment.start <= day < segment.end:
            for name, quantity in used.items():
                before = found.get(name, Decimal(0))
                found[name] = max(before, quantity) if meters[name].aggregate == "max" else before + quantity
    return found


def by_segment(book: Book, contract: Contract, month: Month, daily: Daily) -> list[dict[str, Decimal]]:
    """What was used in each of a contract's segments of a month."""
    return [quantities(daily, part, book.meters) for part in segments(book, contract, month)]


def months_between(first: Month, last: Month) -> list[Month]:
    """The months from one to another, both included."""
    months = [first]
    while months[-1] < last:
        months.append(months[-1].shift(1))
    return months


def _share(value: Decimal, days: int, of: int, unit: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        return (value * days / of).quantize(unit, rounding=ROUND_HALF_EVEN)
