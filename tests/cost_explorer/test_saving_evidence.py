"""What the rollup writes down of a month for the savings: small, and still the whole bill."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from tenantscope_cost_explorer.allocation import gather
from tenantscope_cost_explorer.rules_file import parse_rules
from tenantscope_cost_explorer.saving_evidence import SAVING_EVIDENCE, evidence_rows

SEPTEMBER = date(2026, 9, 1)
RULES = """
format: 1
environment: {tag: environment}
rules:
  - {name: silo, match: {sub_account: ["7"]}, allocate: {method: direct, tenant: {map: {sub_account: {"7": silo}}}}}
  - {name: own, match: {tag: {tenant: "*"}}, allocate: {method: direct, tenant: {tag: tenant}}}
  - {name: shared, match: {service: Shared}, allocate: {method: even}}
"""
TEXTS = (
    "invoice, currency, service, charge_category, charge_class, sub_account, billing_account, resource, region,"
    " commitment_status, description, charge_frequency, pricing_category, commitment, sku, resource_type, unit"
)
COLUMNS = (
    "day DATE, day_end DATE, quantity DECIMAL(38,12), listed DECIMAL(38,12), effective DECIMAL(38,12),"
    " billed DECIMAL(38,12), readable BOOLEAN, tags MAP(VARCHAR, VARCHAR), "
    + ", ".join(f"{name.strip()} VARCHAR" for name in TEXTS.split(","))
)


@pytest.fixture
def bill() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE charges ({COLUMNS})")
        yield connection


def charge(bill: duckdb.DuckDBPyConnection, cost: str, day: int = 1, **known: Any) -> None:
    values: dict[str, Any] = {
        "day": SEPTEMBER + timedelta(days=day - 1), "currency": "USD", "service": "Amazon Elastic Compute Cloud",
        "charge_category": "Usage", "pricing_category": "Standard", "unit": "Hrs", "sku": "s", "effective": cost,
        "billed": cost, "readable": True, **known,
    }  # fmt: skip
    tags: dict[str, str] = values.pop("tags", {})
    bill.execute(
        f"INSERT INTO charges ({', '.join(values)}, tags) VALUES ({', '.join('?' for _ in values)}, map(?, ?))",
        [*values.values(), list(tags), list(tags.values())],
    )


def rows(bill: duckdb.DuckDBPyConnection, columns: str, where: str = "true", listed: int = 5_000) -> list[Any]:
    rules = parse_rules(RULES)
    for step in gather(rules, SEPTEMBER):
        bill.execute(step.sql)
    bill.execute(f"CREATE OR REPLACE TABLE evidence AS {evidence_rows(rules, SEPTEMBER, listed)}")
    sums = "SELECT {}, sum({}) FROM {} GROUP BY 1 ORDER BY 1"
    told = bill.execute(sums.format('"BillingCurrency"', '"EffectiveCost"', "evidence WHERE \"Section\" <> 'day'"))
    assert told.fetchall() == bill.execute(sums.format("currency", "effective", "charges")).fetchall()
    return bill.execute(f"SELECT {columns} FROM evidence WHERE {where} ORDER BY ALL").fetchall()


def test_it_has_the_columns_of_its_dataset(bill: duckdb.DuckDBPyConnection) -> None:
    charge(bill, "1")
    rows(bill, "*")
    found = bill.execute("SELECT column_name, column_type FROM (DESCRIBE evidence)").fetchall()
    assert dict(found) == {**SAVING_EVIDENCE.columns, "tenant_id": "VARCHAR"}


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({}, "capacity"),
        ({"unit": "vCPU-Hours"}, "capacity"),
        ({"unit": "GB-Hours", "description": "memory of a task"}, "capacity"),
        ({"unit": "GB-Mo", "description": "$0.023 per GB of storage used"}, "storage"),
        ({"unit": "GB-Hours", "description": "General Purpose SSD volume"}, "storage"),
        ({"description": "Idle public IPv4 address", "tags": {}}, "capacity"),
        ({"tags": {"environment": "Staging"}}, "capacity"),
        ({"tags": {"environment": "prod"}}, "rest"),
        ({"unit": "Requests"}, "rest"),
        ({"unit": "Lambda-GB-Second"}, "rest"),
        ({"unit": None}, "rest"),
        ({"pricing_category": "Committed", "commitment": "c", "commitment_status": "Used"}, "rest"),
        ({"pricing_category": "Committed", "commitment": "c", "commitment_status": "Unused"}, "rest"),
        ({"charge_category": "Tax"}, "rest"),
        ({"charge_category": None}, "capacity"),
    ],
)
def test_a_charge_is_of_one_kind(bill: duckdb.DuckDBPyConnection, known: dict[str, Any], kind: str) -> None:
    charge(bill, "1", day=1, **{"tags": {"tenant": "acme"}, **known})
    assert rows(bill, '"Kind"', "\"Section\" <> 'day'") == [(kind,)]


def test_a_resource_stands_with_its_tenant_its_days_and_its_weekends(bill: duckdb.DuckDBPyConnection) -> None:
    for day in (4, 4, 5, 6, 7):  # a Friday twice, Saturday, Sunday, Monday
        charge(bill, "1.5", day, resource="i-1", quantity=12, tags={"tenant": "acme", "environment": "dev"})
    charge(bill, "2", 9, sub_account="7")
    charge(bill, "3", 9, tags={"tenant": "no tenant's id"})
    charge(bill, "4", 9, service="Shared")
    told = '"EffectiveCost", tenant_id, "x_Method", "x_Environment", "Days", "WeekendDays", "WeekendCost"'
    assert rows(bill, told, "\"Section\" = 'resource'") == [
        (Decimal(2), "silo", "direct", None, 1, 0, None),
        (Decimal(3), None, "direct", None, 1, 0, None),
        (Decimal("7.5"), "acme", "direct", "dev", 4, 2, Decimal(3)),
    ]


def test_what_is_not_among_the_dearest_of_its_kind_is_one_sum(bill: duckdb.DuckDBPyConnection) -> None:
    for number in range(9):
        charge(bill, str(number), resource=f"i-{number}", tags={"tenant": f"t-{number}"})
        charge(bill, "0.5", unit="Requests", sku=f"s{number}", currency="EUR")
    charge(bill, "-3", charge_category="Credit")
    told = '"Section", "Kind", "BillingCurrency", "EffectiveCost", "Resources", "ResourceId"'
    where = "\"Section\" <> 'day'"
    found = rows(bill, told, where, listed=2)
    assert ("resource", "capacity", "USD", Decimal(8), 1, "i-8") in found
    assert ("resource", "capacity", "USD", Decimal(7), 1, "i-7") in found
    assert ("other", "capacity", "USD", Decimal(21), 7, None) in found
    assert ("other", "rest", "EUR", Decimal("4.5"), None, None) in found
    assert ("other", "rest", "USD", Decimal(-3), None, None) in found
    assert len(found) == 5


def test_among_equals_as_many_stand_singly_as_may(bill: duckdb.DuckDBPyConnection) -> None:
    for number in range(50):
        charge(bill, "48.36", resource=f"db-{number}", tags={"tenant": f"t-{number}"})
    once = rows(bill, "tenant_id", "\"Section\" = 'resource'", listed=20)
    assert len(once) == 20
    assert rows(bill, "tenant_id", "\"Section\" = 'resource'", listed=20) == once


def test_days_tell_what_commitments_cover_and_what_they_could(bill: duckdb.DuckDBPyConnection) -> None:
    charge(bill, "5", 2, resource="i-1")
    charge(bill, "6", 2, resource="i-2")
    charge(bill, "7", 2, pricing_category="Dynamic")  # a spot instance
    charge(bill, "8", 2, service="Amazon Route 53")  # nothing is sold for it
    charge(bill, "9", 2, pricing_category="Committed", commitment="c", commitment_status="Used", listed=12)
    charge(bill, "1", 2, pricing_category="Committed", commitment="c", commitment_status="Unused", unit=None)
    charge(bill, "4", 2, charge_category="Purchase", commitment="c")
    charge(bill, "-2", day=-20)  # a correction of the month before
    told = '"Kind", "Day", "CommitmentDiscountId", "EffectiveCost", "ListCost"'
    second = datetime(2026, 9, 2).date()
    assert rows(bill, told, "\"Section\" = 'day'") == [
        ("on_demand", second, None, Decimal(11), None),
        ("unused", second, "c", Decimal(1), None),
        ("used", second, "c", Decimal(9), Decimal(12)),
    ]
