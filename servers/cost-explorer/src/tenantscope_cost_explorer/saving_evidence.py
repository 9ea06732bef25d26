"""What the savings are found in: a month's bill by resource and by day, small whatever the bill's size.

Rows of the Sections `resource` and `other` together are the bill's EffectiveCost. Of each Kind of charge and currency
the `LISTED` groups with the most cost stand singly, the rest as sums without resource and tenant. A resource is told
where it is paid by the time (`capacity`, `storage`); what is `metered`, `committed` (covered by a commitment),
`unused` (paid for, covering nothing) or another `charge` is told by tenant, service and SKU.

Rows of the Section `day` show part of that again, day by day: what is paid on demand in services for which there are
commitments (`on_demand`), and what each commitment covers (`used`) or does not (`unused`).
"""

from datetime import date

from tenantscope_core.stores.schemas import MONEY, TENANT_ID, Dataset

from tenantscope_cost_explorer.charges import first_match, literal, value_of
from tenantscope_cost_explorer.rules import Direct, Method, RuleSet, Split
from tenantscope_cost_explorer.saving_assumptions import PLANS

LISTED = 5_000
"""Groups of one kind of charge and currency that stand singly in a month."""

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
        "Groups": "BIGINT",
    },
)
"""Of the fleet only. Days and WeekendDays count the days with a charge; Groups are those that a row is the sum of."""

_KIND = """
CASE WHEN commitment_status = 'Unused' THEN 'unused'
  WHEN commitment_status = 'Used' OR pricing_category = 'Committed' THEN 'committed'
  WHEN charge_category <> 'Usage' THEN 'charge'
  WHEN regexp_matches(lower(unit), 'g(i)?b.*(hour|hr|mo|day)')
    AND regexp_matches(lower(description), 'storage|volume|snapshot|backup') THEN 'storage'
  WHEN regexp_matches(lower(unit), 'hour|hr') THEN 'capacity'
  ELSE 'metered' END"""
_SINGLY = (
    "tenant_id, service, resource_type, resource, billing_account, sub_account, region, sku, description,"
    " pricing_category, commitment, environment, method, unit"
)
_SUMMED = "service, billing_account, region, pricing_category, commitment, method, unit"
_ON_DEMAND = "coalesce(pricing_category IN ('Standard', 'On-Demand'), false)"

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
    """The rows of `saving_evidence` of the month that begins on a day, from `charges`."""
    return f"""
WITH {_names(rules)}, kinds AS (
  SELECT *, coalesce({_KIND}, 'charge') AS kind, {first_match(rules.rules)} AS rule,
    {value_of(rules.environment)} AS environment
  FROM charges
), told AS (
  SELECT currency, kind, rule, {_tenant_key(rules)} AS tenant_key, environment, service, resource_type,
    CASE WHEN kind IN ('capacity', 'storage') THEN resource END AS resource, billing_account, sub_account, region, sku,
    min(description) AS description, pricing_category, commitment, unit, {_counted(month)},
    sum(effective) FILTER (isodow(day) >= 6) AS weekend_cost, sum(quantity) AS quantity, sum(listed) AS listed,
    sum(effective) AS effective
  FROM kinds
  GROUP BY currency, kind, rule, tenant_key, environment, service, resource_type,
    CASE WHEN kind IN ('capacity', 'storage') THEN resource END, billing_account, sub_account, region, sku,
    pricing_category, commitment, unit
), placed AS (
  SELECT told.*, {_tenant_id()} AS tenant_id, coalesce(methods.method, 'residual') AS method,
    row_number() OVER (PARTITION BY told.currency, told.kind ORDER BY told.effective DESC, told.resource, told.sku,
      told.tenant_key, told.service, told.region, told.sub_account, told.unit, told.commitment, told.environment,
      told.rule, told.resource_type, told.billing_account, told.pricing_category) AS place
  FROM told LEFT JOIN methods ON methods.rule = told.rule
  LEFT JOIN names ON names.rule = told.rule AND names.value = told.tenant_key
)
SELECT 'resource' AS "Section", {_columns(_SINGLY, summed=False)} FROM placed WHERE place <= {listed}
UNION ALL
SELECT 'other' AS "Section", {_columns(_SUMMED, summed=True)} FROM placed WHERE place > {listed}
GROUP BY currency, kind, {_SUMMED}
UNION ALL
SELECT 'day' AS "Section", {_of_days()}
FROM kinds WHERE ({_eligible()} OR kind IN ('committed', 'unused') AND commitment IS NOT NULL)
  AND day BETWEEN DATE '{month}' AND last_day(DATE '{month}')
GROUP BY currency, kind, service, billing_account, region, commitment, unit, day"""


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


def _tenant_id() -> str:
    own = f"regexp_full_match(told.tenant_key, '{TENANT_ID}')"
    return f"CASE WHEN methods.mapped THEN names.tenant WHEN {own} THEN told.tenant_key END"


def _counted(month: date) -> str:
    """The number of different days, and of those on a weekend, each counted in the bits of one number."""
    bit = f"CAST(1 AS BIGINT) << greatest(0, least(62, day - DATE '{month}'))::INTEGER"
    return (
        f"bit_count(bit_or({bit})) AS days, coalesce(bit_count(bit_or({bit}) FILTER (isodow(day) >= 6)), 0)"
        " AS weekend_days"
    )


def _columns(told: str, *, summed: bool) -> str:
    """The dataset's columns after Section, and the tenant; what is not told is NULL."""
    known = {name.strip() for name in told.split(",")}
    texts = {
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
        "x_Method": "method",
    }
    columns = [
        f'{ours if ours in known else "CAST(NULL AS VARCHAR)"} AS "{name}"' for name, ours in texts.items()
    ]  # fmt: skip
    add = "sum({})" if summed else "{}"
    counts = "CAST(NULL AS BIGINT)" if summed else ""
    return ", ".join(
        [
            'kind AS "Kind"',
            'currency AS "BillingCurrency"',
            *columns,
            'CAST(NULL AS DATE) AS "Day"',
            f'{counts or "CAST(days AS BIGINT)"} AS "Days"',
            f'{counts or "CAST(weekend_days AS BIGINT)"} AS "WeekendDays"',
            f'{_money(add.format("weekend_cost"))} AS "WeekendCost"',
            f'{_money(add.format("quantity"))} AS "ConsumedQuantity"',
            'unit AS "ConsumedUnit"',
            f'{_money(add.format("listed"))} AS "ListCost"',
            f'{_money(add.format("effective"))} AS "EffectiveCost"',
            f'{"count(*)" if summed else "CAST(1 AS BIGINT)"} AS "Groups"',
            f"{'tenant_id' if 'tenant_id' in known else 'CAST(NULL AS VARCHAR)'} AS tenant_id",
        ]
    )


def _of_days() -> str:
    no_text, no_count = "CAST(NULL AS VARCHAR)", "CAST(NULL AS BIGINT)"
    return f"""CASE kind WHEN 'unused' THEN kind WHEN 'committed' THEN 'used' ELSE 'on_demand' END, currency, service,
  {no_text}, {no_text}, billing_account, {no_text}, region, {no_text}, {no_text}, {no_text}, commitment,
  {no_text}, {no_text}, day, {no_count}, {no_count}, {_money("NULL")}, {_money("sum(quantity)")}, unit,
  {_money("sum(listed)")}, {_money("sum(effective)")}, count(*), {no_text}"""


def _eligible() -> str:
    """What is paid on demand, and a commitment is sold for."""
    plans = [
        f"(contains(lower(service), {literal(plan.service)}) AND contains(lower(unit), {literal(plan.unit)}))"
        for plan in PLANS
    ]
    return f"(kind IN ('capacity', 'metered') AND {_ON_DEMAND} AND ({' OR '.join(plans)}))"


def _money(number: str) -> str:
    return f"CAST({number} AS {MONEY})"
