"""What one process counts: refusals and failures told apart, months and minutes kept apart, all of it bounded."""

from datetime import UTC, datetime, timedelta

import pytest
from core.metering.conftest import call
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.metering.tally import FIELDS, MINUTES_KEPT, Tallies, Tally, minute_of

NOW = datetime(2026, 10, 31, 23, 59, 30, tzinfo=UTC)


def sums(tally: Tally, month: str = "2026-10") -> dict[str, float]:
    return dict(zip(FIELDS, tally.months[month], strict=True))


@pytest.mark.parametrize(
    ("outcome", "refused", "failed"),
    [
        ("ok", 0, 0), ("cancelled", 0, 0), ("invalid_argument", 1, 0), ("rate_limited", 1, 0), ("not_permitted", 1, 0),
        ("unavailable", 0, 1), ("internal_error", 0, 1), ("data_fault", 0, 1), ("not_set_up", 0, 1),
    ],
)  # fmt: skip
def test_a_call_is_refused_where_the_caller_can_mend_it_and_failed_where_we_must(
    outcome: str, refused: int, failed: int
):
    tally = Tally()
    tally.add(call(outcome=outcome), NOW)
    assert sums(tally) == {
        "calls": 1, "refused": refused, "failed": failed, "milliseconds": 10, "answer_bytes": 400, "answer_tokens": 100,
    }  # fmt: skip


def test_a_month_ends_where_utc_ends_it_and_so_does_a_minute():
    tally = Tally()
    for at in (NOW, NOW + timedelta(seconds=30), NOW + timedelta(seconds=31)):
        tally.add(call(), at)
    assert (sums(tally)["calls"], sums(tally, "2026-11")["calls"]) == (1, 2)
    assert tally.minutes == {minute_of(NOW): 1, minute_of(NOW) + 1: 2}
    assert tally.last == NOW + timedelta(seconds=31)


def test_the_provider_at_work_on_a_tenant_adds_to_its_month_and_does_not_make_it_active():
    tally = Tally()
    tally.add(call(audience="provider"), NOW)
    assert (sums(tally)["calls"], tally.minutes, tally.last) == (1, {}, None)


def test_a_call_over_the_rate_was_not_let_in():
    tally = Tally()
    tally.add(call(outcome="rate_limited"), NOW)
    assert (tally.minutes, tally.last) == ({}, NOW)


@pytest.mark.parametrize(
    "record", [call(None), call(outcome="tenant_suspended"), call(outcome="tenant_not_registered")]
)
def test_who_is_nobody_or_switched_off_leaves_no_trace(record: object):
    tallies = Tallies(10)
    tallies.add(record, NOW)  # pyright: ignore[reportArgumentType]
    assert len(tallies) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 100_000)), max_size=200))
def test_whatever_comes_no_more_is_kept_than_the_bounds_say(calls: list[tuple[int, int]]):
    tallies = Tallies(3)
    at = NOW
    for tenant, seconds in calls:
        at += timedelta(seconds=seconds)
        tallies.add(call(f"t{tenant}"), at)
    left_out = tallies.left_out
    kept = dict(tallies.take())
    assert len(kept) <= 3
    assert all(len(tally.minutes) <= MINUTES_KEPT for tally in kept.values())
    assert sum(month[0] for tally in kept.values() for month in tally.months.values()) + left_out == len(calls)
    assert (len(tallies), tallies.left_out) == (0, 0)
