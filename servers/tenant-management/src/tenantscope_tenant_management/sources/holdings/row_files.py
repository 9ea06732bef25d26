"""The rows of one table and tenant as files of an export."""

from collections.abc import Sequence

from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores.postgres import PostgresStore

from tenantscope_tenant_management.holdings import Exported
from tenantscope_tenant_management.sources.holdings.catalog import TenantTable
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import Allowance
from tenantscope_tenant_management.sources.holdings.line_files import LineFiles

MAX_PAGE_BYTES = 2_000_000  # of one answer of the database


class RowFiles:
    """Writes `database/<schema>.<table>/part-<number>.jsonl.gz`, in order of the primary key.

    Each row is what PostgreSQL's `to_jsonb` makes of it: bytes in hexadecimal, vectors as text.
    """

    def __init__(self, store: PostgresStore, table: TenantTable, folder: ExportFolder, *, part_bytes: int) -> None:
        self._store = store
        self._table = table
        self._folder = folder
        self._part_bytes = part_bytes

    async def write(self, allowance: Allowance) -> tuple[Sequence[Exported], bool]:
        """The table's files, and whether they are all.

        Raises:
            DataFault: There are rows, and no primary key to go through them by.
        """
        parts = await LineFiles.opened(self._folder, f"database/{self._table.part}/")
        while True:
            lines, ended = await self._lines(parts.last)
            if lines:
                await parts.add(lines)
            if ended or allowance.is_spent:
                return parts.files, ended

    async def _lines(self, last: str | None) -> tuple[list[str], bool]:
        """The rows after the last one written that make a part, and whether they are the end of the table."""
        lines: list[str] = []
        size = 0
        while size < self._part_bytes:
            most = min(MAX_PAGE_BYTES, self._part_bytes - size)
            page = self._table.page(self._folder.tenant, last, most_bytes=most)
            (answer,) = await self._store.run(self._folder.tenant, [page])
            if not answer.rows:
                return lines, True
            if not self._table.has_key:
                raise DataFault("A table has no primary key, so that its rows cannot be exported page by page.")
            lines += [str(row["line"]) for row in answer.rows]
            size += sum(len(line.encode()) for line in lines[-len(answer.rows) :])
            last = lines[-1]
        return lines, False
