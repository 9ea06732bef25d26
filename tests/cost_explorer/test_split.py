"""Largest remainder by numpy against the reference in Python's whole numbers; and a bill of thousands of tenants."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import duckdb
import numpy as np
import pytest
import yaml
from cost_explorer import bills
from cost_explorer.reference import Charge, Used, allocate, largest_remainder, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tenantscope_cost_explorer.allocation.gathering import gather
from tenantscope_cost_explorer.allocation.report import UNBALANCED
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_cost_explorer.allocation.split import WEIGHT_LIMIT, split
from tenantscope_cost_explorer.sources.shares import apportion

amounts = st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-1000, 1000)
weights = st.lists(st.integers(1, 10) | st.integers(1, WEIGHT_LIMIT // 60), min_size=1, max_size=60)


@pytest.mark.requirement("sums-to-the-invoice")
@settings(max_examples=500, deadline=None)
@given(amount=amounts, weights=weights)
def test_parts_are_the_references_to_the_last_unit(amount: int, weights: list[int]) -> None:
    parts = split(amount, np.array(weights, np.int64), sum(weights))
    found = [
        parts.sign * (parts.times * weight + rest) for weight, rest in zip(weights, parts.rest.tolist(), strict=True)
    ]
    wanted = largest_remainder(amount, {f"{place:03}": weight for place, weight in enumerate(weights)})
    assert found == list(wanted.values())


@pytest.mark.parametrize(
    "weights",
    [[WEIGHT_LIMIT], [1, WEIGHT_LIMIT - 1], [WEIGHT_LIMIT // 2] * 2, [1] * 100_000],
    ids=["one tenant", "almost one tenant", "halves", "very many alike"],
)
def test_weights_at_their_limits_are_split_without_a_unit_lost(weights: list[int]) -> None:
    total = sum(weights)
    for amount in (total - 1, total // 2 + 1, 10**38 - 1, -(10**38) + 1, 1, 0):
        parts = split(amount, np.array(weights, np.int64), total)
        assert parts.sign * (parts.times * total + sum(parts.rest.tolist())) == amount
        assert all(0 <= rest <= weight for rest, weight in zip(parts.rest.tolist(), weights, strict=True))


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        yield connection


RULES: dict[str, Any] = {
    "format": 1,
    "feature": {"tag": "feature"},
    "rules": [
        {"name": "credits", "match": {"charge_category": ["Credit", "Tax"]}, "allocate": {"method": "proxy"}},
        {
            "name": "own",
            "match": {"tag": {"tenant": "*"}},
            "allocate": {"method": "direct", "tenant": {"tag": "tenant"}},
        },
        {"name": "unused", "match": {"commitment_status": "Unused"}, "allocate": {"method": "even"}},
        {
            "name": "platform",
            "match": {"billing_account": "payer"},
            "allocate": {
                "method": "driver",
                "metric": "feature_usage.calls",
                "cascade": {"feature": "feature_usage.bytes"},
                "fallback": ["usage.requests"],
            },
        },
    ],
}


def company(tenants: int, random: Random) -> bills.Month:
    """A bill with credits, refunds and charges of nothing, and tenants of whom a third use nothing."""
    names = [f"tenant-{number:05}" for number in range(tenants)]
    used: list[Used] = []
    for name in names:
        quantity = Decimal(random.choice([0, 1, random.randrange(10**9), random.randrange(100)]))
        used.append(Used(name, bills.MONTH, "usage.requests", "", quantity))
        feature = random.choice(bills.FEATURES)
        used.append(
            Used(name, bills.MONTH, random.choice(["feature_usage.calls", "feature_usage.bytes"]), feature, quantity)
        )
    charges: list[Charge] = []
    for _ in range(60):
        cost = Decimal(random.randrange(-(10**15), 10**17)).scaleb(-12) * random.choice([0, 1, 1, 1, -1])
        shared = Charge(
            bills.MONTH,
            bills.MONTH + timedelta(days=1),
            cost,
            cost * random.choice([0, 1, 2]),
            {},
            service=random.choice(["Amazon S3", "Amazon EC2"]),
            charge_category=random.choice(["Usage", "Usage", "Credit", "Tax"]),
            charge_class=random.choice([None, "Correction"]),
            commitment_status=random.choice([None, None, "Unused"]),
            quantity=random.choice([None, Decimal(random.randrange(10**12)).scaleb(-6)]),
            unit="GB",
            invoice=random.choice(["INV-1", "INV-2"]),
        )
        charges.append(replace(shared, tags={"tenant": random.choice([*names, "no such/tenant"])}))
        charges.append(shared)
    return bills.Month(charges, used)


@pytest.mark.requirement("sums-to-the-invoice")
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tenants=st.sampled_from([1, 2, 70, 700]) | st.integers(1, 5_000), seed=st.integers(0, 2**32))
def test_tenants_and_residual_are_the_invoice_however_many_there_are(
    database: duckdb.DuckDBPyConnection, tenants: int, seed: int
) -> None:
    _require_whole(database, tenants, seed)


@pytest.mark.requirement("sums-to-the-invoice")
def test_five_thousand_tenants_and_residual_are_the_invoice(database: duckdb.DuckDBPyConnection) -> None:
    _require_whole(database, 5_000, 7)


def _require_whole(database: duckdb.DuckDBPyConnection, tenants: int, seed: int) -> None:
    month = company(tenants, Random(seed))
    bills.fill(database, month)
    parsed = parse_rules(yaml.safe_dump(RULES))
    for step in gather(parsed, bills.MONTH):
        database.execute(step.sql)
    apportion(database, parsed, bills.MONTH)
    rows = database.execute(
        "SELECT invoice, coalesce(tenant, ''), sum(effective), sum(billed), coalesce(sum(quantity), 0) FROM allocated"
        " GROUP BY ALL"
    ).fetchall()
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for invoice, _, *found in rows:
        sums[invoice] = [one + other for one, other in zip(sums[invoice], found, strict=True)]
    for invoice in {charge.invoice for charge in month.charges}:
        own = [charge for charge in month.charges if charge.invoice == invoice]
        effective, billed, quantity = sums[invoice]
        assert sum(charge.effective for charge in own) - effective == Decimal("0.00")
        assert sum(charge.billed for charge in own) - billed == Decimal("0.00")
        assert sum(charge.quantity or 0 for charge in own) == quantity
    assert database.execute(UNBALANCED).fetchall() == []
    wanted: dict[str, int] = defaultdict(int)
    for key, (effective, *_) in allocate(
        month.charges, RULES, month.used, bills.active(month.used), bills.SCALE
    ).items():
        wanted[key.tenant] += effective
    assert {tenant: cost for tenant, cost in _by_tenant(rows).items() if cost} == {
        tenant: cost for tenant, cost in wanted.items() if cost
    }


def _by_tenant(rows: list[tuple[Any, ...]]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for _, tenant, effective, *_ in rows:
        found[tenant] += whole(effective) or 0
    return found
