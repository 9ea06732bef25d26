"""Allocation in SQL against the slow reference, on random bills, rules and usage."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import yaml
from cost_explorer import bills
from cost_explorer.reference import Amounts, Charge, Key, Used, allocate, whole
from hypothesis import HealthCheck, given, settings
from tenantscope_cost_explorer.allocation.gathering import gather
from tenantscope_cost_explorer.allocation.report import ALLOCATED_ROWS, SUMS, UNBALANCED
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_cost_explorer.sources.shares import apportion


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def run(database: duckdb.DuckDBPyConnection, month: bills.Month, rules: dict[str, Any]) -> dict[Key, Amounts]:
    """The allocated rows, residual under the tenant ''."""
    bills.fill(database, month)
    parsed = parse_rules(yaml.safe_dump(rules))
    for step in gather(parsed, bills.MONTH):
        database.execute(step.sql)
    apportion(database, parsed, bills.MONTH)
    rows = database.execute(
        "SELECT coalesce(tenant, ''), day, coalesce(service, ''), coalesce(feature, ''), coalesce(environment, ''),"
        " coalesce(charge_category, ''), coalesce(charge_class, ''), coalesce(charge_frequency, ''),"
        " coalesce(sub_account, ''), invoice, currency, coalesce(unit, ''), method, coalesce(rule_name, ''),"
        " sum(effective), sum(billed), sum(quantity) FROM allocated GROUP BY ALL"
    ).fetchall()
    return {Key(*row[:-3]): (whole(row[-3]) or 0, whole(row[-2]) or 0, whole(row[-1])) for row in rows if any(row[-3:])}


slow = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.requirement("sums-to-the-invoice")
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
    for key, (effective, billed, _) in found.items():
        sums[key.invoice, key.currency][0] += Decimal(effective).scaleb(-12)
        sums[key.invoice, key.currency][1] += Decimal(billed).scaleb(-12)
    assert all(sums[invoice] == costs for invoice, costs in bill.items())
    consumed = database.execute("SELECT sum(charges) FROM consumed").fetchall()
    assert consumed == [(len(month.charges),)]


DAY = bills.MONTH
NEXT = DAY + timedelta(days=1)


def charge(cost: str, day: date = DAY, currency: str = "USD", service: str = "Amazon S3", **tags: str) -> Charge:
    amount = Decimal(cost)
    return Charge(day, day + timedelta(days=1), amount, amount, tags, service=service, currency=currency)


def calls(tenant: str, quantity: int, feature: str = "search", day: date = DAY) -> Used:
    return Used(tenant, day, "feature_usage.calls", feature, Decimal(quantity))


def one_rule(**allocate: Any) -> dict[str, Any]:
    everything = {"billing_account": "payer"}
    return {
        "format": 1,
        "feature": {"tag": "feature"},
        "rules": [{"name": "all", "match": everything, "allocate": allocate}],
    }


def by(found: dict[Key, Amounts], *names: str) -> dict[Any, Decimal]:
    """EffectiveCost by fields of the key."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for key, (effective, *_) in found.items():
        at = [getattr(key, name) for name in names]
        sums[tuple(at) if len(at) > 1 else at[0]] += Decimal(effective).scaleb(-12)
    return dict(sums)


def test_a_tie_goes_to_the_tenant_that_comes_first(database: duckdb.DuckDBPyConnection) -> None:
    month = bills.Month([charge("0.000000000001")], [calls("b", 5), calls("a", 5), calls("B", 5)])
    found = run(database, month, one_rule(method="driver", metric="feature_usage.calls"))
    assert by(found, "tenant") == {"B": Decimal("0.000000000001")}


def test_a_refund_of_the_same_size_leaves_nothing_anywhere(database: duckdb.DuckDBPyConnection) -> None:
    usage = [calls("a", 1), calls("b", 1), calls("c", 1)]
    rules = one_rule(method="driver", metric="feature_usage.calls", per="day")
    there = run(database, bills.Month([charge("100")], usage), rules)
    back = run(database, bills.Month([charge("-100")], usage), rules)
    assert {key: -parts[0] for key, parts in back.items()} == {key: parts[0] for key, parts in there.items()}


def test_a_cascade_goes_by_feature_first_and_by_tenant_within(database: duckdb.DuckDBPyConnection) -> None:
    usage = [
        Used("a", DAY, "feature_usage.bytes", "search", Decimal(30)),
        Used("b", DAY, "feature_usage.bytes", "reports", Decimal(10)),
        calls("a", 1, "search"),
        calls("b", 3, "search"),
        calls("b", 7, "reports"),
    ]
    rules = one_rule(method="driver", metric="feature_usage.calls", cascade={"feature": "feature_usage.bytes"})
    found = run(database, bills.Month([charge("40")], usage), rules)
    assert by(found, "feature", "tenant") == {
        ("search", "a"): Decimal("7.5"),
        ("search", "b"): Decimal("22.5"),
        ("reports", "b"): Decimal(10),
    }


def test_a_charge_that_names_its_feature_keeps_it_in_a_cascade(database: duckdb.DuckDBPyConnection) -> None:
    usage = [
        Used("a", DAY, "feature_usage.bytes", "search", Decimal(30)),
        calls("a", 1, "search"),
        calls("b", 1, "reports"),
    ]
    rules = one_rule(method="driver", metric="feature_usage.calls", cascade={"feature": "feature_usage.bytes"})
    found = run(database, bills.Month([charge("40", feature="reports")], usage), rules)
    assert by(found, "feature", "tenant") == {("reports", "b"): Decimal(40)}


def test_a_driver_that_measures_nothing_falls_back_by_the_day_and_then_stays_residual(
    database: duckdb.DuckDBPyConnection,
) -> None:
    usage = [
        Used("a", DAY, "llm_usage.tokens", "chat", Decimal(9)),
        Used("b", NEXT, "usage.requests", "", Decimal(1)),
    ]
    rules = one_rule(method="driver", metric="llm_usage.tokens", per="day", fallback=["usage.requests"])
    days = [DAY + timedelta(days=n) for n in range(3)]
    found = run(database, bills.Month([charge("1", day) for day in days], usage), rules)
    assert by(found, "day", "tenant", "method") == {
        (days[0], "a", "driver"): 1,
        (days[1], "b", "driver"): 1,
        (days[2], "", "residual"): 1,
    }


def test_proxies_follow_cost_so_far_in_their_currency_and_nobody_below_zero(
    database: duckdb.DuckDBPyConnection,
) -> None:
    rules = {
        "format": 1,
        "rules": [
            {"name": "tax", "match": {"service": "Tax"}, "allocate": {"method": "proxy"}},
            {
                "name": "own",
                "match": {"tag": {"tenant": "*"}},
                "allocate": {"method": "direct", "tenant": {"tag": "tenant"}},
            },
        ],
    }
    rows = [
        charge("3", tenant="a"),
        charge("1", tenant="b"),
        charge("-5", tenant="c"),
        charge("1", tenant="c", currency="EUR"),
        charge("8", service="Tax"),
        charge("2", service="Tax", currency="EUR"),
        charge("7", service="Tax", currency="JPY"),
    ]
    found = run(database, bills.Month(rows, []), rules)
    assert {key: cost for key, cost in by(found, "currency", "method", "tenant").items() if key[1] != "direct"} == {
        ("USD", "proxy", "a"): 6,
        ("USD", "proxy", "b"): 2,
        ("EUR", "proxy", "c"): 2,
        ("JPY", "residual", ""): 7,
    }


def test_a_tag_that_is_no_tenant_id_stays_residual_under_its_rule(database: duckdb.DuckDBPyConnection) -> None:
    rows = [charge("1", tenant="a/../b"), charge("2", tenant="a")]
    found = run(database, bills.Month(rows, []), one_rule(method="direct", tenant={"tag": "tenant"}))
    assert by(found, "method", "rule", "tenant") == {("residual", "all", ""): 1, ("direct", "all", "a"): 2}


def test_how_a_charge_was_shared_is_told_as_focus_says(database: duckdb.DuckDBPyConnection) -> None:
    """AllocatedMethodDetails is JSON, and the ratios over one origin charge sum to 1."""
    usage = [calls("a", 1), calls("b", 2), calls("c", 4)]
    run(database, bills.Month([charge("70")], usage), one_rule(method="driver", metric="feature_usage.calls"))
    rows = database.execute(
        f'SELECT tenant_id, "EffectiveCost", "AllocatedMethodId", "AllocatedMethodDetails" FROM ({ALLOCATED_ROWS})'
    ).fetchall()
    elements = [json.loads(row[3])["Elements"][0] for row in rows]
    assert [(row[0], row[1]) for row in rows] == [("a", 10), ("b", 20), ("c", 40)]
    assert {row[2] for row in rows} == {"feature_usage.calls per month"}
    assert abs(sum(element["AllocatedRatio"] for element in elements) - 1) < 1e-12
    assert [(element["UsageUnit"], element["UsageQuantity"]) for element in elements] == [
        ("Calls", 1),
        ("Calls", 2),
        ("Calls", 4),
    ]


def test_what_was_consumed_is_split_as_its_cost_and_keeps_its_unit(database: duckdb.DuckDBPyConnection) -> None:
    """Free use has a quantity and no cost; what tells no quantity has none; units are never added up."""
    usage = [calls("a", 1), calls("b", 2)]
    bought = replace(charge("10"), quantity=Decimal(1), unit="GB")
    free = replace(charge("0"), quantity=Decimal(5), unit="Requests", charge_frequency="Usage-Based")
    month = bills.Month([bought, free, charge("3")], usage)
    found = run(database, month, one_rule(method="driver", metric="feature_usage.calls"))
    assert {(key.tenant, key.unit, key.charge_frequency): amounts[2] for key, amounts in found.items()} == {
        ("a", "GB", ""): 333_333_333_333,
        ("b", "GB", ""): 666_666_666_667,
        ("a", "Requests", "Usage-Based"): 1_666_666_666_667,
        ("b", "Requests", "Usage-Based"): 3_333_333_333_333,
        ("a", "", ""): None,
        ("b", "", ""): None,
    }


def test_the_largest_amounts_there_are_split_exactly(database: duckdb.DuckDBPyConnection) -> None:
    usage = [calls("a", 10**15), calls("b", 2 * 10**15)]
    largest = 10**26 - 1
    month = bills.Month([charge(str(largest))], usage)
    found = run(database, month, one_rule(method="driver", metric="feature_usage.calls"))
    assert sum(effective for effective, *_ in found.values()) == largest * 10**12


def test_an_amount_beyond_all_bills_is_an_error_and_never_a_wrong_number(database: duckdb.DuckDBPyConnection) -> None:
    month = bills.Month([charge("9" * 26), charge("9" * 26)], [calls("a", 1)])
    with pytest.raises(duckdb.Error):
        run(database, month, one_rule(method="driver", metric="feature_usage.calls"))


def test_a_bill_that_does_not_add_up_is_noticed(database: duckdb.DuckDBPyConnection) -> None:
    run(database, bills.Month([charge("5", tenant="a")], []), one_rule(method="direct", tenant={"tag": "tenant"}))
    assert database.execute(UNBALANCED).fetchall() == []
    database.execute("UPDATE entries SET billed = billed - 1")
    database.execute(SUMS)
    assert database.execute(UNBALANCED).fetchall() == [("INV-1",)]
    database.execute("UPDATE entries SET billed = billed + 1, quantity = 1")
    database.execute(SUMS)
    assert database.execute(UNBALANCED).fetchall() == [("INV-1",)]
    database.execute("DELETE FROM entries")
    database.execute(SUMS)
    assert database.execute(UNBALANCED).fetchall() == [("INV-1",)]
