"""Rules compiled to SQL that splits a month's bill among tenants, exactly.

Costs and quantities are whole numbers of 10^-12. A pool is what one rule consumed with the same days, service, feature,
unit and so on; its two costs and its quantity are split by largest remainder (Hamilton), so that the parts sum to the
pool to the last 10^-12. A negative pool is split as its magnitude and given back its sign, so a refund undoes its
charge. Ties go to the tenant first in code point order. A quantity that no charge of a pool tells is NULL, in its parts
as well.

A rule that shares by the month pools the month, up to the last day of the bill: a finer part would say no more about a
tenant. Direct charges and rules `per: day` keep the days of their charges.

Weights are whole numbers. Where those of one window sum to more than `WEIGHT_LIMIT` each is divided by
`total // WEIGHT_LIMIT + 1`, rounded down. What is split is first divided by the total of the weights, so that no
product exceeds 127 bits for any pool that DECIMAL(38,12) holds.

The statements read `charges` (see `charges`), `usage`, `feature_usage` and `llm_usage` of the month, and leave
`allocated`, `consumed` (each rule's share of the rows) and `bill` (what must come out, by invoice).
"""

from dataclasses import dataclass
from datetime import date

from tenantscope_core.stores.schemas import TENANT_ID

from tenantscope_cost_explorer.charges import first_match, literal, value_of
from tenantscope_cost_explorer.rules import EVEN, Direct, Measure, Method, RuleSet, Split

WEIGHT_LIMIT = 10**15
EFFECTIVE_COST = "EffectiveCost"
SUM_THE_BILL = "sum the bill"

_POOL_COLUMNS = (
    "day, day_end, service, feature, environment, charge_category, charge_class, charge_frequency, sub_account,"
    " invoice, currency, unit"
)
_AMOUNTS = ("effective", "billed", "quantity")
_SOMETHING = "(effective <> 0 OR billed <> 0 OR coalesce(quantity, 0) <> 0)"
_NO_TEXT = "CAST(NULL AS VARCHAR)"
_UNITS = {"calls": "Calls", "bytes": "Bytes", "errors": "Errors", "tokens": "Tokens", "requests": "Requests"}


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, and what it does in a few words."""

    title: str
    sql: str


@dataclass(frozen=True, slots=True)
class _Link:
    """One driver in a rule's fallback chain: `scope` says within what its shares are taken."""

    rule: int
    order: int
    driver: str
    per: str
    scope: str
    unit: str
    scale: int


def compile_allocation(rules: RuleSet, month: date) -> list[Step]:
    """The statements that allocate one month, given by its first day."""
    window = f"DATE '{month.isoformat()}'"
    links = _links(rules)
    return [
        Step(SUM_THE_BILL, _bill(window)),
        Step("match charges to rules", _matched(rules, window)),
        Step("gather pools", _pools(rules)),
        Step("count what each rule consumed", _CONSUMED),
        Step("gather usage", _measures(rules)),
        Step("weigh tenants", _tenant_weights(links, window)),
        Step("weigh features", _feature_weights(rules, window)),
        Step("allocate what belongs to one tenant", _DIRECT),
        Step("split among features", _split_features(window)),
        Step("choose drivers", _shared(links, "kind IN ('driver', 'even')", window)),
        Step("split among tenants", _SPLIT),
        Step("weigh tenants by cost", _cost_weights(window)),
        Step("choose drivers of proxies", _shared(links, "kind = 'proxy'", window)),
        Step("split proxies among tenants", _SPLIT),
    ]


def whole(amount: str) -> str:
    """A DECIMAL(38,12) as its whole number of 10^-12, over the whole range of the type."""
    return (
        f"(CAST(trunc({amount}) AS HUGEINT) * 1000000000000"
        f" + CAST(({amount} - trunc({amount})) * 1000000000000 AS HUGEINT))"
    )


def _links(rules: RuleSet) -> list[_Link]:
    links: list[_Link] = []
    for number, rule in enumerate(rules.rules):
        if not isinstance(rule.allocate, Split):
            continue
        split = rule.allocate
        if split.method is Method.PROXY:
            links.append(_Link(number, 0, EFFECTIVE_COST, "month", "currency", "Cost", 12))
        for order, driver in enumerate(split.drivers, start=1):
            if not isinstance(driver, Measure):
                links.append(_Link(number, order, EVEN, "month", "fleet", "Tenants", 0))
                continue
            scope = "feature" if split.cascade is not None and driver.has_feature else "fleet"
            unit = _UNITS.get(driver.column, driver.column)
            links.append(_Link(number, order, str(driver), split.per, scope, unit, driver.scale))
    return links


def _bill(window: str) -> str:
    return f"""
CREATE OR REPLACE TABLE bill AS
SELECT invoice, currency, count(*) AS charges, count(*) FILTER (readable) AS readable,
  sum(effective) AS effective, sum(billed) AS billed, sum(quantity) AS quantity,
  max(day) FILTER (day BETWEEN {window} AND last_day({window})) AS last_day
FROM charges GROUP BY invoice, currency"""


def _matched(rules: RuleSet, window: str) -> str:
    keys = [
        f"WHEN {number} THEN {value_of(rule.allocate.tenant)}"
        for number, rule in enumerate(rules.rules)
        if isinstance(rule.allocate, Direct)
    ]
    tenant_key = f"CASE rule {' '.join(keys)} END" if keys else "CAST(NULL AS VARCHAR)"
    monthly = [
        str(number)
        for number, rule in enumerate(rules.rules)
        if isinstance(rule.allocate, Split) and rule.allocate.per == "month"
    ]
    by_month = f"rule IN ({', '.join(monthly)})" if monthly else "false"
    return f"""
CREATE OR REPLACE TABLE matched AS
SELECT rule, {tenant_key} AS tenant_key, CASE WHEN {by_month} THEN {window} ELSE day END AS day,
  CASE WHEN {by_month} THEN (SELECT coalesce(max(last_day), {window}) + 1 FROM bill) ELSE day_end END AS day_end,
  service, {value_of(rules.feature)} AS feature,
  {value_of(rules.environment)} AS environment, charge_category, charge_class, charge_frequency, sub_account, invoice,
  currency, unit, count(*) AS charges, {", ".join(f"sum({amount}) AS {amount}" for amount in _AMOUNTS)}
FROM (SELECT *, {first_match(rules.rules)} AS rule FROM charges)
GROUP BY ALL"""


def _pools(rules: RuleSet) -> str:
    kinds: list[str] = []
    names: list[str] = []
    for number, rule in enumerate(rules.rules):
        cascade, per, kind, mapped = _NO_TEXT, "month", Method.RESIDUAL, "false"
        match rule.allocate:
            case Direct(names=pairs):
                kind, mapped = Method.DIRECT, "true" if pairs is not None else "false"
                names += [f"({number}, {literal(value)}, {literal(tenant)})" for value, tenant in pairs or ()]
            case Split() as split:
                kind, per = split.method, split.per
                cascade = literal(str(split.cascade)) if split.cascade is not None else _NO_TEXT
            case _:
                pass
        kinds.append(f"({number}, {literal(rule.name)}, {literal(kind)}, {mapped}, {cascade}, {literal(per)})")
    tenant = f"CASE WHEN mapped THEN name.tenant WHEN regexp_full_match(tenant_key, '{TENANT_ID}') THEN tenant_key END"
    return f"""
CREATE OR REPLACE VIEW pools AS
WITH rules(rule, rule_name, kind, mapped, cascade, per) AS (VALUES {", ".join(kinds)}),
  names(rule, value, tenant) AS ({_values(names, "INTEGER", "VARCHAR", "VARCHAR")})
SELECT matched.rule, rule_name, coalesce(kind, 'residual') AS kind, cascade, per,
  CASE kind WHEN 'direct' THEN {tenant} END AS tenant, {_POOL_COLUMNS}, charges,
  {", ".join(f"{whole(amount)} AS {amount}" for amount in _AMOUNTS)}
FROM matched LEFT JOIN rules USING (rule)
LEFT JOIN names AS name ON name.rule = matched.rule AND name.value = matched.tenant_key"""


_CONSUMED = """
CREATE OR REPLACE TABLE consumed AS
SELECT rule, rule_name, kind, currency, CAST(sum(charges) AS BIGINT) AS charges, sum(effective) AS effective,
  sum(billed) AS billed
FROM pools GROUP BY ALL"""


def _measures(rules: RuleSet) -> str:
    """Each needed measure by tenant, day and feature, in whole units of its scale; and who was active."""
    parts: list[str] = []
    for measure in rules.measures:
        name, at = literal(str(measure)), "tenant_id AS tenant, day"
        match measure.dataset:
            case "usage":
                parts.append(
                    f"SELECT {name} AS measure, {at}, '' AS feature, CAST(quantity * {10**measure.scale} AS HUGEINT)"
                    f" AS quantity FROM usage WHERE metric = {literal(measure.column)}"
                )
            case dataset:
                quantity = (
                    "coalesce(tokens_in, 0) + coalesce(tokens_out, 0)" if measure.column == "tokens" else measure.column
                )
                parts.append(
                    f"SELECT {name} AS measure, {at}, coalesce(feature, '') AS feature,"
                    f" CAST(({quantity}) * {10**measure.scale} AS HUGEINT) AS quantity FROM {dataset}"
                )
    none = (
        "SELECT '' AS measure, '' AS tenant, CAST(NULL AS DATE) AS day, '' AS feature, CAST(0 AS HUGEINT) AS quantity"
        " WHERE false"
    )
    return f"""
CREATE OR REPLACE TABLE measures AS
SELECT measure, tenant, day, feature, sum(quantity) AS quantity FROM ({" UNION ALL ".join(parts or [none])})
GROUP BY ALL;
CREATE OR REPLACE TABLE active AS
SELECT tenant_id AS tenant FROM usage WHERE quantity > 0
UNION SELECT tenant_id FROM feature_usage WHERE calls > 0
UNION SELECT tenant_id FROM llm_usage WHERE requests > 0 OR tokens_in + tokens_out > 0"""


def _tenant_weights(links: list[_Link], window: str) -> str:
    wanted = sorted({(link.driver, link.per, link.scope) for link in links if link.scope != "currency"})
    parts = [_quantities(driver, per, scope, "tenant", window) for driver, per, scope in wanted]
    return f"CREATE OR REPLACE TABLE weights AS {_weighed(parts)}"


def _feature_weights(rules: RuleSet, window: str) -> str:
    wanted = sorted(
        {
            (str(rule.allocate.cascade), rule.allocate.per)
            for rule in rules.rules
            if isinstance(rule.allocate, Split) and rule.allocate.cascade is not None
        }
    )
    parts = [_quantities(driver, per, "fleet", "feature", window) for driver, per in wanted]
    return f"CREATE OR REPLACE TABLE feature_weights AS {_weighed(parts)}"


def _quantities(driver: str, per: str, scope: str, key: str, window: str) -> str:
    head = f"SELECT {literal(driver)} AS driver, {literal(per)} AS per, {literal(scope)} AS scope"
    if driver == EVEN:
        return f"{head}, {window} AS day, '' AS within, tenant AS key, CAST(1 AS HUGEINT) AS quantity FROM active"
    within = "feature" if scope == "feature" else "''"
    day = "day" if per == "day" else window
    return (
        f"{head}, {day} AS day, {within} AS within, {key} AS key, sum(quantity) AS quantity FROM measures"
        f" WHERE measure = {literal(driver)} GROUP BY ALL HAVING sum(quantity) > 0"
    )


def _weighed(parts: list[str]) -> str:
    """Quantities made weights whose total in a window is at most about WEIGHT_LIMIT."""
    none = (
        "SELECT '' AS driver, '' AS per, '' AS scope, CAST(NULL AS DATE) AS day, '' AS within, '' AS key,"
        " CAST(0 AS HUGEINT) AS quantity WHERE false"
    )
    return f"""
SELECT *, sum(weight) OVER (PARTITION BY driver, per, scope, day, within) AS total
FROM (
  SELECT *, quantity // (sum(quantity) OVER (PARTITION BY driver, per, scope, day, within) // {WEIGHT_LIMIT} + 1)
    AS weight
  FROM ({" UNION ALL ".join(parts or [none])})
)"""


_ALLOCATED = (
    f"tenant, {_POOL_COLUMNS}, method, rule_name, effective, billed, quantity, method_id, ratio, driver_unit,"
    " driver_quantity"
)

_DIRECT = f"""
CREATE OR REPLACE TABLE allocated AS
SELECT tenant, {_POOL_COLUMNS}, CASE WHEN tenant IS NULL THEN 'residual' ELSE 'direct' END AS method, rule_name,
  effective, billed, quantity, {_NO_TEXT} AS method_id, CAST(NULL AS DOUBLE) AS ratio, {_NO_TEXT} AS driver_unit,
  CAST(NULL AS DOUBLE) AS driver_quantity
FROM pools WHERE kind IN ('direct', 'residual') AND {_SOMETHING}"""


def _parts(source: str, columns: str) -> str:
    """Each row of `source` (part_of, key, weight, total, the amounts) with its largest-remainder parts."""
    divided = ", ".join(
        f"abs({amount}) // total * weight + abs({amount}) % total * weight // total AS {amount}_floor,"
        f" abs({amount}) % total * weight % total AS {amount}_rest"
        for amount in _AMOUNTS
    )
    rounded = ", ".join(
        f"""CASE WHEN {amount} < 0 THEN -1 ELSE 1 END * ({amount}_floor + CASE WHEN
    row_number() OVER (PARTITION BY part_of ORDER BY {amount}_rest DESC, key)
      <= abs({amount}) - sum({amount}_floor) OVER (PARTITION BY part_of) THEN 1 ELSE 0 END) AS {amount}"""
        for amount in _AMOUNTS
    )
    return f"SELECT {columns}, {rounded} FROM (SELECT *, {divided} FROM ({source}))"


def _split_features(window: str) -> str:
    """Pools of cascades among features, unless the charge names its own; other pools pass through."""
    joined = f"""
    SELECT shared.* EXCLUDE (feature, part_of), part_of, weight.key AS key, weight.key AS feature, weight, total
    FROM shared JOIN feature_weights AS weight
      ON weight.driver = cascade AND weight.per = shared.per
      AND weight.day = CASE shared.per WHEN 'day' THEN shared.day ELSE {window} END
    WHERE shared.feature IS NULL"""
    columns = (
        "part_of AS origin, rule, rule_name, kind, cascade, per, day, day_end, service, feature, environment,"
        " charge_category, charge_class, charge_frequency, sub_account, invoice, currency, unit, feature AS within,"
        " CAST(weight AS DOUBLE) / CAST(total AS DOUBLE) AS ratio"
    )
    return f"""
CREATE OR REPLACE TABLE shared AS
SELECT row_number() OVER () AS part_of, * FROM pools
WHERE kind IN ('driver', 'even', 'proxy') AND {_SOMETHING};
CREATE OR REPLACE TABLE features AS {_parts(joined, columns)};
CREATE OR REPLACE TABLE shares AS
SELECT row_number() OVER () AS part_of, * FROM (
  SELECT * EXCLUDE (origin) FROM features WHERE {_SOMETHING}
  UNION ALL BY NAME
  SELECT rule, rule_name, kind, cascade, per, {_POOL_COLUMNS}, CASE WHEN cascade IS NOT NULL THEN feature END AS within,
    CAST(1 AS DOUBLE) AS ratio, {", ".join(_AMOUNTS)}
  FROM shared WHERE part_of NOT IN (SELECT origin FROM features)
)"""


def _shared(links: list[_Link], which: str, window: str) -> str:
    """Each share with the first driver of its rule that measures anything in its window."""
    rows = [
        f"({link.rule}, {link.order}, {literal(link.driver)}, {literal(link.per)}, {literal(link.scope)},"
        f" {literal(link.unit)}, {link.scale})"
        for link in links
    ]
    return f"""
CREATE OR REPLACE TABLE chosen AS
WITH links(rule, step, driver, per, scope, driver_unit, scale) AS (
    {_values(rows, "INTEGER", "INTEGER", *["VARCHAR"] * 4, "INTEGER")}),
  measured AS (SELECT DISTINCT driver, per, scope, day, within FROM weights)
SELECT shares.*, links.driver, links.per AS driver_per, links.scope, driver_unit, scale,
  measured.day AS driver_day, measured.within AS driver_within
FROM shares JOIN links ON links.rule = shares.rule
JOIN measured ON measured.driver = links.driver AND measured.per = links.per AND measured.scope = links.scope
  AND measured.day = CASE links.per WHEN 'day' THEN shares.day ELSE {window} END
  AND measured.within = CASE links.scope WHEN 'feature' THEN shares.within WHEN 'currency' THEN currency ELSE '' END
WHERE {which}
QUALIFY row_number() OVER (PARTITION BY part_of ORDER BY step) = 1;
INSERT INTO allocated
SELECT NULL, {_POOL_COLUMNS}, 'residual', rule_name, effective, billed, quantity, NULL, NULL, NULL, NULL
FROM shares WHERE {which} AND part_of NOT IN (SELECT part_of FROM chosen)"""


_WEIGHED_SHARES = """
    SELECT chosen.* EXCLUDE (ratio), chosen.ratio AS feature_ratio, weights.key, weight, total,
      weights.quantity AS measured
    FROM chosen JOIN weights ON weights.driver = chosen.driver AND weights.per = driver_per
      AND weights.scope = chosen.scope AND weights.day = driver_day AND weights.within = driver_within"""

_SHARE_COLUMNS = f"""key AS tenant, {_POOL_COLUMNS}, rule_name,
    CASE driver WHEN '{EVEN}' THEN 'even' WHEN '{EFFECTIVE_COST}' THEN 'proxy' ELSE 'driver' END AS method,
    CASE WHEN scope = 'feature' THEN cascade || ' > ' || driver ELSE driver END || ' per ' || driver_per AS method_id,
    feature_ratio * CAST(weight AS DOUBLE) / CAST(total AS DOUBLE) AS ratio, driver_unit,
    CAST(measured AS DOUBLE) / power(10, scale) AS driver_quantity"""

_SPLIT = f"""
INSERT INTO allocated
SELECT {_ALLOCATED} FROM ({_parts(_WEIGHED_SHARES, _SHARE_COLUMNS)}) WHERE {_SOMETHING}"""


def _cost_weights(window: str) -> str:
    part = f"""
    SELECT '{EFFECTIVE_COST}' AS driver, 'month' AS per, 'currency' AS scope, {window} AS day, currency AS within,
      tenant AS key, sum(effective) AS quantity
    FROM allocated WHERE tenant IS NOT NULL GROUP BY ALL HAVING sum(effective) > 0"""
    return f"INSERT INTO weights {_weighed([part])}"


def _values(rows: list[str], *types: str) -> str:
    if rows:
        return f"VALUES {', '.join(rows)}"
    return f"SELECT {', '.join(f'CAST(NULL AS {each})' for each in types)} WHERE false"
