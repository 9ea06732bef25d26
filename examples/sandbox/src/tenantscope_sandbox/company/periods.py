"""The twelve months that the company has behind it."""

from datetime import date, timedelta

FIRST_DAY = date(2025, 11, 1)
LAST_DAY = date(2026, 10, 31)
DAYS: tuple[date, ...] = tuple(FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
MONTH_OF_DAY: tuple[str, ...] = tuple(day.strftime("%Y-%m") for day in DAYS)
MONTHS: tuple[str, ...] = tuple(dict.fromkeys(MONTH_OF_DAY))


def day_number(day: date) -> int:
    """Days since the first day of the data."""
    return (day - FIRST_DAY).days


def first_day(month: str) -> date:
    """First day of a `YYYY-MM` month."""
    return date.fromisoformat(f"{month}-01")


def next_month(month: str) -> date:
    """First day of the month after a `YYYY-MM` month."""
    return (first_day(month) + timedelta(days=32)).replace(day=1)


def days_of(month: str) -> range:
    """Day numbers of a month."""
    return range(day_number(first_day(month)), day_number(next_month(month)))
