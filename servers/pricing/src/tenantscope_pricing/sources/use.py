"""What tenants used, by meter, from the datasets of use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import Month, Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import Committed, DatasetReader
from tenantscope_core.stores.schemas import FEATURE_USAGE, LLM_USAGE, USAGE
from tenantscope_core.stores.sql import SqlEngine, Table

from tenantscope_pricing.book import Meter
from tenantscope_pricing.meter_sql import TABLE, Query, by_day, by_tenant, by_tenant_and_day
from tenantscope_pricing.segments import Quantities

METERED = {dataset.name: dataset for dataset in (USAGE, FEATURE_USAGE, LLM_USAGE)}
"""The datasets that meters read."""
MAX_ROWS = 1_000_000
_TENANTS_AT_ONCE = 500


@dataclass(slots=True)
class DailyUse:
    """One tenant's use day by day, and which datasets have nothing committed in which month."""

    days: dict[date, dict[str, Decimal]] = field(default_factory=dict[date, dict[str, Decimal]])
    missing: dict[Month, list[str]] = field(default_factory=dict[Month, list[str]])
    stale: bool = False


class Use:
    """Reads meters; each statement sees one dataset, of one tenant or of the fleet."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def months(self, aws: AwsCaller, tenant: str | None, meters: Sequence[Meter]) -> dict[str, set[Month]]:
        """The months that are committed of each dataset that the meters read."""
        committed = await self._committed(aws, tenant, meters)
        return {name: {Month.parse(month) for month in one.manifest.months} for name, one in committed.items()}

    async def daily(self, aws: AwsCaller, tenant: str, meters: Sequence[Meter], months: Sequence[Month]) -> DailyUse:
        """A tenant's use in months that follow one another, as far as it is committed."""
        use = DailyUse()
        period = Period.of_months(min(months), max(months))
        for name, committed in (await self._committed(aws, tenant, meters)).items():
            for month in months:
                if str(month) not in committed.manifest.months:
                    use.missing.setdefault(month, []).append(name)
            of_dataset = [meter for meter in meters if meter.dataset == name]
            found = await self._rows(aws, by_day(of_dataset, period), name, committed, period)
            use.stale = use.stale or committed.stale_since is not None
            for day, *values in found:
                measured = {meter.name: Decimal(value) for meter, value in zip(of_dataset, values, strict=True)}
                use.days.setdefault(day, {}).update(measured)
        return use

    async def of_fleet(self, aws: AwsCaller, meters: Sequence[Meter], month: Month) -> dict[str, Quantities]:
        """Every tenant's use of a month, by tenant."""
        found: dict[str, dict[str, Decimal]] = {}
        period = Period.of_months(month, month)
        for name, committed in (await self._committed(aws, None, meters)).items():
            of_dataset = [meter for meter in meters if meter.dataset == name]
            for tenant, *values in await self._rows(aws, by_tenant(of_dataset, period), name, committed, period):
                measured = {meter.name: Decimal(value) for meter, value in zip(of_dataset, values, strict=True)}
                found.setdefault(tenant, {}).update(measured)
        return dict(found)

    async def of_some(
        self, aws: AwsCaller, meters: Sequence[Meter], month: Month, tenants: Sequence[str]
    ) -> dict[str, dict[date, Quantities]]:
        """Some tenants' use of a month day by day, by tenant, read from the fleet's copy."""
        found: dict[str, dict[date, dict[str, Decimal]]] = {}
        period = Period.of_months(month, month)
        for name, committed in (await self._committed(aws, None, meters)).items():
            of_dataset = [meter for meter in meters if meter.dataset == name]
            for start in range(0, len(tenants), _TENANTS_AT_ONCE):
                query = by_tenant_and_day(of_dataset, period, tenants[start : start + _TENANTS_AT_ONCE])
                for tenant, day, *values in await self._rows(aws, query, name, committed, period):
                    measured = {meter.name: Decimal(value) for meter, value in zip(of_dataset, values, strict=True)}
                    found.setdefault(tenant, {}).setdefault(day, {}).update(measured)
        return {tenant: dict(days) for tenant, days in found.items()}

    async def _committed(self, aws: AwsCaller, tenant: str | None, meters: Sequence[Meter]) -> Mapping[str, Committed]:
        names = sorted({meter.dataset for meter in meters})
        return {name: await self._reader.committed(aws, name, tenant) for name in names}

    async def _rows(
        self, aws: AwsCaller, query: Query, name: str, committed: Committed, period: Period
    ) -> list[tuple[Any, ...]]:
        table = Table.of(METERED[name], committed, period.month_names)
        if not any(commit.objects for commit in table.months.values()):
            return []
        found = await self._engine.query(query.sql, query.parameters, {TABLE: table}, aws=aws, max_rows=MAX_ROWS)
        if found.truncated:
            raise InvalidArgument("That is more use than one answer can sum up; ask for a shorter period.")
        return found.rows
