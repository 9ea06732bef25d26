"""Ten thousand tenant-months rated by the sandbox company's price book, on one core, use in and revenue rows out."""

import time
from collections.abc import Iterator
from decimal import Decimal
from statistics import median

from tenantscope_core.results.periods import Month
from tenantscope_pricing.book import Book
from tenantscope_pricing.book_file import parse_book
from tenantscope_pricing.rating import rate
from tenantscope_pricing.revenue_rows import revenue_rows, total
from tenantscope_sandbox.company import PRICE_BOOK

from benchmarks.figures import Figure, say

RUNS, TENANT_MONTHS = 3, 10_000
MONTH = Month(2026, 10)
USED = {"requests": 6_789, "bookings": 432, "assistant_messages": 765, "report_models": 12}


def measure() -> Iterator[Figure]:
    """Rate them several times over."""
    book = parse_book(PRICE_BOOK.read_text(encoding="utf-8"))
    times = list[float]()
    for run in range(RUNS):
        started = time.perf_counter()
        _rated(book)
        times.append(time.perf_counter() - started)
        say(f"rating: {run + 1} of {RUNS}")
    rated = median(times)
    yield Figure(
        f"{TENANT_MONTHS:,} tenant-months rated, lines and revenue rows",
        f"{rated * 1000:,.0f} ms, {TENANT_MONTHS / rated:,.0f} a second",
    )


def _rated(book: Book) -> None:
    used = {name: Decimal(count) for name, count in USED.items()}
    contracts = [one for one in book.contracts.values() if one.terms[-1].through is None]
    for number in range(TENANT_MONTHS):
        contract = contracts[number % len(contracts)]
        bill = rate(book, contract, MONTH, [used])
        if total(revenue_rows(contract.tenant, bill)) != bill.total:
            raise AssertionError("rows do not sum to the bill")
