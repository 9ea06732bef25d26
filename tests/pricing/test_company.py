"""A company's whole revenue against what its maker worked out by fractions, without a line of the server's code."""

import csv
import json
import os
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tenantscope_core.results.periods import Month, Period
from tenantscope_pricing.book import Book
from tenantscope_pricing.book_file import parse_book
from tenantscope_pricing.meter_sql import by_tenant_and_day
from tenantscope_pricing.rating import replay
from tenantscope_pricing.revenue_rows import revenue_rows
from tenantscope_pricing.segments import by_segment
from tenantscope_sandbox.company import PRICE_BOOK
from tenantscope_sandbox.company.generate import generate

REPOSITORY = Path(__file__).parents[2]
MONTHS = [Month(2025, 11).shift(n) for n in range(12)]
Daily = dict[str, dict[date, dict[str, Decimal]]]


@pytest.fixture(scope="module")
def company() -> Path:
    """The folder of the company, which the sandbox of other tests shares."""
    return generate(Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or REPOSITORY / ".sandbox/test"))


VIEWS = {
    "usage": "SELECT tenantId AS tenant_id, day, 'requests' AS metric, count(*) AS quantity FROM log GROUP BY ALL",
    "feature_usage": """
        SELECT tenantId AS tenant_id, day, 'book_trip' AS feature, 'book' AS action, count(*) AS calls FROM log
        WHERE httpMethod = 'POST' AND regexp_full_match(path, '/v1/trips/[^/]+/booking') GROUP BY ALL
        UNION ALL
        SELECT tenantId AS tenant_id, day, 'chat_assistant' AS feature, 'ask' AS action, count(*) AS calls FROM log
        WHERE httpMethod = 'POST' AND regexp_full_match(path, '/v1/assistant/conversations/[^/]+/messages')
        GROUP BY ALL""",
    "llm_usage": "FROM read_parquet('{objects}/fleet/llm_usage/*/*/*.parquet', hive_partitioning = false)",
}
"""The datasets as far as the book's meters read them, counted here from what they are made of."""


def use_of(company: Path, book: Book) -> Daily:
    """Every tenant's daily use, by the statements that the server sends to its engine."""
    period = Period.of_months(MONTHS[0], MONTHS[-1])
    found: Daily = defaultdict(lambda: defaultdict(dict))
    objects = company / "s3"
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE log AS SELECT *, (requestTime AT TIME ZONE 'UTC')::DATE AS day"
            f" FROM read_json('{objects}/raw/access_log/*/*.jsonl.gz', hive_partitioning = false,"
            " columns = {requestTime: TIMESTAMPTZ, httpMethod: VARCHAR, path: VARCHAR, tenantId: VARCHAR})"
        )
        for dataset in sorted({meter.dataset for meter in book.meters.values()}):
            connection.execute(f"CREATE OR REPLACE VIEW used AS {VIEWS[dataset].format(objects=objects)}")
            meters = [meter for meter in book.meters.values() if meter.dataset == dataset]
            query = by_tenant_and_day(meters, period, list(book.contracts))
            for tenant, day, *values in connection.execute(query.sql, list(query.parameters)).fetchall():
                found[tenant][day] |= {m.name: Decimal(value) for m, value in zip(meters, values, strict=True)}
    return found


@pytest.mark.requirement("invoices-reproduced")
def test_every_line_of_every_invoice_is_what_the_maker_says(company: Path) -> None:
    book = parse_book(PRICE_BOOK.read_text())
    use = use_of(company, book)
    ours: dict[tuple[str, str], dict[str, Decimal]] = {}
    for tenant, contract in book.contracts.items():
        bills = replay(book, contract, {month: by_segment(book, contract, month, use[tenant]) for month in MONTHS})
        for month, bill in bills.items():
            rows = {row.line: row.amount for row in revenue_rows(tenant, bill)}
            assert sum(rows.values()) == bill.total
            if rows:
                ours[str(month), tenant] = rows
    theirs: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for month in MONTHS:
        with (company / f"s3/raw/revenue/month={month}/revenue.csv").open() as file:
            for row in csv.DictReader(file):
                theirs[str(month), row["tenant_id"]][row["line"]] = Decimal(row["amount"])
    assert len(ours) == len(theirs) > 400
    assert ours == theirs
    truth: dict[str, Any] = json.loads((company / "truth.json").read_text())["revenue"]
    totals = {(month, tenant): Decimal(total) for month, tenants in truth.items() for tenant, total in tenants.items()}
    assert {key: sum(rows.values()) for key, rows in ours.items()} == totals
