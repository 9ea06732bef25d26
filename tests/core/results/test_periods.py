"""Periods as people write them."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import Month, Period, parse_period

LATEST = Month(2026, 10)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("latest", date(2026, 10, 1), date(2026, 11, 1)),
        ("2026-09", date(2026, 9, 1), date(2026, 10, 1)),
        ("2025-12..2026-01", date(2025, 12, 1), date(2026, 2, 1)),
        ("2026-02-28..2026-03-01", date(2026, 2, 28), date(2026, 3, 2)),
        ("2026-09-15", date(2026, 9, 15), date(2026, 9, 16)),
    ],
)
def test_a_period_is_read_and_written_back_alike(text: str, start: date, end: date):
    period = parse_period(text, latest=LATEST)
    assert (period.start, period.end) == (start, end)
    assert parse_period(str(period), latest=None) == period


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13", "2026-00", "2026-9", "2026-09..", "..", "2026-09..2026-08", "2026-02-30",
             "0000-01", "9999-12", "2026-09-02..2026-09-01", "1900-01..2026-01", "2026-09..2026-09-02", "2026-09..*"],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_the_forms_that_are(text: str):
    with pytest.raises(InvalidArgument) as refused:
        parse_period(text, latest=LATEST)
    assert refused.value.parameter == "period"


def test_latest_is_refused_where_no_month_has_data():
    with pytest.raises(InvalidArgument):
        parse_period("latest", latest=None)


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(1, 800))
def test_the_period_before_ends_where_this_one_starts(start: date, days: int):
    period = Period(start, date.fromordinal(start.toordinal() + days))
    before = period.before()
    assert before.end == period.start
    assert len(before.months) == len(period.months) if period.is_whole_months else before.days == period.days


@given(st.text(max_size=30))
def test_any_text_is_a_period_or_a_refusal(text: str):
    with suppress(InvalidArgument):
        assert parse_period(text, latest=LATEST).days > 0
