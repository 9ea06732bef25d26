"""What the fleet was billed: the committed `revenue`, asked for by SQL."""

from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import REVENUE
from tenantscope_core.stores.sql import SqlEngine
from tenantscope_core.stores.windows import Window, open_window

from tenantscope_pricing.fleet_bill import Billed

MAX_ROWS = 1_000_000


class Revenue:
    """The `revenue` dataset."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def months(self, aws: AwsCaller) -> list[Month]:
        """The months that are committed for the fleet."""
        committed = await self._reader.committed(aws, REVENUE.name, None)
        return [Month.parse(month) for month in committed.manifest.months]

    async def window(self, aws: AwsCaller, period: str) -> Window:
        """The committed part of a period for the fleet.

        Raises:
            InvalidArgument: It is no period.
            NotFound: Nothing of it is committed.
        """
        return await open_window(self._reader, aws, REVENUE, None, period, noun="revenue")

    async def billed(self, aws: AwsCaller, window: Window) -> list[Billed]:
        """Everything billed in the window's months."""
        months = ", ".join(f"'{name}'" for name in window.period.month_names)
        found = await self._engine.query(
            f"SELECT tenant_id, plan, currency, sum(amount) FROM revenue WHERE month IN ({months})"
            " GROUP BY tenant_id, plan, currency",
            (),
            {"revenue": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        return [Billed(*row) for row in found.rows]
