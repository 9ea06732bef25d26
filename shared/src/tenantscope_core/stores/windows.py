"""A period that a caller wrote, held against what is committed of a dataset, and the period before it."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta

from tenantscope_core.results.answers import Freshness
from tenantscope_core.results.errors import NotFound
from tenantscope_core.results.periods import Period, parse_period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import Committed, DatasetReader
from tenantscope_core.stores.schemas import Dataset
from tenantscope_core.stores.sql import Table


@dataclass(frozen=True, slots=True)
class Window:
    """A period as far as it is committed, and the one before it where all of both is."""

    table: Table
    period: Period
    before: Period | None
    missing: list[str]

    @property
    def runs(self) -> list[str]:
        """The runs that committed its months: others, and the same question may have another answer."""
        return sorted(commit.run for commit in self.table.months.values())

    @property
    def days_covered(self) -> int:
        """The days of the period that were over when its last month was committed: all, or fewer while it runs."""
        last = self.table.months.get(str(self.period.months[-1]))
        end = self.period.end if last is None else min(self.period.end, last.written.astimezone(UTC).date())
        return max((end - self.period.start).days, 0)

    def freshness(self, last_day: date | None) -> Freshness:
        """How complete its numbers are, `last_day` being the last with data."""
        within = None if last_day is None else min(last_day, self.period.end - timedelta(days=1))
        return Freshness(data_through=within, missing_months=self.missing, stale=self.table.stale_since is not None)


async def open_window(
    reader: DatasetReader, aws: AwsCaller, dataset: Dataset, tenant: str | None, period: str, *, noun: str
) -> Window:
    """The committed part of a period; `noun` is what the dataset holds, as sentences name it (`cost`).

    Raises:
        InvalidArgument: It is no period.
        NotFound: Nothing of it is committed; the months that are, are named.
    """
    committed = await reader.committed(aws, dataset.name, tenant)
    if not committed.manifest.months:
        raise nothing_committed(tenant, noun)
    return _window(dataset, committed, parse_period(period, latest=committed.manifest.latest), noun)


def _window(dataset: Dataset, committed: Committed, wanted: Period, noun: str) -> Window:
    known = committed.manifest.months
    missing = [month for month in wanted.month_names if month not in known]
    if len(missing) == len(wanted.months):
        have = f"there is {noun} for {min(known)} to {max(known)}"
        raise NotFound(f"No {noun} is committed for {wanted}; {have}.", parameter="period")
    before = wanted.before()
    if missing or any(month not in known for month in before.month_names):
        return Window(Table.of(dataset, committed, wanted.month_names), wanted, None, missing)
    return Window(Table.of(dataset, committed, {*wanted.month_names, *before.month_names}), wanted, before, missing)


def nothing_committed(tenant: str | None, noun: str) -> NotFound:
    """The failure of a question about a dataset of which there is no month at all."""
    if tenant is None:
        return NotFound("No month is committed yet: whoever operates the server has to run its rollup first.")
    return NotFound(f"No {noun} was ever committed for {tenant}: either it is new, or there is no such tenant.")
