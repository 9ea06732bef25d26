"""Rows of `allocated_cost` as rows of FOCUS 1.3's Cost and Usage, with its columns for split cost allocation.

A charge that came to one tenant, or to nobody, stays what it is. A shared one becomes a row for each tenant: with the
dimensions of its origin, ratios that sum to 1 over the origin, and metrics that sum to the origin's. What went by
features first has one element a feature in AllocatedMethodDetails. What of such a charge nobody's use can be found for
has the resource `(residual)`, which is no tenant id, so that the ratios remain whole.

AllocatedMethodId is the rule, which is one for all rows of an origin. `x_SplitOriginId` and `x_SplitOriginCost` (in
BilledCost) tell the origin, for which FOCUS has no columns. Columns of FOCUS that a sum over charges cannot have, such
as SkuId and ListCost, are not there.
"""

from tenantscope_cost_explorer.allocation.charges import literal
from tenantscope_cost_explorer.allocation.sharing import CASCADED

NOBODY = "(residual)"
_HEAD, _TAIL = '{"Elements":[', "]}"
_ORIGIN = """"ChargePeriodStart", "ChargePeriodEnd", "ServiceName", "x_Environment", "ChargeCategory", "ChargeClass",
  "ChargeFrequency", "SubAccountId", "InvoiceId", "BillingCurrency", "x_Rule", "ConsumedUnit\""""


def focus_rows(table: str) -> str:
    """The query that makes them, in DuckDB's SQL, of a relation with the fleet's columns of `allocated_cost`."""
    feature = f"""CASE WHEN contains("AllocatedMethodId", {literal(CASCADED)}) THEN NULL ELSE "x_Feature" END"""
    return f"""
WITH parts AS (
  SELECT * REPLACE ({feature} AS "x_Feature"), "x_Feature" AS part, "AllocatedMethodId" IS NOT NULL AS split,
    "AllocatedMethodDetails" AS details
  FROM {table}
), rows AS (
  SELECT {_ORIGIN}, "x_Feature", split, tenant_id, sum("EffectiveCost") AS "EffectiveCost",
    sum("BilledCost") AS "BilledCost", sum("ConsumedQuantity") AS "ConsumedQuantity",
    string_agg(substr(details, {len(_HEAD) + 1}, length(details) - {len(_HEAD) + len(_TAIL)}), ',' ORDER BY part)
      AS elements,
    CASE count(DISTINCT "x_Method") WHEN 1 THEN min("x_Method") END AS "x_Method"
  FROM parts GROUP BY {_ORIGIN}, "x_Feature", split, tenant_id
)
SELECT CAST("ChargePeriodStart" AS TIMESTAMP) AS "ChargePeriodStart",
  CAST("ChargePeriodEnd" AS TIMESTAMP) AS "ChargePeriodEnd", "ServiceName", "ChargeCategory", "ChargeClass",
  "ChargeFrequency", "SubAccountId", "InvoiceId", "BillingCurrency", "BilledCost", "EffectiveCost", "ConsumedQuantity",
  "ConsumedUnit", CASE WHEN split THEN "x_Rule" END AS "AllocatedMethodId",
  CASE WHEN split THEN {literal(_HEAD)} || elements || {literal(_TAIL)} END AS "AllocatedMethodDetails",
  CASE WHEN split THEN coalesce(tenant_id, {literal(NOBODY)}) END AS "AllocatedResourceId",
  CASE WHEN split THEN coalesce(tenant_id, {literal(NOBODY)}) END AS "AllocatedResourceName",
  CASE WHEN split AND tenant_id IS NOT NULL THEN json_object('tenant', tenant_id) END AS "AllocatedTags",
  tenant_id AS "x_TenantId", "x_Feature", "x_Environment", "x_Method", "x_Rule",
  CASE WHEN split THEN md5(CAST(json_array({_ORIGIN}, "x_Feature") AS VARCHAR)) END AS "x_SplitOriginId",
  CASE WHEN split THEN sum("BilledCost") OVER (PARTITION BY {_ORIGIN}, "x_Feature", split) END AS "x_SplitOriginCost"
FROM rows"""
