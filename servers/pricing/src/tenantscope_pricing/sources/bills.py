"""One tenant's bill of a month, rated when it is asked for: its book, its use, and the credits that were left."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from anyio import to_thread
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import LATEST, Month, parse_period
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_pricing.book import Book, Contract
from tenantscope_pricing.credits import first_month
from tenantscope_pricing.estimate import run_rate
from tenantscope_pricing.needed import needed, newest_complete
from tenantscope_pricing.rating import Bill, metered, rate, replay
from tenantscope_pricing.segments import by_segment, months_between, segments
from tenantscope_pricing.sources.books import Books
from tenantscope_pricing.sources.use import Use

RUNNING = "running"
"""What callers write for the month that runs."""


@dataclass(frozen=True, slots=True)
class RatedMonth:
    """A bill, for a running month what it may come to and by which method, and what it lacks.

    `missing` are the datasets that have nothing committed, by month.
    """

    book: Book
    bill: Bill
    outlook: Bill | None
    method: str
    missing: Mapping[Month, Sequence[str]]
    data_through: date | None
    stale: bool


class Bills:
    """Rates tenants' months from their own partitions alone."""

    def __init__(self, books: Books, use: Use) -> None:
        self._books = books
        self._use = use

    async def rated(self, aws: AwsCaller, tenant: str, period: str, today: date) -> RatedMonth:
        """The bill of the month that a caller wrote.

        Raises:
            InvalidArgument: It is no month, or one that has not begun.
            NotFound: The tenant has no contract, or none in that month.
            ToolFailure: A store refused or does not answer.
        """
        book = await self._books.book(aws, tenant)
        contract = book.contracts.get(tenant)
        if contract is None:
            raise NotFound(f"{tenant} has no contract in the price book; get_plans shows the plans.")
        running = Month(today.year, today.month)
        month = await self._month(aws, book, contract, period, running)
        if not segments(book, contract, month):
            since, through = contract.terms[0].since, contract.terms[-1].through
            until = f" through {through}" if through is not None else ""
            raise NotFound(f"{tenant} has no contract in {month}; it has one since {since}{until}.", parameter="period")
        months = months_between(first_month(contract.credits, month), month)
        meters = list(dict.fromkeys(meter for one in months for meter in metered(book, contract, one)))
        # A run rate looks four weeks back, into the month before.
        read = months_between(min(months[0], month.shift(-1)), month) if month == running else months
        use = await self._use.daily(aws, tenant, meters, read)
        through = max((day for day in use.days if day >= month.first_day), default=None)
        bills = replay(book, contract, {one: by_segment(book, contract, one, use.days) for one in months})
        outlook, method = None, ""
        if month == running:
            by_name = {meter.name: meter for meter in meters}
            ahead, method = run_rate(use.days, by_name, month, today)
            before = bills[months[-2]].balances if len(months) > 1 else None
            outlook = rate(book, contract, month, by_segment(book, contract, month, ahead), before)
        missing = {one: names for one, names in use.missing.items() if one in months}
        return RatedMonth(book, bills[month], outlook, method, missing, through, use.stale)

    async def newest_of_fleet(self, aws: AwsCaller, months: Collection[Month]) -> Month | None:
        """The newest of some months for which all that the fleet's prices need is committed, else the newest."""
        book = await self._books.book(aws, None)
        committed = await self._use.months(aws, None, list(book.meters.values()))
        return await to_thread.run_sync(
            lambda: newest_complete(committed, months, lambda month: needed(book, book.contracts.values(), month))
        )

    async def missing_of_fleet(self, aws: AwsCaller, months: Sequence[Month]) -> list[str]:
        """The datasets that the fleet's prices need in some of these months and that have nothing committed there."""
        book = await self._books.book(aws, None)
        committed = await self._use.months(aws, None, list(book.meters.values()))

        def lacking() -> set[str]:
            gaps = {month: {name for name, own in committed.items() if month not in own} for month in months}
            return {
                name
                for month, names in gaps.items()
                if names
                for name in names & needed(book, book.contracts.values(), month)
            }

        return sorted(await to_thread.run_sync(lacking))

    async def _month(self, aws: AwsCaller, book: Book, contract: Contract, period: str, running: Month) -> Month:
        if period == RUNNING:
            return running
        latest = running
        if period == LATEST:
            committed = await self._use.months(aws, contract.tenant, list(book.meters.values()))
            months = {month for own in committed.values() for month in own if month <= running}
            billed = {month for month in months if segments(book, contract, month)} or months
            latest = newest_complete(committed, billed, lambda month: needed(book, [contract], month)) or running
        wanted = parse_period(period, latest=latest)
        if not wanted.is_whole_months or len(wanted.months) != 1:
            raise InvalidArgument("A bill is of one whole month; ask for '2026-09'.", parameter="period")
        (month,) = wanted.months
        if month > running:
            raise InvalidArgument(f"{month} has not begun; ask for 'running' or a month before.", parameter="period")
        return month
