"""What the tools read from, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.open_datasets import open_datasets
from tenantscope_core.serving.spec import Runtime

from tenantscope_pricing.settings import Settings
from tenantscope_pricing.sources.bills import Bills
from tenantscope_pricing.sources.books import Books
from tenantscope_pricing.sources.revenue import Revenue
from tenantscope_pricing.sources.use import Use


@dataclass(frozen=True, slots=True)
class Sources:
    """The published price book, tenants' bills, and what the fleet was billed."""

    books: Books
    bills: Bills
    revenue: Revenue


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    with open_datasets(runtime) as datasets:
        reader, engine = datasets.reader, datasets.engine
        books = Books(reader, engine)
        yield Sources(books, Bills(books, Use(reader, engine)), Revenue(reader, engine))
