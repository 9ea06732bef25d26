"""What the agencies were invoiced, by plain fractions: the price book applied to the metered usage, line by line.

It is the company's own arithmetic, written without the servers' code, so that theirs can be held against it.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from .periods import MONTHS, first_day, next_month
from .tenants import TENANTS, Tenant

PRICE_BOOK = Path(__file__).with_name("price_book.yaml")
FEE_LINE = "fee"
CENTS, MILLIONTHS = 100, 1_000_000

_METERS = """
SELECT tenant_id, month, 'requests' AS meter, sum(quantity)::BIGINT::VARCHAR AS units
FROM usage WHERE metric = 'requests' GROUP BY ALL
UNION ALL
SELECT tenant_id, month, CASE action WHEN 'book' THEN 'bookings' ELSE 'assistant_messages' END,
       sum(calls)::BIGINT::VARCHAR
FROM feature_usage WHERE (feature, action) IN (('book_trip', 'book'), ('chat_assistant', 'ask')) GROUP BY ALL
UNION ALL
SELECT tenant_id, month, 'report_models', sum(cost)::VARCHAR FROM llm_usage WHERE feature = 'reports' GROUP BY ALL
"""
Lines = dict[str, int]
"""Whole cents by the name of the line."""


@cache
def price_book() -> dict[str, Any]:
    """The price book as it stands in its file."""
    return yaml.safe_load(PRICE_BOOK.read_text())


def plans_in(book: Mapping[str, Any], month: str) -> Mapping[str, Any]:
    """The plans of the version in force in a month."""
    return [version for version in book["versions"] if version["effective"] <= month][-1]["plans"]


def _half_even(value: Fraction, per: int) -> Fraction:
    return Fraction(round(value * per), per)


def _cents(value: Fraction) -> int:
    """Whole cents, halves up; invoices have no line below zero."""
    return int((value * CENTS + Fraction(1, 2)).__floor__())


def share(value: Fraction, month: str, since: date, per: int) -> Fraction:
    """What is left of a month's fee or allowance for one that begins on a day of it, in whole parts of `per`."""
    before, days = max(0, (since - first_day(month)).days), (next_month(month) - first_day(month)).days
    return value - _half_even(value * before / days, per) if before else value


def charge(price: Mapping[str, Any], units: Fraction | int, month: str = MONTHS[0], since: date = date.min) -> Fraction:
    """What a number of units costs under one price: what is included is free, the rest goes through the model."""
    units = Fraction(units)
    free = share(Fraction(price.get("included", 0)), month, since, MILLIONTHS)
    beyond = max(Fraction(0), units - free)
    match price["model"]:
        case "per_unit":
            return beyond * Fraction(price["unit_price"])
        case "percentage":
            return beyond * Fraction(price["percent"]) / 100
        case "package":
            return (-(-beyond // int(price["package_size"]))) * Fraction(price["package_price"])
        case "volume":
            ends = [share(Fraction(tier["up_to"]), month, since, MILLIONTHS) for tier in price["tiers"][:-1]]
            reached = sum(units > end for end in ends)
            return beyond * Fraction(price["tiers"][reached]["unit_price"])
        case "graduated":
            total, below = Fraction(0), Fraction(0)
            for tier in price["tiers"]:
                upper = share(Fraction(tier["up_to"]), month, since, MILLIONTHS) if "up_to" in tier else units
                total += max(Fraction(0), min(beyond, upper - free) - below) * Fraction(tier["unit_price"])
                below = max(below, upper - free)
            return total
        case other:
            raise ValueError(f"no price model {other!r}")


def _is_billed(tenant: Tenant, month: str) -> bool:
    """From the day on which it joins; a suspended tenant no longer, a churning one under its contract still."""
    if tenant.status == "Pending" or tenant.joined >= next_month(month):
        return False
    return tenant.status != "Suspended" or tenant.left is None or first_day(month) < tenant.left


def _lines(
    plan: Mapping[str, Any], deal: Mapping[str, Any], units: Mapping[str, Fraction], month: str, since: date
) -> Lines:
    """A month's lines before credits: fee, usage less the discount, and what is missing to the minimum."""
    if plan.get("proration") == "none":
        since = date.min
    lines = {FEE_LINE: _cents(share(Fraction(plan["fee"]), month, since, CENTS))}
    discount: Mapping[str, Any] = deal.get("discount", {"percent": 0, "lines": []})
    for meter, price in {**plan.get("prices", {}), **deal.get("prices", {})}.items():
        lines[meter] = _cents(charge(price, units.get(meter, Fraction(0)), month, since))
        if meter in discount["lines"]:
            lines[meter] -= _cents(Fraction(lines[meter] * discount["percent"], 100 * CENTS))
    missing = _cents(Fraction(deal.get("minimum", 0))) - sum(lines.values())
    return lines | ({"minimum": missing} if missing > 0 else {})


def invoices(tenant: Tenant, units: Mapping[tuple[str, str], Fraction]) -> dict[str, Lines]:
    """Every month's lines of one tenant; `units` by month and meter. What a credit pays is below zero."""
    book = price_book()
    contract: Mapping[str, Any] = book["contracts"].get(tenant.id, {"terms": [{}]})
    deal = contract["terms"][0]
    left = {credit["name"]: _cents(Fraction(credit["amount"])) for credit in contract.get("credits", [])}
    found: dict[str, Lines] = {}
    for month in MONTHS:
        if not _is_billed(tenant, month):
            continue
        used = {meter: count for (one, meter), count in units.items() if one == month}
        lines = _lines(plans_in(book, month)[tenant.plan_name], deal, used, month, tenant.joined)
        for credit in contract.get("credits", []):  # one of them at most is open at a time
            name = credit["name"]
            if credit["granted"] == month and "price" in credit:
                lines[f"purchase {name}"] = _cents(Fraction(credit["price"]))
            if credit["granted"] <= month <= credit["expires"]:
                paid = min(left[name], sum(lines.get(line, 0) for line in credit["lines"]))
                left[name] -= paid
                lines[f"credit {name}"] = -paid
        found[month] = {line: amount for line, amount in lines.items() if amount}
    return found


def create_revenue(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `revenue` from the price book and the tables of usage. Lines of nothing are left out."""
    units: dict[str, dict[tuple[str, str], Fraction]] = {}
    for tenant, month, meter, count in connection.execute(_METERS).fetchall():
        units.setdefault(tenant, {})[month, meter] = Fraction(count)
    currency = price_book()["currency"]
    rows = [
        (tenant.id, month, tenant.plan_name, line, Decimal(amount) / CENTS, currency)
        for tenant in TENANTS
        for month, lines in invoices(tenant, units.get(tenant.id, {})).items()
        for line, amount in lines.items()
    ]
    connection.execute(
        "CREATE TABLE revenue (tenant_id VARCHAR, month VARCHAR, plan VARCHAR, line VARCHAR, amount DECIMAL(38, 12),"
        " currency VARCHAR)"
    )
    connection.executemany("INSERT INTO revenue VALUES (?, ?, ?, ?, ?, ?)", sorted(rows))
