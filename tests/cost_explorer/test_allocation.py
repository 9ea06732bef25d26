"""Allocation in SQL against the slow reference, on random bills, rules and usage."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import yaml
from cost_explorer import bills
from cost_explorer.reference import Key, allocate
from hypothesis import HealthCheck, given, settings
from tenantscope_cost_explorer.allocation import compile_allocation
from tenantscope_cost_explorer.rules_file import parse_rules


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def run(database: duckdb.DuckDBPyConnection, month: bills.Month, rules: dict[str, Any]) -> dict[Key, tuple[int, int]]:
    """The allocated rows, residual under the tenant ''."""
    bills.fill(database, month)
    for step in compile_allocation(parse_rules(yaml.safe_dump(rules)), bills.MONTH):
        database.execute(step.sql)
    rows = database.execute(
        "SELECT coalesce(tenant, ''), day, coalesce(service, ''), coalesce(feature, ''), coalesce(environment, ''),"
        " coalesce(charge_category, ''), coalesce(sub_account, ''), invoice, currency, method, coalesce(rule_name, ''),"
        " sum(effective), sum(billed) FROM allocated GROUP BY ALL"
    ).fetchall()
    return {Key(*row[:-2]): (row[-2], row[-1]) for row in rows if row[-2] or row[-1]}


slow = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@slow
@given(month=bills.months, rules=bills.rules())
def test_every_month_is_allocated_as_the_reference_does_it(
    database: duckdb.DuckDBPyConnection, month: bills.Month, rules: dict[str, Any]
) -> None:
    found = run(database, month, rules)
    wanted = allocate(month.charges, rules, month.used, bills.active(month.used), bills.SCALE)
    assert found == wanted
    bill: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for charge in month.charges:
        bill[charge.invoice, charge.currency][0] += charge.effective
        bill[charge.invoice, charge.currency][1] += charge.billed
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for key, (effective, billed) in found.items():
        sums[key.invoice, key.currency][0] += Decimal(effective).scaleb(-12)
        sums[key.invoice, key.currency][1] += Decimal(billed).scaleb(-12)
    assert all(sums[invoice] == costs for invoice, costs in bill.items())
    consumed = database.execute("SELECT sum(charges) FROM consumed").fetchall()
    assert consumed == [(len(month.charges),)]
