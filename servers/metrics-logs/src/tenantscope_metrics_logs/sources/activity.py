"""What the fleet's committed usage tells of each tenant's past: first and last day, rhythm, pauses, weeks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from tenantscope_core.results.errors import NotFound, Unavailable
from tenantscope_core.results.periods import Month, Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import USAGE
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.windows import Window, nothing_committed

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.activity import NEW_DAYS, WEEKS, History
from tenantscope_metrics_logs.sources.text import days_of

MAX_TENANTS = 100_000
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Past:
    """The histories of all tenants seen in a window, which ends with the day judged from."""

    window: Window
    histories: list[History]

    @property
    def as_of(self) -> date:
        """The day judged from."""
        return self.window.period.end - DAY

    @property
    def known_from(self) -> date:
        """The first day of which anything is known of anybody."""
        return min((one.first for one in self.histories), default=self.window.period.start)


class Activity:
    """The `usage` dataset of the fleet, looked back on over some months."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine, *, months: int) -> None:
        self._reader = reader
        self._engine = engine
        self._months = months

    async def past(self, aws: AwsCaller, as_of: date | None) -> Past:
        """What happened up to a day; up to the last day with a request where none is given.

        Raises:
            NotFound: Nothing is committed of the day, or it is later than the last day with a request.
            Unavailable: There are more tenants than one answer can look at.
        """
        committed = await self._reader.committed(aws, USAGE.name, None)
        latest = committed.manifest.latest
        if latest is None:
            raise nothing_committed(None, "usage")
        month = latest if as_of is None else Month(as_of.year, as_of.month)
        months = _unbroken(committed.manifest.months, month, self._months)
        if not months:
            known = f"there is usage for {min(committed.manifest.months)} to {latest}"
            raise NotFound(f"No usage is committed for {month}; {known}.", parameter="as_of")
        table = Table.of(USAGE, committed, months)
        first = Month.parse(months[0]).first_day
        last = await self._last_day(aws, table)
        if as_of is not None and (last is None or as_of > last):
            raise NotFound(f"The last day with a request is {last}; ask for one that is not later.", parameter="as_of")
        period = Period(first, (as_of or last or first) + DAY)
        return Past(Window(table, period, None, []), await self._histories(aws, table, period))

    async def _last_day(self, aws: AwsCaller, table: Table) -> date | None:
        result = await self._engine.query(
            f"SELECT max(day) FROM usage WHERE metric = '{metrics.REQUESTS}' AND quantity > 0",
            (),
            {"usage": table},
            aws=aws,
        )
        return result.rows[0][0]

    async def _histories(self, aws: AwsCaller, table: Table, period: Period) -> list[History]:
        recently = period.end - timedelta(days=NEW_DAYS)
        weeks = ", ".join(
            f"sum(CASE WHEN {days_of(week)} THEN requests ELSE 0 END) AS week_{number}"
            for number, week in enumerate(_weeks(period.end))
        )
        result = await self._engine.query(
            f"""
            WITH daily AS (
              SELECT tenant_id, day, CAST(quantity AS DOUBLE) AS requests,
                lag(day) OVER (PARTITION BY tenant_id ORDER BY day) AS earlier
              FROM usage WHERE metric = '{metrics.REQUESTS}' AND quantity > 0 AND {days_of(period)}),
            paused AS (
              SELECT *, CASE WHEN day >= DATE '{recently}' THEN date_diff('day', earlier, day) END AS pause FROM daily)
            SELECT tenant_id, min(day), max(day), count(*), max(pause), max_by(day, pause), {weeks}
            FROM paused GROUP BY tenant_id""",
            (),
            {"usage": table},
            aws=aws,
            max_rows=MAX_TENANTS,
        )
        if result.truncated:
            raise Unavailable(f"More than {MAX_TENANTS:,} tenants made requests, which is more than this tool judges.")
        return [
            History(tenant, first, last, int(days), weekly, int(pause or 0), back if pause else None)
            for tenant, first, last, days, pause, back, *weekly in result.rows
        ]


def _weeks(end: date) -> list[Period]:
    return [Period(end - (n + 1) * 7 * DAY, end - n * 7 * DAY) for n in range(WEEKS)]


def _unbroken(known: Collection[str], last: Month, most: int) -> list[str]:
    """The months up to the last without a gap: a month that is not committed would look like everybody's silence."""
    months = [str(last.shift(-back)) for back in range(most)]
    until = next((place for place, month in enumerate(months) if month not in known), most)
    return months[:until][::-1]
