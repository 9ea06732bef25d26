"""What is kept of a rollup beside its rows: what became of every line, how much each told, and the routes."""

from tenantscope_core.stores.schemas import Dataset
from tenantscope_core.stores.sql_text import string_literal

ACCESS_LOG_REPORT = Dataset(
    "access_log_report",
    {"section": "VARCHAR", "name": "VARCHAR", "position": "BIGINT", "lines": "BIGINT", "detail": "VARCHAR"},
)
"""Of the fleet only. Sections:

- `log`: `format` (detail: which), `rules` (detail: their version), `routes` (detail: `given` or `learned`); `lines` is
  the number of lines read.
- `class`: a row for each class of `counting.CLASSES`; their lines sum to the lines read.
- `known`: of the lines counted, how many tell `bytes`, `latency`, `user` and `feature`.
- `route`: a row for each route (name: the feature, detail: the template) with the lines counted on it.
"""


def report_rows(*, kind: str, rules: str, routes: str) -> str:
    """The rows of the report; reads `requests`, `counted`, `route_names` and `route_templates`."""
    facts = {"format": kind, "rules": rules, "routes": routes}
    log = " UNION ALL ".join(
        f"SELECT 'log' AS section, {string_literal(name)} AS name, {n} AS position,"
        f" (SELECT count(*) FROM requests) AS lines, {string_literal(detail)} AS detail"
        for n, (name, detail) in enumerate(facts.items())
    )
    known = {"bytes": "bytes", "latency": "us", "user": "person", "feature": "route"}
    told = " UNION ALL ".join(
        f"SELECT 'known', '{name}', {n}, count({column}), NULL FROM counted"
        for n, (name, column) in enumerate(known.items())
    )
    return f"""
SELECT section, name, CAST(position AS BIGINT) AS position, CAST(lines AS BIGINT) AS lines, detail,
  CAST(NULL AS VARCHAR) AS tenant_id
FROM (
  {log}
  UNION ALL SELECT 'class', class, 0, count(*), NULL FROM requests GROUP BY class
  UNION ALL {told}
  UNION ALL SELECT 'route', feature, route, coalesce(calls, 0), template
    FROM route_names JOIN route_templates USING (route)
    LEFT JOIN (SELECT route, count(*) AS calls FROM counted GROUP BY route) USING (route)
) ORDER BY ALL"""
