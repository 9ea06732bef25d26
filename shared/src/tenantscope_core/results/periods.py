"""Periods as people write them: a month, a range of months or days, or the latest month that has data."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from tenantscope_core.results.errors import InvalidArgument

LATEST = "latest"
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_DAYS = 3_660

FORMS = "'2026-09', '2026-07..2026-09', '2026-09-01..2026-09-15' or 'latest'"


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """A month from `YYYY-MM`.

        Raises:
            ValueError: It is not one.
        """
        match = _MONTH.fullmatch(text)
        if match is None or not 1 <= int(match[2]) <= 12 or int(match[1]) < 1900:
            raise ValueError(f"not a month: {text!r}")
        return cls(int(match[1]), int(match[2]))

    def shift(self, months: int) -> "Month":
        """The month that many months later (earlier when negative)."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    @property
    def first_day(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` up to and without `end`."""

    start: date
    end: date

    @classmethod
    def of_months(cls, first: Month, last: Month) -> "Period":
        """Whole months, both included."""
        return cls(first.first_day, last.shift(1).first_day)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def months(self) -> tuple[Month, ...]:
        """Every month it touches."""
        first = Month(self.start.year, self.start.month)
        last_day = self.end - timedelta(days=1)
        count = (last_day.year - first.year) * 12 + last_day.month - first.month + 1
        return tuple(first.shift(n) for n in range(count))

    @property
    def month_names(self) -> list[str]:
        """The names of the months it touches, in order."""
        return [str(month) for month in self.months]

    @property
    def is_whole_months(self) -> bool:
        """Whether it begins and ends with a month."""
        return self.start.day == 1 and self.end.day == 1

    def before(self) -> "Period":
        """The period of the same length just before: as many months for whole months, else as many days."""
        if self.is_whole_months:
            first = self.months[0]
            return Period(first.shift(-len(self.months)).first_day, self.start)
        return Period(self.start - timedelta(days=self.days), self.start)

    def __str__(self) -> str:
        if self.is_whole_months:
            months = self.months
            return str(months[0]) if len(months) == 1 else f"{months[0]}..{months[-1]}"
        return f"{self.start}..{self.end - timedelta(days=1)}"


def parse_period(text: str, *, latest: Month | None, parameter: str = "period") -> Period:
    """The period that a caller wrote; `latest` is the newest month with data, None where there is none.

    Raises:
        InvalidArgument: The text is no period, ends before it starts, is longer than ten years, or says `latest`
            where no month has data.
    """
    if text == LATEST:
        if latest is None:
            raise InvalidArgument("There is no data yet, so there is no latest month.", parameter=parameter)
        return Period.of_months(latest, latest)
    first, separator, last = text.partition("..")
    try:
        if _MONTH.fullmatch(first):
            period = Period.of_months(Month.parse(first), Month.parse(last if separator else first))
        elif separator:
            period = Period(_day(first), _day(last) + timedelta(days=1))
        else:
            day = _day(first)
            period = Period(day, day + timedelta(days=1))
    except (ValueError, OverflowError):
        raise InvalidArgument(f"{parameter} must be {FORMS}.", parameter=parameter) from None
    if period.days <= 0:
        raise InvalidArgument(f"{parameter} ends before it starts.", parameter=parameter)
    if period.days > _LONGEST_DAYS:
        raise InvalidArgument(f"{parameter} is longer than ten years; ask for less.", parameter=parameter)
    return period


def _day(text: str) -> date:
    """A day as `YYYY-MM-DD`; the other forms of ISO 8601 are not what people write here.

    Raises:
        ValueError: It is not one.
    """
    if _DAY.fullmatch(text) is None:
        raise ValueError("not a day")
    return date.fromisoformat(text)
