"""Rules compiled to SQL that gathers a month's bill, weighs its tenants, and puts together what came to each, exactly.

Costs and quantities are whole numbers of 10^-12. A pool is what one rule consumed with the same days, service, feature,
unit and so on; its two costs and its quantity are split by largest remainder (see `split`), so that the parts sum to
the pool to the last 10^-12. A quantity that no charge of a pool tells is NULL, in its parts as well.

A rule that shares by the month pools the month, up to the last day of the bill: a finer part would say no more about a
tenant. Direct charges and rules `per: day` keep the days of their charges.

Weights are whole numbers. Where those of one window sum to more than `WEIGHT_LIMIT` each is divided by
`total // WEIGHT_LIMIT + 1`, rounded down.

What is long is kept narrow: `entries` (tenant's number, cell, three amounts) has a row for all that came to a tenant,
and `cells` says once what a row is about. The statements read `charges` (see `charges`), `usage`, `feature_usage` and
`llm_usage` of the month.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from tenantscope_core.stores.schemas import TENANT_ID

from tenantscope_cost_explorer.allocation.charges import first_match, literal, value_of
from tenantscope_cost_explorer.allocation.rules import EVEN, Direct, Method, RuleSet, Split
from tenantscope_cost_explorer.allocation.sharing import EFFECTIVE_COST, Driver, chain
from tenantscope_cost_explorer.allocation.split import WEIGHT_LIMIT

SUM_THE_BILL = "sum the bill"
NOBODY = 0
"""The number that stands for no tenant; those of tenants begin with 1."""
AMOUNTS = ("effective", "billed", "quantity")
_SORT = ("service", "charge_category", "charge_class", "charge_frequency", "sub_account", "invoice", "currency", "unit")
"""What very many charges have in common: `sorts` numbers these, so that what is grouped is narrow."""
_DIMENSIONS = ("rule", "day", "day_end", "feature", "environment", "sort")
_TEXTS = ", ".join(("feature", "environment", *_SORT))
_NO_TEXT = "CAST(NULL AS VARCHAR)"
_SHARED = "('driver', 'even', 'proxy')"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, and what it does in a few words."""

    title: str
    sql: str


def gather(rules: RuleSet, month: date) -> list[Step]:
    """The statements that read the bill of a month, given by its first day, and leave `bill`, `cells` and `held`.

    `held` is what is in a cell and, where it is known, whose it is; `consumed` is each rule's share of the rows.
    """
    window = f"DATE '{month.isoformat()}'"
    return [
        Step("match charges to rules", _matched(rules, window)),
        Step(SUM_THE_BILL, _BILL),
        Step("gather pools", _pools(rules, window)),
        Step("count what each rule consumed", _CONSUMED),
    ]


def weigh(rules: RuleSet, month: date) -> list[Step]:
    """The statements that read the usage of the month and leave `weights`, `feature_weights`, `people` and `entries`.

    `people` numbers the tenants in code point order; `entries` has what belongs to one tenant or to nobody.
    """
    window = f"DATE '{month.isoformat()}'"
    return [
        Step("weigh tenants", _tenant_weights(rules, window)),
        Step("weigh features", _feature_weights(rules, window)),
        Step("allocate what belongs to one tenant", _DIRECT),
    ]


def money(number: str) -> str:
    """A whole number of 10^-12 as DECIMAL(38,12)."""
    return f"(CAST({number} AS DECIMAL(38,0)) * CAST(0.000000000001 AS DECIMAL(12,12)))"


def whole(amount: str) -> str:
    """A DECIMAL(38,12) as its whole number of 10^-12, over the whole range of the type; slow."""
    return (
        f"(CAST(trunc({amount}) AS HUGEINT) * 1000000000000"
        f" + CAST(({amount} - trunc({amount})) * 1000000000000 AS HUGEINT))"
    )


def _matched(rules: RuleSet, window: str) -> str:
    keys = [
        f"WHEN {number} THEN {value_of(rule.allocate.tenant)}"
        for number, rule in enumerate(rules.rules)
        if isinstance(rule.allocate, Direct)
    ]
    tenant_key = f"CASE rule {' '.join(keys)} END" if keys else _NO_TEXT
    monthly = [
        str(number)
        for number, rule in enumerate(rules.rules)
        if isinstance(rule.allocate, Split) and rule.allocate.per == "month"
    ]
    by_month = f"rule IN ({', '.join(monthly)})" if monthly else "false"
    alike = " AND ".join(f"charges.{name} IS NOT DISTINCT FROM sorts.its_{name}" for name in _SORT)
    in_order = ", ".join(f"its_{name} NULLS FIRST" for name in _SORT)
    return f"""
CREATE OR REPLACE TABLE sorts AS
SELECT CAST(row_number() OVER (ORDER BY {in_order}) AS INTEGER) AS sort, *
FROM (SELECT DISTINCT {", ".join(f"{name} AS its_{name}" for name in _SORT)} FROM charges);
CREATE OR REPLACE TABLE matched AS
SELECT rule, {tenant_key} AS tenant_key, CASE WHEN {by_month} THEN {window} ELSE day END AS day,
  CASE WHEN {by_month} THEN NULL ELSE day_end END AS day_end,
  {value_of(rules.feature)} AS feature, {value_of(rules.environment)} AS environment, sort,
  count(*) AS charges, count(*) FILTER (NOT readable) AS unreadable,
  {", ".join(f"sum({amount}) AS {amount}" for amount in AMOUNTS)},
  max(CASE WHEN day BETWEEN {window} AND last_day({window}) THEN day END) AS last_day
FROM (SELECT charges.*, sort, {first_match(rules.rules)} AS rule FROM charges JOIN sorts ON {alike})
GROUP BY ALL"""


_BILL = f"""
CREATE OR REPLACE TABLE bill AS
SELECT its_invoice AS invoice, its_currency AS currency, sum(charges) AS charges, sum(unreadable) AS unreadable,
  {", ".join(f"sum({amount}) AS {amount}" for amount in AMOUNTS)}, max(last_day) AS last_day
FROM matched JOIN sorts USING (sort) GROUP BY ALL"""


def _pools(rules: RuleSet, window: str) -> str:
    kinds: list[str] = []
    names: list[str] = []
    for number, rule in enumerate(rules.rules):
        kind, mapped = Method.RESIDUAL, "false"
        match rule.allocate:
            case Direct(names=pairs):
                kind, mapped = Method.DIRECT, "true" if pairs is not None else "false"
                names += [f"({number}, {literal(value)}, {literal(tenant)})" for value, tenant in pairs or ()]
            case Split() as split:
                kind = split.method
            case _:
                pass
        kinds.append(f"({number}, {literal(rule.name)}, {literal(kind)}, {mapped})")
    tenant = f"CASE WHEN mapped THEN name.tenant WHEN regexp_full_match(tenant_key, '{TENANT_ID}') THEN tenant_key END"
    dimensions = ", ".join(_DIMENSIONS)
    last = f"(SELECT coalesce(max(last_day), {window}) + 1 FROM bill)"
    same = " AND ".join(f"cells.{name} IS NOT DISTINCT FROM matched.{name}" for name in _DIMENSIONS)
    return f"""
CREATE OR REPLACE TABLE kinds AS
SELECT * FROM (VALUES {", ".join(kinds)}) AS kinds(rule, rule_name, kind, mapped);
CREATE OR REPLACE TABLE names AS
WITH names(rule, value, tenant) AS ({_values(names, "INTEGER", "VARCHAR", "VARCHAR")}) FROM names;
CREATE OR REPLACE TABLE cells AS
SELECT row_number() OVER (ORDER BY {", ".join(f"found.{name} NULLS FIRST" for name in _DIMENSIONS)}) AS cell, found.*,
  {", ".join(f"its_{name} AS {name}" for name in _SORT)},
  rule_name, coalesce(kind, 'residual') AS kind, CAST(NULL AS VARCHAR) AS method, CAST(NULL AS VARCHAR) AS method_id,
  CAST(NULL AS INTEGER) AS told
FROM (SELECT DISTINCT {dimensions} FROM matched) AS found JOIN sorts USING (sort)
LEFT JOIN kinds ON kinds.rule = found.rule;
CREATE OR REPLACE TABLE held AS
SELECT cell, CASE cells.kind WHEN 'direct' THEN {tenant} END AS tenant, CAST(sum(charges) AS BIGINT) AS charges,
  {", ".join(f"sum({amount}) AS {amount}" for amount in AMOUNTS)}
FROM matched JOIN cells ON {same}
LEFT JOIN kinds ON kinds.rule = matched.rule
LEFT JOIN names AS name ON name.rule = matched.rule AND name.value = tenant_key
GROUP BY ALL;
DROP TABLE matched;
UPDATE cells SET day_end = {last} WHERE day_end IS NULL"""


_CONSUMED = """
CREATE OR REPLACE TABLE consumed AS
SELECT rule, rule_name, kind, currency, CAST(sum(charges) AS BIGINT) AS charges, sum(effective) AS effective,
  sum(billed) AS billed
FROM held JOIN cells USING (cell) GROUP BY ALL"""


def _quantity(driver: Driver) -> tuple[str, str]:
    """The sum of what a driver measures, in whole units of its scale, and where from."""
    dataset, column = driver.name.split(".")
    if dataset == "usage":
        return f"sum(CAST(quantity * {10**driver.scale} AS HUGEINT))", f"usage WHERE metric = {literal(column)}"
    quantity = "coalesce(tokens_in, 0) + coalesce(tokens_out, 0)" if column == "tokens" else column
    return f"CAST(sum(CAST(({quantity}) * {10**driver.scale} AS HUGEINT)) AS HUGEINT)", dataset


def _tenant_weights(rules: RuleSet, window: str) -> str:
    drivers = {
        driver
        for rule in rules.rules
        if isinstance(rule.allocate, Split)
        for driver in chain(rule.allocate)
        if driver.name != EFFECTIVE_COST
    }
    parts = {
        (driver.name, driver.per, driver.scope): _tenant_quantities(driver, window)
        for driver in sorted(drivers, key=lambda one: (one.name, one.per, one.scope))
    }
    return f"CREATE OR REPLACE TABLE weights AS {_weighed(parts.values())}"


def _tenant_quantities(driver: Driver, window: str) -> str:
    head = (
        f"SELECT {literal(driver.name)} AS driver, {literal(driver.per)} AS per, {literal(driver.scope)} AS scope,"
        f" {'day' if driver.per == 'day' else window} AS day"
    )
    if driver.name == EVEN:
        return f"""{head}, '' AS within, tenant_id AS key, CAST(1 AS HUGEINT) AS quantity FROM (
    SELECT tenant_id FROM usage WHERE quantity > 0
    UNION SELECT tenant_id FROM feature_usage WHERE calls > 0
    UNION SELECT tenant_id FROM llm_usage WHERE requests > 0 OR tokens_in + tokens_out > 0)"""
    within = "coalesce(feature, '')" if driver.scope == "feature" else "''"
    quantity, source = _quantity(driver)
    return f"{head}, {within} AS within, tenant_id AS key, {quantity} AS quantity FROM {source} GROUP BY ALL"


def _feature_weights(rules: RuleSet, window: str) -> str:
    cascades = {
        (str(rule.allocate.cascade), rule.allocate.per, rule.allocate.cascade.scale)
        for rule in rules.rules
        if isinstance(rule.allocate, Split) and rule.allocate.cascade is not None
    }
    parts: list[str] = []
    for name, per, scale in sorted(cascades):
        quantity, source = _quantity(Driver(name, per, "fleet", "", scale))
        parts.append(
            f"SELECT {literal(name)} AS driver, {literal(per)} AS per, 'fleet' AS scope,"
            f" {'day' if per == 'day' else window} AS day, '' AS within, coalesce(feature, '') AS key,"
            f" {quantity} AS quantity FROM {source} GROUP BY ALL"
        )
    return f"CREATE OR REPLACE TABLE feature_weights AS {_weighed(parts)}"


def cost_weights(month: date) -> str:
    """The statement that weighs tenants by what came to them so far, in each currency."""
    part = f"""
    SELECT '{EFFECTIVE_COST}' AS driver, 'month' AS per, 'currency' AS scope, DATE '{month.isoformat()}' AS day,
      currency AS within, people.tenant AS key, {whole("sum(effective)")} AS quantity
    FROM entries JOIN people ON people.number = entries.tenant JOIN cells USING (cell) GROUP BY ALL"""
    return f"INSERT INTO weights {_weighed([part])}"


def _weighed(parts: Iterable[str]) -> str:
    """Quantities above zero made weights whose total in a window is at most about WEIGHT_LIMIT."""
    none = (
        "SELECT '' AS driver, '' AS per, '' AS scope, CAST(NULL AS DATE) AS day, '' AS within, '' AS key,"
        " CAST(0 AS HUGEINT) AS quantity WHERE false"
    )
    return f"""
WITH measured AS MATERIALIZED (SELECT * FROM ({" UNION ALL ".join(parts) or none}) WHERE quantity > 0),
  totals AS (
    SELECT driver, per, scope, day, within, sum(quantity) // {WEIGHT_LIMIT} + 1 AS divisor FROM measured GROUP BY ALL)
SELECT measured.*, CAST(CASE divisor WHEN 1 THEN quantity ELSE quantity // divisor END AS BIGINT) AS weight
FROM measured JOIN totals USING (driver, per, scope, day, within)"""


_DIRECT = f"""
CREATE OR REPLACE TABLE people AS
SELECT CAST(row_number() OVER (ORDER BY tenant) AS INTEGER) AS number, tenant
FROM (SELECT tenant FROM held WHERE tenant IS NOT NULL UNION SELECT key FROM weights);
UPDATE cells SET method = kind WHERE kind NOT IN {_SHARED};
CREATE OR REPLACE TABLE entries AS
SELECT coalesce(number, {NOBODY}) AS tenant, cell, {", ".join(AMOUNTS)}
FROM held JOIN cells USING (cell) LEFT JOIN people ON people.tenant = held.tenant
WHERE kind NOT IN {_SHARED} AND (effective <> 0 OR billed <> 0 OR coalesce(quantity, 0) <> 0)"""


def windows(which: str) -> str:
    """The statements that number the windows of some drivers, and their weights in order of window and tenant."""
    columns = "driver, per, scope, day, within"
    return f"""
CREATE OR REPLACE TABLE windows AS
SELECT CAST(row_number() OVER (ORDER BY {columns}) AS INTEGER) AS number, {columns}
FROM (SELECT DISTINCT {columns} FROM weights WHERE {which});
CREATE OR REPLACE TABLE weighed AS
SELECT windows.number AS window, people.number AS tenant, weight, quantity
FROM weights JOIN windows USING ({columns}) JOIN people ON people.tenant = key
WHERE weight > 0 ORDER BY 1, 2"""


def pools_of(method: str) -> str:
    """The query for the pools that are shared by the tenants' cost, or by their use."""
    return f"""
SELECT cell, rule, day, feature, currency, {", ".join(whole(amount) for amount in AMOUNTS)}
FROM held JOIN cells USING (cell)
WHERE {method} AND (effective <> 0 OR billed <> 0 OR coalesce(quantity, 0) <> 0) ORDER BY cell"""


IN_ORDER = """
CREATE OR REPLACE TABLE ordered AS FROM entries ORDER BY tenant, cell;
CREATE OR REPLACE TABLE details AS FROM details ORDER BY tenant, told;
DROP TABLE entries;
ALTER TABLE ordered RENAME TO entries"""
"""The statements that put entries in order of tenant and cell."""

ALLOCATED = f"""
CREATE OR REPLACE VIEW allocated AS
SELECT entries.tenant AS tenant_number, people.tenant, day, day_end, {_TEXTS},
  CASE entries.tenant WHEN {NOBODY} THEN 'residual' ELSE method END AS method, rule_name, {", ".join(AMOUNTS)},
  method_id, cells.told, text AS details
FROM entries JOIN cells USING (cell) LEFT JOIN people ON people.number = entries.tenant
LEFT JOIN details ON details.told = cells.told AND details.tenant = entries.tenant"""
"""What came of the month, row by row: a tenant's, or the residual where it is NULL."""


def _values(rows: list[str], *types: str) -> str:
    if rows:
        return f"VALUES {', '.join(rows)}"
    return f"SELECT {', '.join(f'CAST(NULL AS {each})' for each in types)} WHERE false"
