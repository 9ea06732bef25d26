"""Days and months that leave their baseline: what is found, what is none, and how often noise is taken for one."""

import math
import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenantscope_cost_explorer.anomalies.events import (
    ALL,
    FALSE_ALARMS,
    LONGEST_EVENT,
    Anomaly,
    Days,
    Event,
    Key,
    Row,
    Sensitivity,
    Spent,
    daily_events,
    grouped,
    monthly_events,
    one_off,
    remainder,
)

KEY = Key("USD", "AWS Data Transfer", "acme", "(none)")
SINCE = date(2026, 7, 7)  # 56 days before September
DAYS = Days(SINCE, date(2026, 9, 1), date(2026, 9, 30))
LONG_AGO = date(2026, 7, 7)
WEEK = (1.08, 1.12, 1.1, 1.06, 1.0, 0.72, 0.62)


def spent(costs: Sequence[float], first: date = SINCE) -> dict[date, Spent]:
    return {
        first + timedelta(days=n): Spent(Decimal(repr(round(cost, 12)))) for n, cost in enumerate(costs) if cost != 0
    }


def found(costs: Sequence[float], sensitivity: Sensitivity = "medium", since: date = LONG_AGO) -> list[Event]:
    return daily_events(KEY, spent(costs), DAYS, since, sensitivity)


def noisy(seed: int, spread: float = 0.12, level: float = 10.0) -> list[float]:
    """86 days of a weekly pattern with log-normal noise."""
    rng = random.Random(seed)
    return [level * WEEK[(SINCE + timedelta(days=n)).weekday()] * math.exp(spread * rng.gauss(0, 1)) for n in range(86)]


def at(day: date) -> int:
    return (day - SINCE).days


def test_four_days_of_eight_times_the_usual_are_one_event_with_their_excess() -> None:
    costs = noisy(1)
    usual = sum(costs[at(date(2026, 9, 8)) : at(date(2026, 9, 12))])
    for n in range(at(date(2026, 9, 8)), at(date(2026, 9, 12))):
        costs[n] *= 8
    (event,) = found(costs)
    assert (event.first, event.last, event.goes_on) == (date(2026, 9, 8), date(2026, 9, 11), False)
    assert float(event.excess) == pytest.approx(7 * usual, rel=0.05)
    assert event.score is not None
    assert event.score > 4


def test_a_drop_to_nothing_is_an_event_of_negative_excess() -> None:
    costs = noisy(2)
    costs[-3:] = [0.0] * 3
    (event,) = found(costs)
    assert (event.first, event.goes_on, event.excess < -15) == (date(2026, 9, 28), True, True)


def test_weekends_are_no_events() -> None:
    assert found([10.0 * WEEK[(SINCE + timedelta(days=n)).weekday()] for n in range(86)], "high") == []


def test_a_fee_on_the_first_of_each_month_is_none() -> None:
    costs = [2.0] * 86
    for first in (date(2026, 8, 1), date(2026, 9, 1)):
        costs[at(first)] = 150.0
    assert found(costs) == []
    costs[at(date(2026, 9, 1))] = 400.0
    (event,) = found(costs)
    assert event.excess == 250


def test_a_single_day_has_to_be_stronger_than_days_in_a_row() -> None:
    once, twice = noisy(3), noisy(3)
    double = [23 * WEEK[(SINCE + timedelta(days=n)).weekday()] for n in range(86)]
    once[60] = double[60]
    twice[60:62] = double[60:62]
    assert found(once) == []
    assert len(found(twice)) == 1


def test_a_new_tenant_is_not_judged_while_it_grows() -> None:
    since = date(2026, 8, 1)
    ramp = [0.0] * 25 + [20.0 + 0.8 * n for n in range(61)]
    assert found(ramp, since=since) == []
    ramp[-2:] = [900.0, 900.0]  # after six weeks it is
    assert len(found(ramp, since=since)) == 1


@pytest.mark.parametrize("sensitivity", get_args(Sensitivity))
def test_a_steady_discount_is_none(sensitivity: Sensitivity) -> None:
    assert found([-5.0] * 86, sensitivity) == []
    assert len(found([-5.0] * 70 + [-50.0] * 3 + [-5.0] * 13, sensitivity)) == 1


def test_spend_on_a_service_never_used_before_is_an_event() -> None:
    costs = [0.0] * 70 + [40.0] * 16
    (event,) = found(costs)
    assert event.first == SINCE + timedelta(days=70)


def test_a_new_level_is_normal_after_two_weeks() -> None:
    costs = noisy(4)
    first = at(date(2026, 9, 3))
    costs[first:] = [cost * 5 for cost in costs[first:]]
    (event,) = found(costs)
    assert (event.first, len(event.rows)) == (date(2026, 9, 3), LONGEST_EVENT)


def test_an_event_is_counted_within_the_days_asked_about() -> None:
    costs = noisy(5)
    for day in (date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 2)):
        costs[at(day)] *= 6
    (event,) = found(costs)
    assert (event.first, event.last, event.began_before) == (date(2026, 9, 1), date(2026, 9, 2), True)


def test_too_short_a_past_says_nothing() -> None:
    short = Days(date(2026, 8, 25), DAYS.first, DAYS.last)
    costs = spent([10.0] * 10 + [90.0] * 5 + [10.0] * 22, date(2026, 8, 25))
    assert daily_events(KEY, costs, short, date(2026, 8, 25), "high") == []


FIRSTS = [date(2025 + (n + 8) // 12, (n + 8) % 12 + 1, 1) for n in range(13)]  # September to September
LENGTHS = [(date(f.year + f.month // 12, f.month % 12 + 1, 1) - f).days for f in FIRSTS]
MONTHS = list(zip(FIRSTS, LENGTHS, strict=True))


def by_month(per_day: Callable[[int], float]) -> dict[date, Decimal]:
    return {first: Decimal(repr(round(per_day(n) * length, 6))) for n, (first, length) in enumerate(MONTHS)}


def test_a_month_that_breaks_with_those_before_it_is_found() -> None:
    costs = by_month(lambda n: 12.0 * 1.03**n * (2.2 if n == 12 else 1 + 0.01 * (n % 3)))
    (event,) = monthly_events(KEY, costs, MONTHS, date(2026, 9, 1), "medium")
    assert (event.kind, event.first, event.last) == ("monthly", date(2026, 9, 1), date(2026, 9, 30))
    assert float(event.excess) == pytest.approx(12 * 1.03**12 * 1.2 * 30, rel=0.1)


def test_steady_growth_and_the_lengths_of_months_are_none() -> None:
    assert monthly_events(KEY, by_month(lambda n: 12.0 * 1.08**n), MONTHS, FIRSTS[6], "high") == []


def test_going_back_to_normal_after_such_a_month_is_none() -> None:
    costs = by_month(lambda n: 36.0 if n == 11 else 12.0 + 0.1 * (n % 2))
    assert [one.first for one in monthly_events(KEY, costs, MONTHS, FIRSTS[0], "medium")] == [FIRSTS[11]]


def test_six_months_are_the_fewest_that_a_month_is_held_against() -> None:
    costs = by_month(lambda n: 90.0 if n == 12 else 12.0)
    assert monthly_events(KEY, costs, MONTHS[-6:], FIRSTS[0], "high") == []
    assert len(monthly_events(KEY, costs, MONTHS[-7:], FIRSTS[0], "high")) == 1


def event(tenant: str, first: int, last: int, excess: int, service: str = "S") -> Event:
    key = Key("USD", service, tenant, "f")
    days = [date(2026, 9, n) for n in range(first, last + 1)]
    rows = tuple(Row(key, day, Spent(Decimal(excess)), Decimal(0)) for day in days)
    return Event("daily", key, days[0], days[-1], 9.0, rows)


def test_the_same_service_and_days_are_one_anomaly() -> None:
    events = [
        event("a", 4, 7, 5), event("b", 4, 7, 50), event("c", 5, 7, 1),
        event("d", 20, 21, 3), event("a", 4, 7, 2, "T"), event("e", 4, 7, -4),
    ]  # fmt: skip
    anomalies = grouped([*events, one_off(Key("USD", "S", "a", "f"), date(2026, 9, 5), Decimal(7))])
    assert [[one.key.tenant for one in anomaly.members] for anomaly in anomalies] == [
        ["b", "a", "c"], ["e"], ["a"], ["a"], ["d"],
    ]  # fmt: skip
    assert [int(anomaly.excess) for anomaly in anomalies] == [223, -16, 8, 7, 6]
    assert anomalies[0].rows[0].key.tenant == "b"


def test_one_tenant_on_the_same_days_in_several_services_is_one_anomaly() -> None:
    events = [
        event("a", 4, 7, 5, "S"), event("a", 4, 7, 9, "T"), event("a", 5, 7, 1, "U"), event("a", 20, 21, 3, "S"),
        event("a", 4, 7, 2, "V"), event("b", 4, 7, 2, "V"),
    ]  # fmt: skip
    found = [[(one.key.tenant, one.key.service) for one in anomaly.members] for anomaly in grouped(events)]
    assert found == [[("a", "T"), ("a", "S"), ("a", "U")], [("a", "V"), ("b", "V")], [("a", "S")]]


def test_an_excess_found_in_a_series_is_not_found_again_in_its_service() -> None:
    quiet, loud = noisy(6), noisy(7)
    for n in range(60, 64):
        loud[n] *= 9
    (own,) = found(loud)
    totals = {day: Decimal(0) for day in spent(loud)}
    for costs in (quiet, loud):
        for day, one in spent(costs).items():
            totals[day] += one.cost
    left = {day: Spent(cost) for day, cost in remainder(totals, [own]).items()}
    all_of_it = Key("USD", KEY.service, ALL, ALL)
    assert daily_events(all_of_it, left, DAYS, LONG_AGO, "high") == []
    whole = {day: Spent(cost) for day, cost in totals.items()}
    assert daily_events(all_of_it, whole, DAYS, LONG_AGO, "high") != []


def noise(rng: random.Random, kind: str) -> float:
    match kind:
        case "normal":
            return math.exp(0.25 * rng.gauss(0, 1))
        case "heavy":  # Student's t with four degrees of freedom
            return math.exp(0.15 * rng.gauss(0, 1) / math.sqrt(rng.gammavariate(2, 0.5)))
        case _:  # most days nothing
            return rng.expovariate(1) if rng.random() < 0.3 else 0.0


def alarms(sensitivity: Sensitivity, kind: str, series: int) -> float:
    """Events per 1,000 series and month on noise about a weekly pattern that never changes."""
    rng, count = random.Random(20260901), 0
    for _ in range(series):
        costs = [10 * WEEK[(SINCE + timedelta(days=n)).weekday()] * noise(rng, kind) for n in range(86)]
        count += len(found(costs, sensitivity))
    return count / series * 1000


@pytest.mark.requirement("scores-are-ranks")
@pytest.mark.parametrize("kind", ["normal", "heavy", "rare"])
@pytest.mark.parametrize("sensitivity", get_args(Sensitivity))
def test_steady_noise_is_taken_for_an_event_no_more_often_than_is_said(sensitivity: Sensitivity, kind: str) -> None:
    assert alarms(sensitivity, kind, 300) <= FALSE_ALARMS[sensitivity]


@pytest.mark.requirement("scores-are-ranks")
@pytest.mark.parametrize("drifts", [False, True])
@pytest.mark.parametrize("sensitivity", get_args(Sensitivity))
def test_nor_are_steady_months(sensitivity: Sensitivity, drifts: bool) -> None:
    rng, count, series = random.Random(20260901), 0, 2000
    for _ in range(series):
        level, costs = 100.0, list[float]()
        for _ in MONTHS:
            step = math.exp(0.15 * rng.gauss(0, 1))
            level *= step if drifts else 1.0
            costs.append(level if drifts else level * step)
        count += len(monthly_events(KEY, by_month(costs.__getitem__), MONTHS, FIRSTS[-1], sensitivity))
    assert count / series * 1000 <= FALSE_ALARMS[sensitivity]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e9) | st.just(0.0), min_size=86, max_size=86), st.sampled_from(get_args(Sensitivity)))
def test_whatever_the_costs_events_lie_in_the_days_asked_about_and_do_not_overlap(
    costs: list[float], sensitivity: Sensitivity
) -> None:
    days = [row.day for one in found(costs, sensitivity) for row in one.rows]
    assert days == sorted(set(days))
    assert all(DAYS.first <= day <= DAYS.last for day in days)


@given(st.lists(st.builds(event, st.sampled_from("abc"), st.integers(1, 9), st.integers(10, 20), st.integers(1, 9))))
def test_grouping_loses_and_doubles_nothing(events: list[Event]) -> None:
    anomalies: list[Anomaly] = grouped(events)
    assert sorted(id(one) for anomaly in anomalies for one in anomaly.members) == sorted(map(id, events))
    assert [abs(one.excess) for one in anomalies] == sorted((abs(one.excess) for one in anomalies), reverse=True)
