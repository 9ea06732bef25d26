"""A bucket with use, a published book and revenue, and the server's sources over it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from core.stores.datasets import commit
from fixtures.clock import Clock
from fixtures.stores import Cloud, SignedCaller
from tenantscope_core.results.documents import mapping, read_yaml
from tenantscope_core.results.errors import NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.datasets import DatasetReader, fetch_manifest
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.rollup import Outcome, Request
from tenantscope_core.stores.schemas import USAGE
from tenantscope_core.stores.workbench import Limits
from tenantscope_pricing.book_file import book_of
from tenantscope_pricing.rollup import Rollup
from tenantscope_pricing.sources.bills import Bills
from tenantscope_pricing.sources.books import Books
from tenantscope_pricing.sources.open import Sources
from tenantscope_pricing.sources.publishing import Publisher
from tenantscope_pricing.sources.revenue import Revenue
from tenantscope_pricing.sources.use import Use


@dataclass
class World:
    """One company's bucket."""

    cloud: Cloud
    bucket: str
    folder: Path
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list[str])

    @property
    def aws(self) -> SignedCaller:
        return self.cloud.fleet()

    @contextmanager
    def sources(self) -> Generator[Sources]:
        """What tools read from, knowing nothing yet."""
        reader = DatasetReader(self.bucket, clock=self.clock)
        cache = ObjectCache(self.folder / "cache", max_bytes=1 << 26)
        engine = DuckDbEngine(reader, cache)
        books = Books(reader, engine)
        yield Sources(books, Bills(books, Use(reader, engine)), Revenue(reader, engine))
        cache.close()

    async def publish(self, text: str) -> None:
        """Publish a book whatever it changes."""
        document = mapping(read_yaml(text, "the book"), "the book")
        with self.sources() as sources:
            try:
                before = await sources.books.book(self.aws, None)
            except NotFound:
                before = None
        publisher = Publisher(
            self.aws, self.bucket, self.folder, registry=None, clock=self.clock, say=self.said.append, limits=Limits()
        )
        await publisher.publish(document, book_of(document), before)

    async def use(self, month: str, requests: Mapping[str, Mapping[int, int]], run: str) -> None:
        """Commit requests by tenant and day of the month."""
        rows = {
            tenant: [
                (date.fromisoformat(f"{month}-{day:02d}"), "requests", Decimal(n), "Requests") for day, n in own.items()
            ]
            for tenant, own in requests.items()
        }
        writer = DatasetWriter(self.aws, self.bucket, clock=self.clock)
        await commit(writer, self.folder / "use", USAGE, month, rows, run=run)

    async def roll_up(self, *months: str, force: bool = False) -> dict[str, Outcome]:
        reader = DatasetReader(self.bucket, clock=self.clock)
        cache = ObjectCache(self.folder / "cache", max_bytes=1 << 26)
        engine = DuckDbEngine(reader, cache)
        work = Rollup(
            self.aws,
            self.bucket,
            await Books(reader, engine).book(self.aws, None),
            Use(reader, engine),
            registry=None,
            folder=self.folder,
            clock=self.clock,
            say=self.said.append,
        )
        done = await work.run(Request(tuple(map(Month.parse, months)) or None, force))
        cache.close()
        return {str(month): outcome for month, outcome in done.items()}

    async def rows(self, month: str, tenant: str | None = None) -> list[tuple[Any, ...]]:
        """Committed revenue of a month: plan, line, amount; with the tenant before them for the fleet."""
        manifest, _ = await fetch_manifest(self.aws, self.bucket, "revenue", tenant)
        refs = manifest.months[month].objects
        found: list[tuple[Any, ...]] = []
        for ref in refs:
            answer = await self.aws.call("s3", "get_object", Bucket=self.bucket, Key=ref.key)
            path = self.folder / "read.parquet"
            path.write_bytes(answer["Body"])
            columns = "plan, line, amount" if tenant else "tenant_id, plan, line, amount"
            with duckdb.connect() as connection:
                found += connection.execute(f"SELECT {columns} FROM '{path}' ORDER BY ALL").fetchall()
        return found
