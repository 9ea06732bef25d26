"""The SQL that reads meters from the datasets of use: one column a meter, one row a day, or a tenant and month."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenantscope_core.results.periods import Period

from tenantscope_pricing.book import Meter

TABLE = "used"
"""The name that the dataset has in these statements."""
_MEASURES = {"tokens": "coalesce(tokens_in, 0) + coalesce(tokens_out, 0)"}


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its parameters; after the key columns it has a column for each meter, in their order."""

    sql: str
    parameters: tuple[str, ...]


def by_day(meters: Sequence[Meter], period: Period) -> Query:
    """One tenant's use: day, meters."""
    columns, parameters = _columns(meters)
    return Query(f"SELECT day, {columns} FROM {TABLE} WHERE {_within(period)} GROUP BY day ORDER BY day", parameters)


def by_tenant_and_day(meters: Sequence[Meter], period: Period, tenants: Sequence[str]) -> Query:
    """The use of some tenants of the fleet: tenant, day, meters."""
    columns, parameters = _columns(meters)
    named = ", ".join("?" * len(tenants))
    return Query(
        f"SELECT tenant_id, day, {columns} FROM {TABLE} WHERE {_within(period)} AND tenant_id IN ({named})"
        " GROUP BY tenant_id, day",
        (*parameters, *tenants),
    )


def by_tenant(meters: Sequence[Meter], period: Period) -> Query:
    """The fleet's use of a month: tenant, meters, each over the days as the meter says."""
    columns, parameters = _columns(meters)
    over_days = ", ".join(f"{meter.aggregate}(m{n})" for n, meter in enumerate(meters))
    return Query(
        f"SELECT tenant_id, {over_days} FROM (SELECT tenant_id, day, {columns} FROM {TABLE}"
        f" WHERE {_within(period)} GROUP BY tenant_id, day) AS days GROUP BY tenant_id",
        parameters,
    )


def _columns(meters: Sequence[Meter]) -> tuple[str, tuple[str, ...]]:
    columns: list[str] = []
    parameters: list[str] = []
    for number, meter in enumerate(meters):
        matches = " AND ".join(f'"{column}" = ?' for column, _ in meter.where)
        only = f" FILTER (WHERE {matches})" if matches else ""
        columns.append(f"coalesce(sum({_MEASURES.get(meter.measure, meter.measure)}){only}, 0) AS m{number}")
        parameters += [value for _, value in meter.where]
    return ", ".join(columns), tuple(parameters)


def _within(period: Period) -> str:
    return f"day >= DATE '{period.start}' AND day < DATE '{period.end}'"
