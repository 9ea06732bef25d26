"""What the agencies were invoiced: the price book applied to the metered usage, line by line."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import yaml

from .periods import MONTHS, first_day, next_month
from .tenants import TENANTS, Tenant

PRICE_BOOK = Path(__file__).with_name("price_book.yaml")
FEE_LINE = "plan fee"

_METERS = """
SELECT tenant_id, month, 'requests' AS meter, sum(quantity)::BIGINT AS units
FROM usage WHERE metric = 'requests' GROUP BY ALL
UNION ALL
SELECT tenant_id, month, CASE action WHEN 'book' THEN 'bookings' ELSE 'assistant_messages' END, sum(calls)::BIGINT
FROM feature_usage WHERE (feature, action) IN (('book_trip', 'book'), ('chat_assistant', 'ask')) GROUP BY ALL
"""


def price_book() -> Mapping[str, Any]:
    """The price book as it stands in its file."""
    return yaml.safe_load(PRICE_BOOK.read_text())


def plans_on(book: Mapping[str, Any], day: date) -> Mapping[str, Any]:
    """The plans of the version in force on a day."""
    return [version for version in book["versions"] if version["effective"] <= day][-1]["plans"]


def charge(price: Mapping[str, Any], units: int) -> Decimal:
    """What a number of units costs under one price: what is included is free, the rest goes through the model."""
    beyond = max(0, units - int(price["included"]))
    match price["model"]:
        case "per_unit":
            return beyond * Decimal(price["unit_price"])
        case "package":
            return -(-beyond // int(price["package_size"])) * Decimal(price["package_price"])
        case "graduated":
            total, below = Decimal(0), 0
            for tier in price["tiers"]:
                upper = int(tier.get("up_to", units)) - int(price["included"])
                total += max(0, min(beyond, upper) - below) * Decimal(tier["unit_price"])
                below = max(below, upper)
            return total
        case other:
            raise ValueError(f"no price model {other!r}")


def _is_billed(tenant: Tenant, month: str) -> bool:
    """From the month in which it joins; a suspended tenant no longer, a churning one under its contract still."""
    if tenant.status == "Pending" or tenant.joined >= next_month(month):
        return False
    return tenant.status != "Suspended" or tenant.left is None or first_day(month) < tenant.left


def create_revenue(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `revenue` from the price book and the tables of usage. Lines of nothing are left out."""
    book = price_book()
    metered: dict[tuple[str, str, str], int] = {
        (tenant, month, meter): units for tenant, month, meter, units in connection.execute(_METERS).fetchall()
    }
    rows: list[tuple[str, str, str, str, Decimal, str]] = []
    for tenant in TENANTS:
        for month in MONTHS:
            if not _is_billed(tenant, month):
                continue
            plan = plans_on(book, first_day(month))[tenant.plan_name]
            lines = {FEE_LINE: Decimal(plan["fee"])}
            for meter, price in plan["prices"].items():
                lines[meter.replace("_", " ")] = charge(price, metered.get((tenant.id, month, meter), 0))
            rows += [
                (tenant.id, month, tenant.plan_name, line, amount, book["currency"])
                for line, amount in lines.items()
                if amount
            ]
    connection.execute(
        "CREATE TABLE revenue (tenant_id VARCHAR, month VARCHAR, plan VARCHAR, line VARCHAR, amount DECIMAL(38, 12),"
        " currency VARCHAR)"
    )
    connection.executemany("INSERT INTO revenue VALUES (?, ?, ?, ?, ?, ?)", sorted(rows))
