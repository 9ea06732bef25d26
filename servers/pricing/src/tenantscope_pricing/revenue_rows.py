"""A bill as rows of the `revenue` dataset, and whether they still sum to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_pricing.book import ZERO
from tenantscope_pricing.rating import Bill


@dataclass(frozen=True, slots=True)
class RevenueRow:
    """One line of one plan; what a credit paid is negative."""

    tenant: str
    plan: str
    line: str
    amount: Decimal
    currency: str


def revenue_rows(tenant: str, bill: Bill) -> Iterator[RevenueRow]:
    """The rows of a bill, which sum to its total. Lines of nothing are left out."""
    sums: dict[tuple[str, str], Decimal] = {}
    for line in bill.lines:
        sums[line.plan, line.name] = sums.get((line.plan, line.name), ZERO) + line.amount
    for use in bill.credits:
        sums[bill.segments[-1].plan.id, f"credit {use.credit.name}"] = -use.applied
    for (plan, name), amount in sums.items():
        if amount:
            yield RevenueRow(tenant, plan, name, amount, bill.currency)


def total(rows: Iterable[RevenueRow]) -> Decimal:
    """What rows come to."""
    return sum((row.amount for row in rows), ZERO)
