"""Quantities made into figures: what adds up adds up, and what does not is never added."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.periods import Period
from tenantscope_metrics_logs import recent
from tenantscope_metrics_logs.models import Figures
from tenantscope_metrics_logs.usage import (
    Latency,
    Measured,
    Quantity,
    Span,
    by_time,
    change_percent,
    figures,
    measured,
    weighted_median,
)
from tenantscope_metrics_logs.usage_report import rows_of, usage_report

SEPTEMBER = Period(date(2026, 9, 1), date(2026, 10, 1))
NOON = datetime(2026, 10, 5, 12, 20, tzinfo=UTC)
SUMMED = ("requests", "errors", "throttled", "bytes", "tokens_in")


def quantity(day: int, metric: str, count: int | str, month: int = 9) -> Quantity:
    return Quantity(date(2026, month, day), metric, "", Decimal(count))


@st.composite
def quantities(draw: st.DrawFn) -> list[Quantity]:
    """At most one of each metric a day, over August and September."""
    keys = st.tuples(st.dates(date(2026, 8, 1), date(2026, 9, 30)), st.sampled_from((*SUMMED, "users")))
    found = draw(st.dictionaries(keys, st.integers(0, 10**9), max_size=40))
    return [Quantity(day, metric, "", Decimal(count)) for (day, metric), count in found.items()]


def test_figures_of_a_month():
    days = [quantity(day, "requests", 100) for day in (1, 2, 3)] + [quantity(2, "errors", 3), quantity(1, "bytes", 9)]
    people = [quantity(1, "users", 4), quantity(2, "users", 7), quantity(1, "monthly_users", 8)]
    found = figures(measured([*days, *people, quantity(3, "request_ms", 4_500)], SEPTEMBER))
    assert found == Figures(
        requests=300, errors=3, error_percent=1.0, bytes=9, users=8, users_busiest_day=7, users_mean_day=5.5,
        mean_ms=15.0,
    )  # fmt: skip


def test_people_are_never_added_up_over_days_or_months():
    people = [quantity(1, "users", 4), quantity(2, "users", 4), quantity(1, "monthly_users", 5)]
    before = [quantity(1, "monthly_users", 6, month=8), quantity(9, "users", 6, month=8)]
    month = figures(measured([*people, *before], SEPTEMBER))
    assert (month.users, month.users_busiest_day) == (5, 4)
    both = figures(measured([*people, *before], Period(date(2026, 8, 1), date(2026, 10, 1))))
    assert (both.users, both.users_busiest_day) == (None, 6)
    week = figures(measured([*people, *before], Period(date(2026, 9, 1), date(2026, 9, 8))))
    assert (week.users, week.users_busiest_day) == (None, 4)


def test_a_day_tells_its_people_once():
    day = figures(
        measured([quantity(1, "users", 4), quantity(1, "monthly_users", 5)], Period(date(2026, 9, 1), date(2026, 9, 2)))
    )
    assert (day.users, day.users_busiest_day, day.users_mean_day) == (4, None, None)


def test_what_was_not_measured_is_left_out_and_no_zero():
    assert figures(Measured()) == Figures()
    assert figures(measured([quantity(1, "requests", 5)], SEPTEMBER)) == Figures(requests=5)


@given(quantities(), st.sampled_from(["day", "month"]), st.integers(1, 40))
def test_rows_and_other_sum_to_the_total(found: list[Quantity], group_by: str, limit: int):
    total = figures(measured(found, SEPTEMBER))
    rows, other = rows_of(by_time(found, SEPTEMBER, group_by), limit, without=set())
    parts = [*rows, *([other] if other else [])]
    for name in SUMMED:
        counted = [getattr(part, name) for part in parts if getattr(part, name) is not None]
        assert (sum(counted) if counted else None) == getattr(total, name)
    assert [row.name for row in rows] == sorted(row.name for row in rows)
    assert len(rows) <= limit


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 20)), max_size=30))
def test_half_of_the_weight_is_no_higher_than_the_weighted_median(values: list[tuple[float, int]]):
    found = weighted_median(values)
    each = sorted(value for value, weight in values for _ in range(weight))
    assert found == (each[(len(each) - 1) // 2] if each else None)


def test_rates_are_compared_so_that_a_running_month_has_not_fallen():
    assert change_percent(50, 310, length=5 / 31) == 0.0
    assert change_percent(50, 100) == -50.0
    assert change_percent(5, 0) is None
    assert change_percent(None, 5) is None


def test_metrics_of_the_companys_own_are_listed_with_their_units():
    total = Measured({"requests": Decimal(1), **{f"own_{n:02d}": Decimal("1.5") for n in range(12)}})
    report = usage_report(
        Span("2026-09", total), of="acme", source="rollup", group_by="total", limit=5, units={"own_00": "GB"}, next=""
    )
    assert [one.metric for one in report.further] == [f"own_{n:02d}" for n in range(10)]
    assert (report.further[0].unit, report.further[0].quantity, report.further_count) == ("GB", 1.5, 12)


def hours(values: list[float]) -> dict[datetime, float]:
    """Points of the whole hours before and with noon, the last of them noon's."""
    last = NOON.replace(minute=0)
    return {last - timedelta(hours=back): value for back, value in enumerate(reversed(values))}


def test_the_last_hours_are_the_running_one_and_whole_ones():
    assert recent.last(1, NOON) == (datetime(2026, 10, 5, 12, tzinfo=UTC), NOON)
    assert recent.last(24, NOON)[0] == datetime(2026, 10, 4, 13, tzinfo=UTC)


def test_hours_are_summed_and_their_percentiles_are_not():
    points = {
        "requests": hours([1, 1, 8, 2]),
        "errors": hours([0, 0, 1, 0]),
        "mean_ms": hours([5, 5, 100, 50]),
        "p95_ms": hours([1, 1, 300, 900]),
    }
    since, until = recent.last(2, NOON)
    span = recent.span(points, since, until, "hour")
    total = figures(span.total)
    assert (total.requests, total.errors, total.error_percent, total.mean_ms) == (10, 1, 10.0, 90.0)
    assert (total.p95_ms, total.p95_ms_worst) == (300.0, 900.0)
    assert list(span.rows) == ["2026-10-05T11:00Z", "2026-10-05T12:00Z"]
    assert span.before is not None
    assert figures(span.before).requests == 2
    assert span.length == pytest.approx(80 / 120)
    assert span.compared_with == "2026-10-05T09:00Z..2026-10-05T11:00Z"


def test_hours_of_two_days_are_two_rows():
    since, until = recent.last(24, NOON)
    rows = recent.span({"requests": hours([1.0] * 30)}, since, until, "day").rows
    assert {name: one.summed["requests"] for name, one in rows.items()} == {"2026-10-04": 11, "2026-10-05": 13}


def test_a_percentile_without_requests_beside_it_weighs_one():
    assert recent.measured({"p95_ms": hours([10, 20, 30])}, NOON - timedelta(hours=4), NOON).latency == Latency(
        None, 20.0, 30.0
    )
