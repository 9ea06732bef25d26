"""The bill is a FOCUS 1.2 export that adds up."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

AWS_COLUMNS = ["x_Discounts", "x_Operation", "x_ServiceCode"]


def one(sql: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = sql.execute(query).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def test_the_bill_has_a_hundred_thousand_rows_in_twelve_months(sql: duckdb.DuckDBPyConnection) -> None:
    rows, months = one(sql, "SELECT count(*), count(DISTINCT BillingPeriodStart) FROM bill")
    assert rows >= 100_000
    assert months == 12


def test_the_bill_has_the_columns_of_focus_and_those_of_aws(bucket: Path, sql: duckdb.DuckDBPyConnection) -> None:
    export = f"{bucket}/raw/billing/focus/data/BILLING_PERIOD=2026-10/*.parquet"
    columns = {name: kind for name, kind, *_ in sql.execute(
        f"DESCRIBE SELECT * FROM read_parquet('{export}', hive_partitioning = false)").fetchall()}  # fmt: skip
    assert len(columns) == 57 + 3
    assert [name for name in columns if name.startswith("x_")] == AWS_COLUMNS
    assert columns["Tags"] == "MAP(VARCHAR, VARCHAR)"
    assert columns["BilledCost"] == columns["EffectiveCost"] == "DOUBLE"
    stored = sql.execute(f"SELECT converted_type FROM parquet_schema('{export}') WHERE name = 'ChargePeriodStart'")
    assert stored.fetchall() == [("TIMESTAMP_MILLIS",)]


def test_columns_that_focus_requires_are_never_null(sql: duckdb.DuckDBPyConnection) -> None:
    required = [
        "BilledCost", "BillingAccountId", "BillingAccountType", "BillingCurrency", "BillingPeriodEnd",
        "BillingPeriodStart", "ChargeCategory", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart",
        "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "InvoiceId", "ListCost", "ProviderName",
        "PublisherName", "ServiceCategory", "ServiceName", "ServiceSubcategory", "SubAccountId", "Tags",
    ]  # fmt: skip
    for column in required:
        assert one(sql, f"SELECT count(*) FROM bill WHERE {column} IS NULL") == 0, column


def test_billed_cost_of_each_invoice_sums_to_it_to_the_cent(
    sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    summed = dict(sql.execute("SELECT InvoiceId, sum(billed) FROM bill GROUP BY ALL").fetchall())
    assert summed == {invoice["invoice"]: Decimal(invoice["total"]) for invoice in truth["invoices"]}
    assert len(summed) == 24
    assert all(total == total.quantize(Decimal("0.01")) for total in summed.values())


def test_a_month_of_the_bill_is_the_truths(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    rows = sql.execute(
        "SELECT strftime(BillingPeriodStart, '%Y-%m'), sum(effective), sum(billed) FROM bill GROUP BY ALL"
    ).fetchall()
    assert len(rows) == 12
    for month, effective, billed in rows:
        assert effective == Decimal(truth["billing"][month]["effective_cost"])
        assert billed == Decimal(truth["billing"][month]["billed_cost"])


def test_no_cost_has_more_than_ten_decimals(sql: duckdb.DuckDBPyConnection) -> None:
    for column in ("billed", "effective"):
        assert one(sql, f"SELECT count(*) FROM bill WHERE {column} <> round({column}, 10)") == 0


def test_a_commitment_is_used_or_unused_to_its_last_cent(sql: duckdb.DuckDBPyConnection) -> None:
    """What the purchases of each commitment cost is what its use and its waste amortise over the twelve months."""
    rows = sql.execute(
        "SELECT CommitmentDiscountId, sum(billed) FILTER (ChargeCategory = 'Purchase'),"
        " sum(effective) FILTER (CommitmentDiscountStatus IS NOT NULL),"
        " sum(effective) FILTER (ChargeCategory = 'Purchase'),"
        " sum(billed) FILTER (CommitmentDiscountStatus IS NOT NULL)"
        " FROM bill WHERE CommitmentDiscountId IS NOT NULL GROUP BY ALL"
    ).fetchall()
    assert len(rows) == 2
    for _, bought, amortised, effective_of_purchase, billed_of_use in rows:
        assert bought == amortised
        assert effective_of_purchase == billed_of_use == 0


@pytest.mark.parametrize(
    "what",
    [
        "ChargeCategory = 'Credit' AND billed < 0",
        "ChargeCategory = 'Adjustment' AND billed < 0",
        "ChargeClass = 'Correction' AND ChargePeriodStart < BillingPeriodStart AND billed < 0",
        "ChargeCategory = 'Tax' AND billed > 0",
        "ChargeCategory = 'Purchase' AND ServiceName = 'AWS Support (Business)'",
        "ChargeCategory = 'Purchase' AND ChargeFrequency = 'One-Time' AND effective = 0",
        "CommitmentDiscountStatus = 'Unused' AND effective > 0",
        "ServiceName = 'Amazon Bedrock' AND BillingPeriodStart = '2026-01-01'",
        "SubAccountId = '210000000002' AND ChargeCategory = 'Usage' AND Tags['tenant'] IS NULL",
        "Tags['shared'] = 'platform' AND Tags['feature'] IS NOT NULL",
        "Tags['environment'] = 'staging'",
        "ChargeCategory = 'Usage' AND cardinality(Tags) = 0",
    ],
)  # fmt: skip
def test_the_bill_holds_every_kind_of_charge(sql: duckdb.DuckDBPyConnection, what: str) -> None:
    assert one(sql, f"SELECT count(*) FROM bill WHERE {what}") > 0


def test_one_tenants_transfer_is_eight_times_its_usual_on_the_days_of_the_spike(
    sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]
) -> None:
    spike = truth["planted"]["cost_spike"]
    days = ", ".join(f"DATE '{day}'" for day in spike["days"])
    of_it = f"FROM bill WHERE Tags['tenant'] = '{spike['tenant']}' AND ServiceName = '{spike['service']}'"
    september = "AND ChargePeriodStart >= DATE '2026-09-01' AND ChargePeriodStart < DATE '2026-10-01'"
    cost, quantity = one(
        sql, f"SELECT sum(effective), sum(ConsumedQuantity) {of_it} AND ChargePeriodStart::DATE IN ({days})"
    )
    assert cost == Decimal(spike["cost"])
    assert quantity == pytest.approx(float(spike["quantity"]))
    assert Decimal(spike["excess_cost"]) * 8 == cost * 7
    usual = one(
        sql,
        f"SELECT median(effective)::DOUBLE {of_it} {september} AND isodow(ChargePeriodStart) < 6"
        f" AND ChargePeriodStart::DATE NOT IN ({days})",
    )
    assert float(cost) / 4 / usual == pytest.approx(8, rel=0.2)
