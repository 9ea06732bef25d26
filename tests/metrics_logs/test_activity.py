"""Verdicts on tenants' activity: each state by its own rule, against the tenant's own past."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_metrics_logs.activity import MEANS, WEEKS, History, Verdict, counts, judge, judge_all

AS_OF = date(2026, 10, 31)
KNOWN_FROM = date(2025, 11, 1)


def ago(days: int) -> date:
    return AS_OF - timedelta(days=days)


def a_history(weeks: Sequence[float], *, first: int = 360, silent: int = 0, tenant: str = "acme") -> History:
    """A tenant that came daily from `first` days ago until `silent` days ago, with these weeks, the newest first."""
    padded = [*weeks, *[weeks[-1]] * WEEKS][:WEEKS]
    return History(tenant, ago(first), ago(silent), max(first - silent + 1, 1), padded)


def verdict_on(history: History, season: float = 1.0) -> Verdict:
    return judge(history, as_of=AS_OF, known_from=KNOWN_FROM, season=season)


def test_steady_use_is_active():
    verdict = verdict_on(a_history([100.0, 96, 104, 100]))
    assert (verdict.state, verdict.rule) == ("active", "requests unchanged against its own 8-week median")
    assert (verdict.recent, verdict.usual) == (100, 100)


def test_a_fall_is_told_with_its_size_and_what_it_is_measured_by():
    verdict = verdict_on(a_history([38.0] * 4 + [100.0] * 22))
    assert (verdict.state, verdict.rule) == ("fading", "requests fell 62 % against its own 8-week median")
    assert verdict.lost == 62


@pytest.mark.parametrize(("recent", "state"), [(69, "fading"), (71, "active")])
def test_the_line_is_at_three_tenths(recent: float, state: str):
    assert verdict_on(a_history([recent] * 4 + [100.0] * 22)).state == state


def test_a_steady_decline_is_seen_though_each_week_is_little_below_the_last():
    """The churner's own shape: its spread is that of its weeks around the decline, not the decline itself."""
    weeks = [50.0 + 15 * week for week in range(26)]
    assert verdict_on(a_history(weeks)).state == "fading"


def test_one_quiet_week_or_one_burst_decides_nothing():
    quiet = a_history([5.0, 100, 100, 100])
    burst = a_history([100.0] * 4 + [900.0] + [100.0] * 21)
    assert verdict_on(quiet).state == verdict_on(burst).state == "active"


def test_a_tenant_whose_weeks_are_always_uneven_does_not_fade_by_one_more_of_them():
    weeks = [20.0, 160, 10, 30, 150, 20, 140, 10, 160, 30, 120, 20]
    assert verdict_on(a_history(weeks)).state == "active"


def test_a_season_that_takes_everybody_down_makes_nobody_fade():
    tenants = [a_history([60.0] * 4 + [100.0] * 22, tenant=f"t{number}") for number in range(12)]
    worse = a_history([30.0] * 4 + [100.0] * 22, tenant="worse")
    verdicts = judge_all([*tenants, worse], as_of=AS_OF, known_from=KNOWN_FROM)
    assert [(one.history.tenant, one.state) for one in verdicts[:2]] == [("worse", "fading"), ("t0", "active")]
    assert verdicts[0].rule == "requests fell 70 % against its own 8-week median; the median tenant fell 40 %"


def test_silence_beyond_its_rhythm_makes_a_tenant_fade_and_then_dormant():
    states = [verdict_on(a_history([0.0, 50, 100], silent=days)).state for days in (0, 6, 7, 20, 21, 200)]
    assert states == ["active", "active", "fading", "fading", "dormant", "dormant"]
    assert verdict_on(a_history([0.0, 50, 100], silent=10)).rule == "no request for 10 days; it used to come daily"


def test_a_tenant_that_comes_once_a_month_is_not_dormant_after_three_weeks():
    monthly = History("rare", ago(355), ago(30), 12, [0.0] * 4 + [3.0] + [0.0] * 21)
    assert verdict_on(monthly).state == "active"
    assert verdict_on(replace(monthly, last=ago(60))).state == "dormant"


def test_what_a_dormant_tenant_used_before_its_silence_is_told():
    verdict = verdict_on(a_history([0.0] * 6 + [100.0] * 20, silent=40))
    assert (verdict.state, verdict.usual, verdict.lost) == ("dormant", 100, 100)
    long_ago = verdict_on(a_history([0.0] * 26, silent=200))
    assert (long_ago.state, long_ago.usual) == ("dormant", None)


def test_a_first_request_makes_a_tenant_new_unless_nothing_is_known_of_before():
    young = a_history([40.0, 10, 0], first=12)
    assert (verdict_on(young).state, verdict_on(young).rule) == ("new", "first request 12 days ago")
    assert judge(young, as_of=AS_OF, known_from=ago(15)).state == "unclear"
    assert "silent for 9 days since" in verdict_on(a_history([0.0, 10, 0], first=12, silent=9)).rule


def test_a_tenant_that_came_back_says_after_how_long():
    back = replace(a_history([50.0, 20, 0, 0, 0, 0, 0, 100]), pause=40, back=ago(9))
    assert (verdict_on(back).state, verdict_on(back).rule) == ("returning", "back 9 days ago, after 40 days of silence")
    assert verdict_on(replace(back, pause=20)).state != "returning"


def test_a_short_history_is_too_short_to_tell():
    verdict = verdict_on(a_history([10.0, 100, 100], first=40))
    assert verdict.state == "unclear"
    assert verdict.rule == "too short to tell: 5 whole weeks of history, 8 are needed"
    assert verdict_on(a_history([10.0, 10, 10, 10, 100], first=55)).state == "fading"


def test_a_fall_from_next_to_nothing_is_not_one():
    verdict = verdict_on(a_history([1.0] * 4 + [3.0] * 22))
    assert verdict.state == "active"
    assert "too little use to compare" in verdict.rule


def test_the_most_worrying_come_first_and_the_largest_loss_first_of_all():
    fallen = [a_history([10.0] * 4 + [size] * 22, tenant=f"f{size:.0f}") for size in (100.0, 300.0, 200.0)]
    silent = a_history([0.0] * 6 + [500.0] * 20, silent=40, tenant="silent")
    steady = a_history([900.0], tenant="steady")
    verdicts = judge_all([steady, silent, *fallen], as_of=AS_OF, known_from=KNOWN_FROM)
    assert [one.history.tenant for one in verdicts] == ["f300", "f200", "f100", "silent", "steady"]


@st.composite
def histories(draw: st.DrawFn) -> History:
    first = draw(st.integers(0, 380))
    silent = draw(st.integers(0, first))
    days = draw(st.integers(2, first - silent + 1)) if first > silent else 1
    weeks = draw(st.lists(st.floats(0, 1e6), min_size=WEEKS, max_size=WEEKS))
    pause = draw(st.integers(0, first - silent))
    back = ago(draw(st.integers(silent, min(silent + 27, first)))) if pause else None
    return History(draw(st.text("abc", min_size=1, max_size=3)), ago(first), ago(silent), days, weeks, pause, back)


@given(st.lists(histories(), max_size=30))
def test_every_tenant_has_one_state_with_a_reason_and_the_states_sum_to_all(found: list[History]):
    verdicts = judge_all(found, as_of=AS_OF, known_from=KNOWN_FROM)
    assert sum(counts(verdicts).values()) == len(verdicts) == len(found)
    assert all(one.rule for one in verdicts)
    order = [list(MEANS).index(one.state) for one in verdicts]
    assert order == sorted(order)
    for state in MEANS:
        lost = [one.lost for one in verdicts if one.state == state]
        assert lost == sorted(lost, reverse=True)


@given(histories(), st.integers(2, 50))
def test_the_same_fall_at_another_size_is_the_same_state(history: History, times: int):
    """Where numbers are so small that chance could do it, only the larger one is sure to have fallen."""
    larger = replace(history, weeks=[week * times for week in history.weeks])
    one, other = verdict_on(history).state, verdict_on(larger).state
    assert other == one or (one, other) == ("active", "fading")


@given(histories(), st.floats(0.01, 1.0))
def test_less_recent_use_is_never_less_worrying(history: History, share: float):
    less = replace(history, weeks=[*(week * share for week in history.weeks[:4]), *history.weeks[4:]])
    assert list(MEANS).index(verdict_on(less).state) <= list(MEANS).index(verdict_on(history).state)


@given(histories())
def test_the_rule_of_a_fall_tells_the_fall(history: History):
    verdict = verdict_on(history)
    told = re.search(r"fell (\d+) %", verdict.rule)
    if told is not None:
        assert verdict.usual is not None
        assert int(told[1]) == -round((verdict.recent / verdict.usual - 1) * 100)
