"""Which datasets a month's prices are of, and the newest month that has all of them."""

from collections.abc import Callable, Collection, Iterable, Mapping

from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import Book, Contract
from tenantscope_pricing.rating import metered

LATE_MONTHS = 3
"""How far behind the newest month one may be that has all: a dataset without anything for longer is no longer used."""


def needed(book: Book, contracts: Iterable[Contract], month: Month) -> set[str]:
    """The datasets that bills of these contracts are rated by in a month."""
    there = {meter.dataset for meter in book.meters.values()}
    found: set[str] = set()
    for contract in contracts:
        if found == there:
            break
        found |= {meter.dataset for meter in metered(book, contract, month)}
    return found


def newest_complete(
    committed: Mapping[str, Collection[Month]], months: Collection[Month], needs: Callable[[Month], set[str]]
) -> Month | None:
    """The newest of `months` with all that it needs, else the newest; None where there is none.

    Of the newest three. A dataset with nothing in any of them is not waited for: a tenant that stopped to use what it
    measures has none either.
    """
    recent = sorted(months, reverse=True)[:LATE_MONTHS]
    live = {name for name, own in committed.items() if any(month in own for month in recent)}
    whole = (month for month in recent if all(month in committed[name] for name in needs(month) & live))
    return next(whole, recent[0] if recent else None)
