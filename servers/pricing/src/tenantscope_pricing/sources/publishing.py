"""Writes a price book: the whole of it for the provider, and to each tenant the part that it may see."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.rollup import Commits, Rolled, Say, inputs_hash
from tenantscope_core.stores.workbench import DuckDbWorkbench, Limits, copy_part

from tenantscope_pricing.book import Book
from tenantscope_pricing.sources.books import PRICE_BOOK
from tenantscope_pricing.views import stored, stored_for

if TYPE_CHECKING:
    import duckdb


class Publisher:
    """Commits books under the month in which they are published; earlier months' stay beside them."""

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        folder: Path,
        *,
        registry: str | None,
        clock: Callable[[], datetime],
        say: Say,
        limits: Limits,
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._workbench = DuckDbWorkbench(folder, limits)
        self._commits = Commits(aws, bucket, done_when=PRICE_BOOK, registry=registry, clock=clock, say=say)

    async def publish(self, document: Mapping[str, Any], book: Book, before: Book | None) -> None:
        """Write the book that a document holds. Tenants that lost their contract keep the public plans.

        Raises:
            ToolFailure: AWS refused or failed; run it again.
        """
        now = self._clock()
        whole = stored(document, book)
        tenants = sorted({*book.contracts, *(before.contracts if before is not None else ())})

        def write(connection: "duckdb.DuckDBPyConnection") -> tuple[dict[str, Part], Part]:
            connection.execute("CREATE TABLE rows (document VARCHAR)")
            parts: dict[str, Part] = {}
            for tenant in tenants:
                _set(connection, stored_for(document, book, tenant))
                parts[tenant] = copy_part(connection, "FROM rows", self._folder / f"{len(parts)}.parquet")
            _set(connection, whole)
            own = "SELECT document, CAST(NULL AS VARCHAR) AS tenant_id FROM rows"
            return parts, copy_part(connection, own, self._folder / "fleet.parquet")

        parts, fleet = await self._workbench.run(write)
        # Written even where nothing changed: so a run that died is mended by the next.
        rolled = (Rolled(PRICE_BOOK, fleet, parts),)
        await self._commits.commit(Month(now.year, now.month), inputs_hash(whole), rolled, force=True)


def _set(connection: "duckdb.DuckDBPyConnection", document: str) -> None:
    connection.execute("DELETE FROM rows")
    connection.execute("INSERT INTO rows VALUES (?)", [document])
