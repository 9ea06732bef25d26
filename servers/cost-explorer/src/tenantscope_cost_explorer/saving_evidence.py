"""What the savings are found in: a month's bill by resource and by day, small whatever the bill's size.

Rows of the Sections `resource` and `other` together are the bill's EffectiveCost. `resource` is what is paid by the
time (the Kinds `capacity` and `storage`), resource by resource with its tenant: the `LISTED` with the most cost of each
kind and currency. `other` are sums: of the resources beyond those, of what is `metered`, `committed` (covered by a
commitment) or `unused` (paid for, covering nothing), and of every other `charge`.

Rows of the Section `day` show part of that again, day by day: what is paid on demand in services for which there are
commitments (`on_demand`), and what each commitment covers (`used`) or does not (`unused`).
"""

from collections.abc import Collection
from datetime import date

from tenantscope_core.stores.schemas import MONEY, TENANT_ID, Dataset

from tenantscope_cost_explorer.charges import first_match, literal, value_of
from tenantscope_cost_explorer.rules import Direct, Method, RuleSet, Split
from tenantscope_cost_explorer.saving_assumptions import PLANS

LISTED = 5_000
"""Resources of one kind and currency that stand singly in a month."""

SAVING_EVIDENCE = Dataset(
    "saving_evidence",
    {
        "Section": "VARCHAR",
        "Kind": "VARCHAR",
        "BillingCurrency": "VARCHAR",
        "ServiceName": "VARCHAR",
        "ResourceType": "VARCHAR",
        "ResourceId": "VARCHAR",
        "BillingAccountId": "VARCHAR",
        "SubAccountId": "VARCHAR",
        "RegionId": "VARCHAR",
        "SkuId": "VARCHAR",
        "ChargeDescription": "VARCHAR",
        "PricingCategory": "VARCHAR",
        "CommitmentDiscountId": "VARCHAR",
        "x_Environment": "VARCHAR",
        "x_Method": "VARCHAR",
        "Day": "DATE",
        "Days": "BIGINT",
        "WeekendDays": "BIGINT",
        "WeekendCost": MONEY,
        "ConsumedQuantity": MONEY,
        "ConsumedUnit": "VARCHAR",
        "ListCost": MONEY,
        "EffectiveCost": MONEY,
        "Resources": "BIGINT",
    },
)
"""Of the fleet only. Days and WeekendDays count the days with a charge; Resources are those in a row, where it is of any."""

_HOURLY = "(contains(lower(unit), 'hour') OR contains(lower(unit), 'hr'))"
_STORED = (
    "contains(lower(unit), 'gb') AND"
    f" ({_HOURLY} OR contains(lower(unit), 'mo') OR contains(lower(unit), 'day')) AND ("
    + " OR ".join(f"contains(lower(description), '{word}')" for word in ("storage", "volume", "snapshot", "backup"))
    + ")"
)
_KIND = f"""
CASE WHEN commitment_status = 'Unused' THEN 'unused'
  WHEN commitment_status = 'Used' OR pricing_category = 'Committed' THEN 'committed'
  WHEN charge_category <> 'Usage' THEN 'charge'
  WHEN {_STORED} THEN 'storage' WHEN {_HOURLY} THEN 'capacity' ELSE 'metered' END"""
_NAMED = "resource, sku, tenant_key, service, region, sub_account, unit, environment, rule"
_AMONG_EQUALS = 2**20
"""Places among groups of equal cost, which are many where every tenant has a database of the same size."""
_ONLY_SINGLE = (
    "ResourceType", "ResourceId", "SubAccountId", "SkuId", "ChargeDescription", "x_Environment", "Days", "WeekendDays",
)  # fmt: skip
"""What a sum of many does not tell."""
_ON_DEMAND = "coalesce(pricing_category IN ('Standard', 'On-Demand'), false)"
_TENANT = (
    f"CASE WHEN methods.mapped THEN names.tenant WHEN regexp_full_match(told.tenant_key, '{TENANT_ID}')"
    " THEN told.tenant_key END"
)

UNTIED = """
SELECT coalesce(billed.currency, found.currency)
FROM (SELECT currency, sum(effective) AS effective FROM bill GROUP BY ALL) AS billed
FULL JOIN (
  SELECT "BillingCurrency" AS currency, sum("EffectiveCost") AS effective FROM evidence
  WHERE "Section" <> 'day' GROUP BY ALL
) AS found ON found.currency = billed.currency
WHERE coalesce(billed.effective, 0) <> coalesce(found.effective, 0) ORDER BY 1"""
"""The currencies in which `evidence` does not sum to the bill; there must be none."""


def evidence_rows(rules: RuleSet, month: date, listed: int = LISTED) -> str:
    """The rows of `saving_evidence` of the month that begins on a day, from `charges`.

    It reads the bill three times, each time a part of it, and keeps nothing of its size but what is paid by the time.
    """
    return f"""
SELECT * FROM ({_of_resources(rules, month, listed)})
UNION ALL SELECT * FROM ({_of_the_rest()}) UNION ALL SELECT * FROM ({_of_days(month)})"""


def _of_resources(rules: RuleSet, month: date, listed: int) -> str:
    """The dearest of each kind singly, found without putting all in order; among equals by chance, always alike."""
    return f"""
WITH {_names(rules)}, told AS (
  SELECT currency, {_KIND} AS kind, {first_match(rules.rules)} AS rule, {_tenant_key(rules)} AS tenant_key,
    {value_of(rules.environment)} AS environment, service, resource_type, resource, billing_account, sub_account,
    region, sku, min(description) AS description, pricing_category, commitment, unit, {_counted(month)},
    sum(effective) FILTER (isodow(day) >= 6) AS weekend_cost, sum(quantity) AS quantity, sum(listed) AS listed,
    sum(effective) AS effective
  FROM charges WHERE {_KIND} IN ('capacity', 'storage') GROUP BY ALL
), ranked AS MATERIALIZED (
  SELECT *, CAST(effective * 1000000000000 AS HUGEINT) * {_AMONG_EQUALS} + hash({_NAMED}) % {_AMONG_EQUALS} AS rank
  FROM told
), least AS (
  SELECT currency, kind, CASE WHEN count(*) > {listed} THEN list_min(max(rank, {listed + 1})) END AS rank
  FROM ranked GROUP BY currency, kind
), placed AS (
  SELECT ranked.*, least.rank IS NULL OR ranked.rank > least.rank AS single
  FROM ranked JOIN least ON least.currency = ranked.currency AND least.kind = ranked.kind
)
SELECT 'resource' AS "Section", {_columns("CAST(1 AS BIGINT)", "{}")}, {_TENANT} AS tenant_id
FROM placed AS told LEFT JOIN methods ON methods.rule = told.rule
LEFT JOIN names ON names.rule = told.rule AND names.value = told.tenant_key WHERE single
UNION ALL
SELECT 'other', {_columns("count(*)", "sum({})", _ONLY_SINGLE)}, CAST(NULL AS VARCHAR)
FROM placed AS told LEFT JOIN methods ON methods.rule = told.rule WHERE NOT single
GROUP BY kind, currency, service, billing_account, region, pricing_category, commitment, methods.method, unit"""


def _of_the_rest() -> str:
    """What is not paid by the time, in few sums."""
    return f"""
SELECT 'other', {_columns("CAST(NULL AS BIGINT)", "sum({})", (*_ONLY_SINGLE, "x_Method", "WeekendCost"))}, CAST(NULL AS VARCHAR)
FROM (SELECT *, {_KIND} AS kind FROM charges) AS told WHERE kind NOT IN ('capacity', 'storage')
GROUP BY kind, currency, service, billing_account, region, pricing_category, commitment, unit"""


def _columns(resources: str, added: str, left_out: Collection[str] = ()) -> str:
    """The dataset's columns after Section, each sum as `added` makes it of one."""
    texts = {
        "Kind": "kind",
        "BillingCurrency": "currency",
        "ServiceName": "service",
        "ResourceType": "resource_type",
        "ResourceId": "resource",
        "BillingAccountId": "billing_account",
        "SubAccountId": "sub_account",
        "RegionId": "region",
        "SkuId": "sku",
        "ChargeDescription": "description",
        "PricingCategory": "pricing_category",
        "CommitmentDiscountId": "commitment",
        "x_Environment": "environment",
        "x_Method": "coalesce(methods.method, 'residual')",
        "Day": "CAST(NULL AS DATE)",
        "Days": "CAST(days AS BIGINT)",
        "WeekendDays": "CAST(weekend_days AS BIGINT)",
        "WeekendCost": _money(added.format("weekend_cost")),
        "ConsumedQuantity": _money(added.format("quantity")),
        "ConsumedUnit": "unit",
        "ListCost": _money(added.format("listed")),
        "EffectiveCost": _money(added.format("told.effective")),
        "Resources": resources,
    }
    return ", ".join(f'{"NULL" if name in left_out else value} AS "{name}"' for name, value in texts.items())


def _names(rules: RuleSet) -> str:
    """How each rule brings charges to tenants, and the tenants that a rule names for its values."""
    methods = ["(CAST(NULL AS INTEGER), CAST(NULL AS VARCHAR), false)"]
    names = ["(CAST(NULL AS INTEGER), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR))"]
    for number, rule in enumerate(rules.rules):
        match rule.allocate:
            case Direct(names=pairs):
                methods.append(f"({number}, '{Method.DIRECT}', {str(pairs is not None).lower()})")
                names += [f"({number}, {literal(value)}, {literal(tenant)})" for value, tenant in pairs or ()]
            case Split(method=method):
                methods.append(f"({number}, '{method}', false)")
            case _:
                methods.append(f"({number}, '{Method.RESIDUAL}', false)")
    return f"""methods(rule, method, mapped) AS (VALUES {", ".join(methods)}),
  names(rule, value, tenant) AS (VALUES {", ".join(names)})"""


def _tenant_key(rules: RuleSet) -> str:
    keys = [
        f"WHEN {number} THEN {value_of(rule.allocate.tenant)}"
        for number, rule in enumerate(rules.rules)
        if isinstance(rule.allocate, Direct)
    ]
    return f"CASE rule {' '.join(keys)} END" if keys else "CAST(NULL AS VARCHAR)"


def _counted(month: date) -> str:
    """The number of different days, and of those on a weekend, each counted in the bits of one number."""
    bit = f"CAST(1 AS BIGINT) << greatest(0, least(62, day - DATE '{month}'))::INTEGER"
    return (
        f"bit_count(bit_or({bit})) AS days, coalesce(bit_count(bit_or({bit}) FILTER (isodow(day) >= 6)), 0)"
        " AS weekend_days"
    )


def _of_days(month: date) -> str:
    no_text, no_count = "CAST(NULL AS VARCHAR)", "CAST(NULL AS BIGINT)"
    return f"""
SELECT 'day', CASE kind WHEN 'unused' THEN kind WHEN 'committed' THEN 'used' ELSE 'on_demand' END, currency, service,
  {no_text}, {no_text}, billing_account, {no_text}, region, {no_text}, {no_text}, {no_text}, commitment, {no_text},
  {no_text}, day, {no_count}, {no_count}, {_money("NULL")}, {_money("sum(quantity)")}, unit, {_money("sum(listed)")},
  {_money("sum(effective)")}, {no_count}, {no_text}
FROM (SELECT *, {_KIND} AS kind FROM charges WHERE commitment IS NOT NULL OR {_eligible()})
WHERE (kind IN ('capacity', 'metered') AND commitment IS NULL AND {_ON_DEMAND}
    OR kind IN ('committed', 'unused') AND commitment IS NOT NULL)
  AND day BETWEEN DATE '{month}' AND last_day(DATE '{month}')
GROUP BY currency, kind, service, billing_account, region, commitment, unit, day"""


def _eligible() -> str:
    """What a commitment is sold for."""
    plans = [
        f"contains(lower(service), {literal(plan.service)}) AND contains(lower(unit), {literal(plan.unit)})"
        for plan in PLANS
    ]
    return f"({' OR '.join(plans)})"


def _money(number: str) -> str:
    return f"CAST({number} AS {MONEY})"
