"""What the company buys from the cloud (`skus.csv`: services, meters, list prices) and the accounts that pay for it."""

import csv
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

PRICE_SCALE = 10**8
"""Prices are whole numbers of 1e-8 dollars, costs of 1e-10 dollars: every sum of them is exact."""
COST_SCALE = 10**10


@dataclass(frozen=True, slots=True)
class Account:
    """A sub-account (an AWS member account) and the billing account that pays for it."""

    id: str
    name: str
    billing_account: str
    region: str


BILLING_ACCOUNTS = {"100000000001": "Wayfarer Inc.", "100000000002": "Wayfarer Europe"}
ACCOUNTS = (
    Account("210000000001", "wayfarer-prod-us", "100000000001", "us-east-1"),
    Account("210000000002", "wayfarer-silo-skyline-global", "100000000001", "us-east-1"),
    Account("210000000003", "wayfarer-staging", "100000000001", "us-east-1"),
    Account("210000000004", "wayfarer-security", "100000000001", "us-east-1"),
    Account("220000000001", "wayfarer-prod-eu", "100000000002", "eu-west-1"),
)
PROD_US, SILO, STAGING, SECURITY, PROD_EU = range(len(ACCOUNTS))
REGION_NAMES = {"us-east-1": "US East (N. Virginia)", "eu-west-1": "EU (Ireland)"}


@dataclass(frozen=True, slots=True)
class Sku:
    """One meter of one service. `price` is the list price of a unit in 1e-8 dollars."""

    key: str
    service: str
    service_code: str
    category: str
    subcategory: str
    meter: str
    operation: str
    unit: str
    price: int
    resource: str
    description: str


def _sku(row: dict[str, Any]) -> Sku:
    row["price"] = int(Decimal(row["price"] or 0) * PRICE_SCALE)
    return Sku(**row)


def _read() -> tuple[Sku, ...]:
    with Path(__file__).with_name("skus.csv").open(newline="") as file:
        return tuple(_sku(row) for row in csv.DictReader(file))


SKUS: tuple[Sku, ...] = _read()
_POSITION = {sku.key: number for number, sku in enumerate(SKUS)}


def sku_index(key: str) -> int:
    """Position of a SKU in `SKUS`."""
    return _POSITION[key]
