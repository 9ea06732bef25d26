"""What the savings are found in: a month's bill by resource and by day, small whatever the bill's size.

Rows of the Sections `resource` and `other` together are the bill's EffectiveCost. `resource` is what is paid by the
time (the Kinds `capacity` and `storage`) and is a tenant's own, or outside production, or idle by the bill's own words:
resource by resource, the `LISTED` with the most cost of each kind and currency. `other` are sums by service: of the
resources beyond those, and (the Kind `rest`) of all else.

Rows of the Section `day` show part of that again, day by day: what is paid on demand in services for which there are
commitments (`on_demand`), and what each commitment covers (`used`) or does not (`unused`).
"""

from collections.abc import Mapping
from datetime import date

from tenantscope_core.stores.schemas import MONEY, TENANT_ID, Dataset

from tenantscope_cost_explorer.charges import first_match, literal, value_of
from tenantscope_cost_explorer.rules import Direct, RuleSet
from tenantscope_cost_explorer.saving_assumptions import NOT_PRODUCTION, PLANS, SAID_IDLE

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
"""Of the fleet only. Days and WeekendDays count the days with a charge, Resources the resources in a row."""

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
_ON_DEMAND = "coalesce(pricing_category IN ('Standard', 'On-Demand'), false)"
_TENANT = (
    f"CASE WHEN kinds.mapped THEN names.tenant WHEN regexp_full_match(ranked.tenant_key, '{TENANT_ID}')"
    " THEN ranked.tenant_key END"
)
_OF_A_RESOURCE = {
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
    "CommitmentDiscountId": "NULL",
    "x_Environment": "environment",
    "x_Method": "method",
    "Day": "NULL",
    "Days": "days",
    "WeekendDays": "weekend_days",
    "WeekendCost": "weekend_cost",
    "ConsumedQuantity": "quantity",
    "ConsumedUnit": "unit",
    "ListCost": "listed",
    "EffectiveCost": "effective",
    "Resources": "1",
}
_UNTOLD = dict.fromkeys(
    ("ResourceType", "ResourceId", "SubAccountId", "SkuId", "ChargeDescription", "x_Environment", "Days",
     "WeekendDays", "WeekendCost"), "NULL",
)  # fmt: skip
_SUMMED = {
    **_UNTOLD,
    "ConsumedQuantity": "sum(quantity)",
    "ListCost": "sum(listed)",
    "EffectiveCost": "sum(effective)",
    "Resources": "count(*)",
}
_REST = {
    **dict.fromkeys(_OF_A_RESOURCE, "NULL"),
    "Kind": "'rest'",
    "BillingCurrency": "currency",
    "ServiceName": "service",
    "EffectiveCost": "sum(effective)",
}
_OF_A_DAY = {
    **_SUMMED,
    "Kind": "CASE kind WHEN 'unused' THEN kind WHEN 'committed' THEN 'used' ELSE 'on_demand' END",
    "PricingCategory": "NULL",
    "CommitmentDiscountId": "commitment",
    "x_Method": "NULL",
    "Day": "day",
    "Resources": "NULL",
}


def evidence_rows(rules: RuleSet, month: date, listed: int = LISTED) -> str:
    """The rows of `saving_evidence` of the month that begins on a day.

    They are from `charges`, of which only a part is grouped, and from what `gather` leaves of the whole bill. The
    dearest are found without putting all in order; among equals chance decides, always alike.
    """
    return f"""
WITH told AS (
  SELECT currency, {_KIND} AS kind, {first_match(rules.rules)} AS rule, {_tenant_key(rules)} AS tenant_key,
    {value_of(rules.environment)} AS environment, service, resource_type, resource, billing_account, sub_account,
    region, sku, min(description) AS description, pricing_category, unit, {_counted(month)},
    sum(effective) FILTER (isodow(day) >= 6) AS weekend_cost, sum(quantity) AS quantity, sum(listed) AS listed,
    sum(effective) AS effective
  FROM charges WHERE {_KIND} IN ('capacity', 'storage') AND {_looked_at(rules)} GROUP BY ALL
), ranked AS MATERIALIZED (
  SELECT *, CAST(effective * 1000000000000 AS HUGEINT) * {_AMONG_EQUALS} + hash({_NAMED}) % {_AMONG_EQUALS} AS rank
  FROM told
), least AS (
  SELECT currency, kind, CASE WHEN count(*) > {listed} THEN list_min(max(rank, {listed + 1})) END AS rank
  FROM ranked GROUP BY currency, kind
), placed AS (
  SELECT ranked.*, coalesce(kinds.kind, 'residual') AS method, {_TENANT} AS tenant_id,
    least.rank IS NULL OR ranked.rank > least.rank AS single
  FROM ranked JOIN least ON least.currency = ranked.currency AND least.kind = ranked.kind
  LEFT JOIN kinds ON kinds.rule = ranked.rule
  LEFT JOIN names ON names.rule = ranked.rule AND names.value = ranked.tenant_key
), beside AS (
  SELECT currency, service, effective FROM held JOIN cells USING (cell)
  UNION ALL SELECT currency, service, -effective FROM ranked
)
SELECT 'resource' AS "Section", {_columns({})}, tenant_id FROM placed WHERE single
UNION ALL
SELECT 'other', {_columns(_SUMMED)}, CAST(NULL AS VARCHAR) FROM placed WHERE NOT single
GROUP BY kind, currency, service, billing_account, region, pricing_category, method, unit
UNION ALL
SELECT 'other', {_columns(_REST)}, CAST(NULL AS VARCHAR) FROM beside GROUP BY currency, service
HAVING sum(effective) <> 0
UNION ALL
SELECT 'day', {_columns(_OF_A_DAY)}, CAST(NULL AS VARCHAR)
FROM (SELECT *, {_KIND} AS kind FROM charges WHERE commitment IS NOT NULL OR {_eligible()})
WHERE (kind IN ('capacity', 'metered') AND commitment IS NULL AND {_ON_DEMAND}
    OR kind IN ('committed', 'unused') AND commitment IS NOT NULL)
  AND day BETWEEN DATE '{month}' AND last_day(DATE '{month}')
GROUP BY currency, kind, service, billing_account, region, commitment, unit, day"""


def _looked_at(rules: RuleSet) -> str:
    """Which resources can be saved on: a tenant's own, those outside production, those that the bill calls idle."""
    own = [str(number) for number, rule in enumerate(rules.rules) if isinstance(rule.allocate, Direct)]
    ways = [f"contains(lower(description), {literal(word)})" for word in SAID_IDLE]
    if own:
        ways.append(f"{first_match(rules.rules)} IN ({', '.join(own)})")
    if rules.environment is not None:
        names = ", ".join(literal(name) for name in sorted(NOT_PRODUCTION))
        ways.append(f"lower({value_of(rules.environment)}) IN ({names})")
    return f"({' OR '.join(ways)})"


def _columns(otherwise: Mapping[str, str]) -> str:
    """The dataset's columns after Section: those of one resource, or what they are otherwise."""
    found = {**_OF_A_RESOURCE, **otherwise}
    return ", ".join(
        f'CAST({found[name]} AS {kind}) AS "{name}"'
        for name, kind in SAVING_EVIDENCE.columns.items()
        if name != "Section"
    )


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


def _eligible() -> str:
    """What a commitment is sold for."""
    plans = [
        f"contains(lower(service), {literal(plan.service)}) AND contains(lower(unit), {literal(plan.unit)})"
        for plan in PLANS
    ]
    return f"({' OR '.join(plans)})"
