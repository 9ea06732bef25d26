"""A tenant's rows in PostgreSQL, in every table that has a `tenant_id`, whatever servers keep them."""

import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Generator, Sequence

import psycopg
from psycopg import errors
from tenantscope_core.results.errors import NotSetUp
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore, UnsafeDatabase

from tenantscope_tenant_management.holdings import Export, Exported, Held
from tenantscope_tenant_management.sources.holdings.catalog import Catalog, NoSchema, TenantTable, read_catalog
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import (
    Allowance,
    Clock,
    left_behind,
    require_session_of,
)
from tenantscope_tenant_management.sources.holdings.line_files import PART_BYTES
from tenantscope_tenant_management.sources.holdings.row_files import RowFiles

log = logging.getLogger(__name__)

BATCH_ROWS = 5_000
_LIMITS = PostgresLimits(connections=1, statement_seconds=60)


class Database:
    """See `Holding`. Every statement runs in the tenant's transaction and names the tenant as well.

    The login is the application's own, so that row-level security confines what is counted, read and deleted here as
    it does anywhere. Connections are made when they are needed and not kept.
    """

    name = "database"

    def __init__(
        self, dsn: str, schemas: Sequence[str], *, clock: Clock = time.monotonic, part_bytes: int = PART_BYTES,
        batch_rows: int = BATCH_ROWS,
    ) -> None:  # fmt: skip
        self._dsn = dsn
        self._schemas = schemas
        self._clock = clock
        self._part_bytes = part_bytes
        self._batch_rows = batch_rows

    async def prepare(self, aws: AwsCaller, tenant: str) -> str | None:
        """See `Holding.prepare`; tables need nothing for a tenant, but must keep tenants apart.

        Raises:
            NotSetUp: They do not, or a schema is missing.
        """
        if (await self.held(aws, tenant)).count:
            raise left_behind("Rows")
        return "The database keeps tenants apart by row-level security, and holds nothing of this one yet."

    async def unprepare(self, aws: AwsCaller, tenant: str) -> None:
        """See `Holding.unprepare`."""
        require_session_of(aws, tenant)

    async def held(self, aws: AwsCaller, tenant: str) -> Held:
        """See `Holding.held`; parts are tables, `memory.event`, and those without rows are left out."""
        parts: dict[str, int] = {}
        async with self._open(aws, tenant) as schemas:
            for store, catalog in schemas:
                answers = await store.run(tenant, [table.count(tenant) for table in catalog.tables])
                counts = zip(catalog.tables, answers, strict=True)
                parts |= {table.part: rows for table, answer in counts if (rows := int(answer.rows[0]["rows"]))}
        return Held(self.name, parts)

    async def export(self, aws: AwsCaller, tenant: str, folder: ExportFolder, *, seconds: float) -> Export:
        """See `Holding.export`: gzipped lines of JSON, a row each, in files of about 8 MB before they were compressed.

        It goes on after the last row of the last file.
        """
        allowance = Allowance(seconds, self._clock)
        files: list[Exported] = []
        async with self._open(aws, tenant) as schemas:
            for store, catalog in schemas:
                for table in catalog.tables:
                    rows = RowFiles(store, table, folder, part_bytes=self._part_bytes)
                    written, done = await rows.write(allowance)
                    files += written
                    if not done:
                        return Export(files, done=False)
        return Export(files, done=True)

    async def erase(self, aws: AwsCaller, tenant: str, *, seconds: float) -> bool:
        """See `Holding.erase`: in batches, rows that refer to others before those others."""
        allowance = Allowance(seconds, self._clock)
        async with self._open(aws, tenant) as schemas:
            for store, catalog in schemas:
                for table in catalog.tables:
                    if not await self._empty(store, tenant, table, allowance):
                        return False
        return not (await self.held(aws, tenant)).count

    async def kept(self, aws: AwsCaller, tenant: str) -> Sequence[str]:
        """See `Holding.kept`."""
        said = ["Backups of the database, and its archive for recovery to a point in time, end by their own rules."]
        async with self._open(aws, tenant) as schemas:
            others = [name for _, catalog in schemas for name in catalog.others]
        return [*said, *(f"A table says of no row whose it is, and is left as it is: {name}." for name in others)]

    async def _empty(self, store: PostgresStore, tenant: str, table: TenantTable, allowance: Allowance) -> bool:
        """Delete a table's rows of a tenant; False where time is over, or another row came to refer to one."""
        while True:
            statement = table.delete(tenant, at_most=self._batch_rows)
            try:
                (answer,) = await store.run(tenant, [statement])
            except errors.ForeignKeyViolation:
                return False
            if answer.count < self._batch_rows:
                return True
            if allowance.is_spent:
                return False

    @contextlib.asynccontextmanager
    async def _open(self, aws: AwsCaller, tenant: str) -> AsyncGenerator[Sequence[tuple[PostgresStore, Catalog]]]:
        """Each schema's store, which has proved that row-level security holds there, and its tables."""
        require_session_of(aws, tenant)
        with _told():
            async with contextlib.AsyncExitStack() as stack:
                opened: list[tuple[PostgresStore, Catalog]] = []
                for schema in self._schemas:
                    store = await stack.enter_async_context(PostgresStore(self._dsn, schema=schema, limits=_LIMITS))
                    async with store.tenant(tenant) as transaction:
                        opened.append((store, await read_catalog(transaction, schema)))
                yield opened


@contextlib.contextmanager
def _told() -> Generator[None]:
    """What is at fault with a database, in words for a caller; the log has more."""
    try:
        yield
    except UnsafeDatabase as error:
        log.error("the database does not keep tenants apart: %s", error)
        raise NotSetUp(
            "The database does not keep tenants apart by itself, so nothing is done in it; ask the server's operator."
        ) from error
    except NoSchema as error:
        log.error("there is no schema %s", error)
        raise NotSetUp(
            "A schema of TENANTSCOPE_POSTGRES_SCHEMAS is not in the database; ask the server's operator."
        ) from error
    except psycopg.Error as error:
        log.error("the database refuses: %s", error.diag.message_primary or type(error).__name__)
        raise NotSetUp("The database refuses what has to be done in it; ask the server's operator.") from error
