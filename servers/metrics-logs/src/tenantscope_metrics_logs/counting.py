"""What becomes of each line of a log, and the sums of those that count, as SQL.

Every line that is read falls into exactly one class, and the classes sum to the lines read. A month reads the objects
of its own days, and those of the days beside it for lines that strayed over the border; a line belongs to the month of
its time, and one whose time lies more than a day from its object's days is `misdated`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from tenantscope_core.stores.schemas import QUANTITY, TENANT_ID
from tenantscope_core.stores.sql_text import string_literal

from tenantscope_metrics_logs import metrics
from tenantscope_metrics_logs.log_rules import LogRules
from tenantscope_metrics_logs.routes import METHODS, Route

MAX_LINE_BYTES = 65_536
ROWS_AT_ONCE = 4_000_000
"""Percentiles hold every value of the days that are summed together."""

CLASSES = {
    "counted": "counted",
    "no_tenant": "of no tenant",
    "other_month": "of another month, counted there",
    "misdated": "with a time more than a day from their file's",
    "bad_time": "without a time that can be read",
    "bad_status": "without a status that can be read",
    "unreadable": "not of this format",
    "too_long": f"longer than {MAX_LINE_BYTES:,} bytes",
    "comment": "comments",
}
"""The classes, and how a sentence names their lines."""
COUNTED = "counted"

CREATE_REQUESTS = """
CREATE TABLE requests (class VARCHAR, day DATE, tenant VARCHAR, path VARCHAR, route INTEGER, method VARCHAR,
  status SMALLINT, bytes BIGINT, us BIGINT, person UBIGINT)"""
"""One row a line: `route` where routes are given, `path` (a shape) where they are learned."""


def classed(relation: str, rules: LogRules, month: date | None) -> str:
    """The relation of `log_formats.read_sql` with `class` and `day` beside it and tenant, method and person made ready.

    Beside that relation's columns it reads `size` (of the line, in bytes), `earliest` and `latest` (the days that its
    object may tell of, or NULL) and `own` (whether the object is this month's). Lines of other months' objects are left
    out unless they count here. Without a month every line belongs.
    """
    tenant = "tenant"
    if rules.tenants:
        cases = " ".join(f"WHEN {string_literal(name)} THEN {string_literal(id_)}" for name, id_ in rules.tenants)
        tenant = f"CASE tenant {cases} END"
    methods = ", ".join(string_literal(method) for method in METHODS)
    first = f"DATE '{month.isoformat()}'" if month is not None else "day"
    return f"""
SELECT * FROM (
  SELECT *, CASE WHEN size > {MAX_LINE_BYTES} THEN 'too_long'
      WHEN fault IS NOT NULL THEN fault
      WHEN at_utc IS NULL THEN 'bad_time'
      WHEN status IS NULL THEN 'bad_status'
      WHEN day NOT BETWEEN earliest AND latest THEN 'misdated'
      WHEN day NOT BETWEEN {first} AND last_day({first}) THEN 'other_month'
      WHEN tenant IS NULL OR NOT regexp_full_match(tenant, '{TENANT_ID}') THEN 'no_tenant'
      ELSE '{COUNTED}' END AS class
  FROM (
    SELECT * REPLACE ({tenant} AS tenant, CASE WHEN person IS NOT NULL THEN hash(person) END AS person,
        CASE WHEN upper(method) IN ({methods}) THEN upper(method) ELSE '{metrics.OTHER_ACTION}' END AS method),
      CAST(at_utc AS DATE) AS day
    FROM ({relation})))
WHERE own OR class IN ('{COUNTED}', 'no_tenant')"""


@dataclass(frozen=True, slots=True)
class Days:
    """Days that are summed together."""

    first: date
    last: date

    @property
    def sql(self) -> str:
        """The condition on `day`."""
        return f"day BETWEEN DATE '{self.first.isoformat()}' AND DATE '{self.last.isoformat()}'"


def slices(days: Sequence[tuple[date, int]]) -> Iterator[Days]:
    """Days and their numbers of rows, in order, put together up to `ROWS_AT_ONCE`."""
    held: list[date] = []
    rows = 0
    for day, count in days:
        if held and rows + count > ROWS_AT_ONCE:
            yield Days(held[0], held[-1])
            held, rows = [], 0
        held.append(day)
        rows += count
    if held:
        yield Days(held[0], held[-1])


_PERCENTILES = "quantile_cont(us, [0.5, 0.95])"


def usage_rows(days: Days) -> str:
    """Rows of `usage` with their tenant, of some days."""
    summed = {
        metrics.REQUESTS: "count(*)",
        metrics.ERRORS: "count_if(status BETWEEN 500 AND 599)",
        metrics.CLIENT_ERRORS: "count_if(status BETWEEN 400 AND 499 AND status <> 429)",
        metrics.THROTTLED: "count_if(status = 429)",
        metrics.BYTES: "sum(bytes)",
        metrics.REQUEST_MS: f"CAST(sum(us) AS {QUANTITY}) * CAST(0.001 AS DECIMAL(3,3))",
        metrics.USERS: "nullif(count(DISTINCT person), 0)",
    }
    sums = ", ".join(f"CAST({how} AS {QUANTITY}) AS {name}" for name, how in summed.items())
    latency = ", ".join(
        f"CAST(round(percentiles[{n}] / 1000, 3) AS {QUANTITY}) AS {name}"
        for n, name in enumerate(metrics.LATENCY, start=1)
    )
    names = ", ".join((*summed, *metrics.LATENCY))
    return f"""
SELECT tenant_id, day, metric, quantity, {_unit()} AS unit FROM (
  UNPIVOT (SELECT * EXCLUDE (percentiles), {latency} FROM (
    SELECT tenant AS tenant_id, day, {sums}, {_PERCENTILES} AS percentiles
    FROM counted WHERE {days.sql} GROUP BY ALL))
  ON {names} INTO NAME metric VALUE quantity)"""


def monthly_rows(month: date) -> str:
    """Rows of `usage` that stand once for the month."""
    return f"""
SELECT tenant AS tenant_id, DATE '{month.isoformat()}' AS day, '{metrics.MONTHLY_USERS}' AS metric,
  CAST(count(DISTINCT person) AS {QUANTITY}) AS quantity, '{metrics.UNITS[metrics.MONTHLY_USERS]}' AS unit
FROM counted WHERE person IS NOT NULL GROUP BY ALL"""


def feature_rows(days: Days, *, other_is_a_feature: bool) -> str:
    """Rows of `feature_usage` with their tenant, of some days; reads `route_names` and `route_actions`."""
    which = "" if other_is_a_feature else " AND feature IS NOT NULL"
    return f"""
SELECT * EXCLUDE (percentiles, bytes), round(percentiles[1] / 1000, 3) AS p50_ms,
  round(percentiles[2] / 1000, 3) AS p95_ms, bytes
FROM (
  SELECT tenant AS tenant_id, day, coalesce(feature, '{metrics.OTHER_FEATURE}') AS feature,
    coalesce(action, method) AS action, count(*) AS calls, nullif(count(DISTINCT person), 0) AS users,
    CAST(count_if(status BETWEEN 500 AND 599) AS BIGINT) AS errors, {_PERCENTILES} AS percentiles,
    CAST(sum(bytes) AS BIGINT) AS bytes
  FROM counted LEFT JOIN route_names USING (route) LEFT JOIN route_actions USING (route, method)
  WHERE {days.sql}{which} GROUP BY ALL)"""


def names_of(routes: Sequence[Route]) -> list[tuple[int, str]]:
    """The rows of `route_names`: position and feature."""
    return [(position, route.feature) for position, route in enumerate(routes)]


def actions_of(routes: Sequence[Route]) -> list[tuple[int, str, str]]:
    """The rows of `route_actions`: position, method and action."""
    return [(position, *named) for position, route in enumerate(routes) for named in route.actions]


def _unit() -> str:
    cases = " ".join(f"WHEN '{name}' THEN '{unit}'" for name, unit in metrics.UNITS.items())
    return f"CASE metric {cases} END"
