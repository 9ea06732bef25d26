"""Monthly sums of cost and revenue, as far back as they are committed without a gap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_core.results.errors import Unavailable
from tenantscope_core.results.periods import Month, Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import Committed, DatasetReader
from tenantscope_core.stores.manifests import Commit
from tenantscope_core.stores.schemas import ALLOCATED_COST, REVENUE, Dataset
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.windows import Window, nothing_committed

MOST_MONTHS = 60
MAX_ROWS = 100_000

Rows = Mapping[str, Mapping[str | None, Sequence[Decimal]]]
"""By currency and tenant (None: the residual), one sum a month."""


@dataclass(frozen=True, slots=True)
class History:
    """Months without a gap, the newest of them over before it was committed, and the sums of each."""

    window: Window
    months: list[Month]
    left_out: list[str]
    """Newer months that were not over yet."""
    rows: Rows


class Histories:
    """The pasts that forecasts are made from."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def costs(self, aws: AwsCaller, tenant: str | None) -> History:
        """Allocated EffectiveCost by month, of one tenant or of all.

        Raises:
            NotFound: Nothing is committed.
            Unavailable: There are more tenants than one answer can add up.
        """
        committed = await self._reader.committed(aws, ALLOCATED_COST.name, tenant)
        return await self._read(
            aws, ALLOCATED_COST, committed, ('"BillingCurrency"', '"EffectiveCost"'), tenant, "cost"
        )

    async def revenues(self, aws: AwsCaller, tenant: str | None, like: History) -> History | None:
        """Revenue by month, for the months of a history of cost; None unless it is committed for the newest of them."""
        committed = await self._reader.committed(aws, REVENUE.name, None)
        known = {name: commit for name, commit in committed.manifest.months.items() if Month.parse(name) in like.months}
        if str(like.months[-1]) not in known:
            return None
        found = await self._read(aws, REVENUE, committed, ("currency", "amount"), None, "revenue", known)
        if tenant is None:
            return found
        rows: Rows = {name: {tenant: sums[tenant]} for name, sums in found.rows.items() if tenant in sums}
        return History(found.window, found.months, found.left_out, rows)

    async def _read(
        self,
        aws: AwsCaller,
        dataset: Dataset,
        committed: Committed,
        columns: tuple[str, str],
        tenant: str | None,
        noun: str,
        known: Mapping[str, Commit] | None = None,
    ) -> History:
        commits = committed.manifest.months if known is None else known
        months, left_out = unbroken(commits)
        if not months:
            raise nothing_committed(tenant, noun)
        table = Table.of(dataset, committed, [str(month) for month in months])
        currency, amount = columns
        sums = ", ".join(f"sum(CASE WHEN month = '{month}' THEN {amount} END)" for month in months)
        result = await self._engine.query(
            f"SELECT {currency}, tenant_id, {sums} FROM amounts_of GROUP BY {currency}, tenant_id",
            (),
            {"amounts_of": table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if result.truncated:
            raise Unavailable(f"There are more than {MAX_ROWS:,} tenants, which is more than one answer can add up.")
        rows: dict[str, dict[str | None, list[Decimal]]] = {}
        for name, of, *amounts in result.rows:
            rows.setdefault(name, {})[of] = [Decimal(0) if one is None else one for one in amounts]
        window = Window(table, Period.of_months(months[0], months[-1]), None, [])
        return History(window, months, left_out, rows)


def unbroken(commits: Mapping[str, Commit]) -> tuple[list[Month], list[str]]:
    """The newest months without a gap that were over when they were committed, and newer ones that were not."""
    over: list[Month] = []
    left_out: list[str] = []
    for name in sorted(commits, reverse=True):
        month = Month.parse(name)
        if commits[name].written.date() < month.shift(1).first_day:
            if not over:
                left_out.append(name)
                continue
            break
        if over and over[-1] != month.shift(1):
            break
        over.append(month)
    return over[:MOST_MONTHS][::-1], left_out[::-1]
