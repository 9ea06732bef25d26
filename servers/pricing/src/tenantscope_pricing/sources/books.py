"""The published price book: the whole of it, or what one tenant may see."""

from collections import OrderedDict

import anyio.to_thread
from tenantscope_core.results.errors import DataFault, NotFound
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.manifests import describe
from tenantscope_core.stores.schemas import Dataset
from tenantscope_core.stores.sql import SqlEngine, Table

from tenantscope_pricing.book import Book
from tenantscope_pricing.views import read_stored

PRICE_BOOK = Dataset("price_book", {"document": "VARCHAR"})
"""One row: the book as it was published in the month, or the part that the partition's tenant may see."""
MAX_KEPT = 256


class Books:
    """Books by whose they are and the run that published them, read once each."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine
        self._kept: OrderedDict[tuple[str | None, str], Book] = OrderedDict()

    async def book(self, aws: AwsCaller, tenant: str | None) -> Book:
        """What is published for one tenant, or (None) for the provider.

        Raises:
            NotFound: Nothing is.
            DataFault: What is published is damaged.
            ToolFailure: S3 refused or does not answer.
        """
        committed = await self._reader.committed(aws, PRICE_BOOK.name, tenant)
        latest = committed.manifest.latest
        if latest is None:
            raise _nothing_published(tenant)
        key = (tenant, committed.manifest.months[str(latest)].run)
        if key not in self._kept:
            table = Table.of(PRICE_BOOK, committed, [str(latest)])
            found = await self._engine.query("SELECT document FROM book", (), {"book": table}, aws=aws, max_rows=2)
            if not found.rows:
                raise _nothing_published(tenant)
            try:
                # A book with thousands of contracts takes a while to read.
                self._kept[key] = await anyio.to_thread.run_sync(read_stored, str(found.rows[0][0]))
            except ValueError:
                named = describe(PRICE_BOOK.name, tenant)
                raise DataFault(f"The published {named} is damaged; it has to be published again.") from None
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _nothing_published(tenant: str | None) -> NotFound:
    if tenant is None:
        return NotFound("No price book is published yet: whoever operates the server has to run publish-book first.")
    return NotFound(
        f"No price book is published for {tenant}: it has no contract in the book yet, or there is no such tenant."
    )
