"""The truth adds up, agrees with the bill, and has exactly the planted money losers."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from tenantscope_sandbox.company import truth as arithmetic

ZERO = Decimal(0)


def test_allocated_and_residual_are_the_bill(truth: dict[str, Any]) -> None:
    for bill in truth["billing"].values():
        allocated = sum((Decimal(tenant["total"]) for tenant in bill["allocated"].values()), ZERO)
        assert allocated + Decimal(bill["residual"]) == Decimal(bill["effective_cost"])


def test_methods_and_services_of_a_tenant_sum_to_its_total(truth: dict[str, Any]) -> None:
    for bill in truth["billing"].values():
        for tenant, split in bill["allocated"].items():
            total = Decimal(split["total"])
            assert total == sum(Decimal(value) for name, value in split.items() if name != "total")
            assert total == sum(Decimal(value) for value in bill["allocated_by_service"][tenant].values())


def test_what_is_tagged_with_a_tenant_is_its_direct_cost(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    """By tag, or by the silo account; counted from the export itself."""
    rows = sql.execute(
        "SELECT strftime(BillingPeriodStart, '%Y-%m'), coalesce(Tags['tenant'], 'skyline-global'), sum(effective)"
        " FROM bill WHERE Tags['tenant'] IS NOT NULL OR "
        " (SubAccountId = '210000000002' AND ChargeCategory = 'Usage') GROUP BY ALL"
    ).fetchall()
    assert len(rows) > 12 * 30
    for month, tenant, cost in rows:
        assert Decimal(truth["billing"][month]["allocated"][tenant]["direct"]) == cost


@pytest.mark.parametrize(
    ("method", "matches"),
    [
        ("driver", "Tags['shared'] = 'platform' OR ServiceName = 'Amazon Bedrock'"),
        ("even", "Tags['shared'] = 'security'"),
        ("proxy", "ChargeCategory IN ('Tax', 'Credit') OR ServiceName = 'AWS Support (Business)'"),
    ],
)
def test_each_method_spreads_its_charges_whole(
    sql: duckdb.DuckDBPyConnection, truth: dict[str, Any], method: str, matches: str
) -> None:
    spread = dict(
        sql.execute(
            f"SELECT strftime(BillingPeriodStart, '%Y-%m'), sum(effective) FROM bill WHERE {matches} GROUP BY ALL"
        ).fetchall()
    )
    for month, cost in spread.items():
        allocated = truth["billing"][month]["allocated"].values()
        assert abs(sum(Decimal(tenant.get(method, 0)) for tenant in allocated) - cost) < Decimal("1e-10")


def test_even_shares_are_equal_among_tenants_with_use(truth: dict[str, Any]) -> None:
    for month, bill in truth["billing"].items():
        shares = [Decimal(tenant["even"]) for tenant in bill["allocated"].values() if "even" in tenant]
        assert len(shares) == len(truth["usage"][month])
        assert max(shares) - min(shares) <= Decimal("1e-11")


def test_a_driver_follows_its_metric(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    """One service on one rule: Bedrock in a month is split by the tokens of each day, worked out here by SQL."""
    rows = sql.execute(
        "WITH cost AS (SELECT ChargePeriodStart::DATE AS day, sum(effective)::DOUBLE AS cost FROM bill"
        " WHERE ServiceName = 'Amazon Bedrock' AND BillingPeriodStart = '2026-07-01' GROUP BY ALL),"
        " tokens AS (SELECT tenant_id, day, sum(tokens_in + tokens_out)::DOUBLE AS tokens FROM llm_usage GROUP BY ALL)"
        " SELECT tenant_id, sum(cost * share) FROM (SELECT *, tokens / sum(tokens) OVER (PARTITION BY day) AS share"
        " FROM tokens) JOIN cost USING (day) GROUP BY ALL"
    ).fetchall()
    split = truth["billing"]["2026-07"]["allocated_by_service"]
    assert len(rows) > 30
    for tenant, cost in rows:
        assert float(split[tenant]["Amazon Bedrock"]) == pytest.approx(cost, rel=1e-9)


def test_exactly_the_planted_tenants_lose_money(truth: dict[str, Any]) -> None:
    losing: dict[str, list[str]] = defaultdict(list)
    for month in truth["months"]:
        for tenant, split in truth["billing"][month]["allocated"].items():
            if Decimal(split["total"]) > Decimal(truth["revenue"][month].get(tenant, "0")):
                losing[tenant].append(month)
    since = truth["planted"]["money_losers"]
    assert losing == {tenant: [m for m in truth["months"] if m >= first] for tenant, first in since.items()}


def test_rounding_keeps_the_exact_sum() -> None:
    cells = {(name, "driver", "s"): arithmetic.Fraction(10**10, 3) for name in "abc"}
    assert sorted(arithmetic.rounded(cells).values()) == [333333333333, 333333333333, 333333333334]


@pytest.mark.parametrize(
    ("amount", "text"), [(1, "0.000000000001"), (-(10**12), "-1.000000000000"), (0, "0.000000000000")]
)
def test_money_is_written_with_twelve_places(amount: int, text: str) -> None:
    assert arithmetic.money(amount) == text


def test_features_cost_what_names_them_and_the_whole_platform(
    sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    named = sql.execute(
        "SELECT strftime(BillingPeriodStart, '%Y-%m'), sum(effective) FROM bill"
        " WHERE Tags['feature'] IS NOT NULL OR Tags['shared'] = 'platform' GROUP BY ALL"
    ).fetchall()
    assert len(named) == 12
    for month, cost in named:
        features = truth["feature_costs"][month]
        assert abs(sum(Decimal(split["total"]) for split in features.values()) - cost) < Decimal("1e-10")
        for split in features.values():
            assert Decimal(split["total"]) == sum(Decimal(value) for name, value in split.items() if name != "total")
