"""The longest names that a bill may hold: answers stay below what a host may be sent."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from tenantscope_core.tool.outcome import MAX_ANSWER_BYTES
from tenantscope_cost_explorer.anomalies.events import Anomaly, Event, Key, Row, Spent
from tenantscope_cost_explorer.anomalies.report import FEWER_ROWS, MANY, ROWS, described
from tenantscope_cost_explorer.changes.drivers import Amounts, Cell, Lengths
from tenantscope_cost_explorer.changes.report import currency_change
from tenantscope_cost_explorer.tools.explain_cost_change import (
    LINES_OF_FURTHER_CURRENCIES,
    MAX_CURRENCIES,
    MAX_LINES,
)

HEAD = 2_500
"""What stands around anomalies and changes: notes, freshness, periods."""
TENANT, SERVICE, FEATURE, UNIT = "t" * 63, "Amazon " + "S" * 73, "f" * 256, "u" * 30  # AWS allows tag values of 256
SUM = Decimal("1234567890.12")


def event(service: str, number: int) -> Event:
    key = Key("USD", service, TENANT, FEATURE)
    days = [date(2026, 9, 1) + timedelta(days=n) for n in range(14)]
    rows = tuple(Row(key, day, Spent(SUM + number, SUM, UNIT), SUM / 3) for day in days)
    return Event("daily", key, days[0], days[-1], 99.9, rows, began_before=True, goes_on=True)


@pytest.mark.parametrize(("listed", "rows"), [(MANY, ROWS), (10, FEWER_ROWS)])
@pytest.mark.parametrize("services", [1, 2])
def test_anomalies_fit(listed: int, rows: int, services: int) -> None:
    revenue = {(TENANT, "USD"): SUM}
    size = 0
    for number in range(listed):
        found = Anomaly(tuple(event(f"{SERVICE}{service}", number) for service in range(services)))
        one = described(found, rank=number + 1, fleet=True, revenue=revenue, rows=rows)
        assert len(one.rows) == rows
        size += len(one.model_dump_json())
    assert size + HEAD < MAX_ANSWER_BYTES


def test_changes_fit() -> None:
    amounts = [
        Amounts(Cell(TENANT, f"{SERVICE}{n}", FEATURE), UNIT, False, SUM, SUM * n, SUM, SUM * (n + 7))
        for n in range(1, 40)
    ]
    size = 0
    for place in range(MAX_CURRENCIES):
        lines = LINES_OF_FURTHER_CURRENCIES if place else MAX_LINES
        change = currency_change(
            "USD", amounts, Lengths(28, 31), compared_with="2026-08", lines=lines, names_tenants=True
        )
        assert len(change.lines) == lines
        size += len(change.model_dump_json())
    assert size + HEAD < MAX_ANSWER_BYTES
