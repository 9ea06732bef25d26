"""Committed usage, asked for by SQL: one tenant's own, or the fleet's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.schemas import LLM_USAGE, USAGE
from tenantscope_core.stores.sql import SqlEngine, Table
from tenantscope_core.stores.windows import Window, open_window

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.sources.percentiles import weighted_percentiles
from tenantscope_metrics_logs.sources.text import days_of, literals
from tenantscope_metrics_logs.usage import TOKENS, Latency, Measured, Quantity, Span, by_time, measured

MAX_ROWS = 100_000
_GROUPS = {"total": "CAST('total' AS VARCHAR)", "day": "CAST(day AS VARCHAR)", "month": "month"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was found: the span, metrics' units, the months without model tokens, and the last day with anything."""

    span: Span
    units: Mapping[str, str]
    tokens_missing: list[str]
    last_day: date | None


@dataclass(frozen=True, slots=True)
class _Tokens:
    quantities: list[Quantity]
    missing: list[str]


class Usage:
    """The `usage` dataset, and `llm_usage` beside it."""

    def __init__(self, reader: DatasetReader, engine: SqlEngine) -> None:
        self._reader = reader
        self._engine = engine

    async def window(self, aws: AwsCaller, tenant: str | None, period: str) -> Window:
        """The committed part of a period that a caller wrote; `open_window` says what it raises."""
        return await open_window(self._reader, aws, USAGE, tenant, period, noun="usage")

    async def span(self, aws: AwsCaller, window: Window, group_by: str) -> Asked:
        """What was used in the window and in the period before it, and over time by day or month.

        Raises:
            InvalidArgument: There are too many days and metrics for one answer.
        """
        quantities = await self._quantities(aws, window)
        tokens = await self._tokens(aws, window, window.period)
        own = [*quantities, *tokens.quantities]
        rows: dict[str, Measured] = {}
        if group_by != "total":
            rows = by_time(own, window.period, group_by)
            await self._complete(aws, window, window.period, group_by, rows)
        span = Span(str(window.period), await self._total(aws, window, window.period, own), rows=rows)
        if window.before is not None:
            earlier = [*quantities, *(await self._tokens(aws, window, window.before)).quantities]
            before = await self._total(aws, window, window.before, earlier)
            length = window.days_covered / window.before.days
            span = replace(span, before=before, compared_with=str(window.before), length=length)
        units = {one.metric: one.unit for one in quantities}
        inside = [one.day for one in quantities if window.period.start <= one.day < window.period.end]
        return Asked(span, units, tokens.missing, max(inside, default=None))

    async def _total(self, aws: AwsCaller, window: Window, period: Period, quantities: Sequence[Quantity]) -> Measured:
        found = measured(quantities, period)
        await self._complete(aws, window, period, "total", {"total": found})
        return found

    async def _complete(
        self, aws: AwsCaller, window: Window, period: Period, group_by: str, found: Mapping[str, Measured]
    ) -> None:
        """Add to what was measured what is none of a sum: percentiles, and of the fleet its tenants."""
        latencies = await self._latency(aws, window, period, group_by)
        tenants = await self._tenants(aws, window, period, group_by) if window.table.tenant is None else None
        for name, one in found.items():
            one.latency = latencies.get(name, Latency())
            one.tenants = None if tenants is None else tenants.get(name, 0)

    async def _quantities(self, aws: AwsCaller, window: Window) -> list[Quantity]:
        """What each metric came to on each day of both periods, over all tenants; percentiles are not among them."""
        first = window.before.start if window.before else window.period.start
        result = await self._engine.query(
            f"""
            SELECT day, metric, max(unit), sum(quantity) FROM usage
            WHERE {days_of(Period(first, window.period.end))} AND metric NOT IN ({literals(metrics.LATENCY)})
            GROUP BY day, metric""",
            (),
            {"usage": window.table},
            aws=aws,
            max_rows=MAX_ROWS,
        )
        if result.truncated:
            raise InvalidArgument(
                "That is more than one answer can sum up; ask for a shorter period.", parameter="period"
            )
        return [Quantity(day, metric, unit, quantity) for day, metric, unit, quantity in result.rows]

    async def _tokens(self, aws: AwsCaller, window: Window, period: Period) -> _Tokens:
        committed = await self._reader.committed(aws, LLM_USAGE.name, window.table.tenant)
        months = period.month_names
        missing = [month for month in months if month not in committed.manifest.months]
        if len(missing) == len(months):
            return _Tokens([], missing)
        result = await self._engine.query(
            f"""
            SELECT day, sum(tokens_in), sum(tokens_out), sum(tokens_cached), sum(requests) FROM llm
            WHERE {days_of(period)} GROUP BY day""",
            (),
            {"llm": Table.of(LLM_USAGE, committed, months)},
            aws=aws,
        )
        counts = [
            Quantity(day, name, "", Decimal(int(count or 0)))
            for day, *counted in result.rows
            for name, count in zip(TOKENS, counted, strict=True)
        ]
        return _Tokens(counts, missing)

    async def _latency(self, aws: AwsCaller, window: Window, period: Period, group_by: str) -> dict[str, Latency]:
        """Percentiles by total, day or month: medians of those of each tenant's days, weighted by requests."""
        return await weighted_percentiles(
            self._engine,
            aws,
            window.table,
            f"""
            SELECT {_GROUPS[group_by]} AS name, tenant_id, day,
              max(CASE WHEN metric = '{metrics.REQUESTS}' THEN quantity END) AS weight,
              max(CASE WHEN metric = '{metrics.P50_MS}' THEN quantity END) AS p50,
              max(CASE WHEN metric = '{metrics.P95_MS}' THEN quantity END) AS p95
            FROM source WHERE {days_of(period)}
              AND metric IN ({literals((metrics.REQUESTS, *metrics.LATENCY))})
            GROUP BY 1, 2, 3""",
        )

    async def _tenants(self, aws: AwsCaller, window: Window, period: Period, group_by: str) -> dict[str, int]:
        result = await self._engine.query(
            f"""
            SELECT {_GROUPS[group_by]}, count(DISTINCT tenant_id) FROM usage
            WHERE {days_of(period)} AND metric = '{metrics.REQUESTS}' AND quantity > 0 GROUP BY 1""",
            (),
            {"usage": window.table},
            aws=aws,
        )
        return {name: int(count) for name, count in result.rows}
