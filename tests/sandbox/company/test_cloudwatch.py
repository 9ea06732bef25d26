"""The last fortnight's metrics and logs, moved by whole weeks to end now."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tenantscope_sandbox.company.cloudwatch import (
    DATA_ENDS,
    EVENTS_PER_TENANT,
    FORTNIGHT,
    WEEK,
    recent_events,
    recent_metrics,
    shift_at,
)

NOW = datetime(2026, 11, 19, 14, tzinfo=UTC)


@pytest.mark.parametrize("hours", [-2000, -1, 0, 1, 24 * 7, 24 * 7 + 1, 5000])
def test_data_moves_by_whole_weeks_to_reach_now(hours: int) -> None:
    now = DATA_ENDS + timedelta(hours=hours)
    shift = shift_at(now)
    assert shift % WEEK == timedelta(0)
    assert timedelta(0) <= DATA_ENDS + shift - now < WEEK


def test_metrics_lie_within_the_fortnight_that_cloudwatch_takes(company: Path) -> None:
    data = list(recent_metrics(company, NOW - FORTNIGHT, NOW))
    times = [one["Timestamp"] for one in data]
    assert NOW - FORTNIGHT <= min(times) < NOW - FORTNIGHT + timedelta(hours=2)
    assert NOW - timedelta(hours=2) < max(times) < NOW
    assert {one["MetricName"] for one in data} == {"Requests", "Errors", "Latency"}
    assert all(len(one.get("Values", [])) <= 150 for one in data)


def test_latencies_are_those_of_the_requests(company: Path) -> None:
    data = list(recent_metrics(company, NOW - FORTNIGHT, NOW))
    requests = sum(one["Value"] for one in data if one["MetricName"] == "Requests")
    assert requests == sum(len(one["Values"]) for one in data if one["MetricName"] == "Latency")


def test_two_spans_one_after_the_other_are_the_whole(company: Path) -> None:
    middle = NOW - timedelta(days=5)
    whole = sum(
        one["Value"] for one in recent_metrics(company, NOW - FORTNIGHT, NOW) if one["MetricName"] == "Requests"
    )
    later = sum(one["Value"] for one in recent_metrics(company, middle, NOW) if one["MetricName"] == "Requests")
    assert 0 < later < whole


def test_events_are_json_in_order_of_time(company: Path) -> None:
    events = recent_events(company, NOW - FORTNIGHT, NOW)
    assert len(events["acme"]) == EVENTS_PER_TENANT
    assert "sunset-voyages" not in events
    for tenant, told in events.items():
        times = [one["timestamp"] for one in told]
        assert times == sorted(times), tenant
        assert json.loads(told[0]["message"])["level"] in {"INFO", "WARN", "ERROR"}
