"""Periods against what is committed."""

from datetime import UTC, date, datetime

import pytest
from tenantscope_core.results.periods import Period, parse_period
from tenantscope_core.stores.datasets import Committed
from tenantscope_core.stores.manifests import Commit, Manifest
from tenantscope_core.stores.schemas import USAGE
from tenantscope_core.stores.sql import Table
from tenantscope_core.stores.windows import Window


def window(period: str, written: datetime) -> Window:
    """Every month of a period, committed at one time."""
    wanted = parse_period(period, latest=None)
    months = {month: Commit(f"run-{month}", (), written, "i") for month in wanted.month_names}
    table = Table.of(USAGE, Committed(Manifest("usage", "acme", months)))
    return Window(table, wanted, None, [])


@pytest.mark.parametrize(
    ("period", "days"),
    [("2026-09", 30), ("2026-10", 5), ("2026-09..2026-10", 35), ("2026-10-02..2026-10-04", 3), ("2026-11", 0)],
)
def test_a_period_covers_the_days_that_were_over_when_it_was_committed(period: str, days: int):
    assert window(period, datetime(2026, 10, 6, 2, tzinfo=UTC)).days_covered == days


def test_data_go_no_further_than_the_period():
    found = window("2026-09", datetime(2026, 10, 6, tzinfo=UTC))
    assert found.freshness(date(2026, 10, 3)).data_through == date(2026, 9, 30)
    assert found.freshness(None).data_through is None


def test_runs_tell_one_state_of_the_data_from_another():
    assert window("2026-08..2026-09", datetime(2026, 10, 6, tzinfo=UTC)).runs == ["run-2026-08", "run-2026-09"]


def test_a_period_names_its_months():
    assert Period(date(2026, 8, 31), date(2026, 10, 2)).month_names == ["2026-08", "2026-09", "2026-10"]
