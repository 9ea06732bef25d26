"""What is kept of an allocation beside its rows: the rules, what each consumed, and the tie to every invoice."""

from dataclasses import dataclass
from decimal import Decimal

from tenantscope_core.stores.schemas import MONEY, Dataset

from tenantscope_cost_explorer.allocation.charges import literal
from tenantscope_cost_explorer.allocation.gathering import NOBODY
from tenantscope_cost_explorer.allocation.rules import RuleSet

ALLOCATION_REPORT = Dataset(
    "allocation_report",
    {
        "Section": "VARCHAR",
        "Name": "VARCHAR",
        "Position": "BIGINT",
        "Method": "VARCHAR",
        "BillingCurrency": "VARCHAR",
        "Charges": "BIGINT",
        "EffectiveCost": MONEY,
        "BilledCost": MONEY,
        "AllocatedEffectiveCost": MONEY,
        "AllocatedBilledCost": MONEY,
        "ResidualEffectiveCost": MONEY,
        "ResidualBilledCost": MONEY,
        "Detail": "VARCHAR",
    },
)
"""One row for the rules (Name: version, Detail: text), one a rule and currency, one an invoice; of the fleet only."""


@dataclass(frozen=True, slots=True)
class RuleSum:
    """EffectiveCost that one rule consumed in one currency: `cost` = `allocated` + `residual`."""

    rule: str
    method: str
    currency: str
    charges: int
    cost: Decimal
    allocated: Decimal
    residual: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceSum:
    """BilledCost of one invoice, as billed and as allocated."""

    invoice: str
    currency: str
    billed: Decimal
    allocated: Decimal
    residual: Decimal

    @property
    def difference(self) -> Decimal:
        """What is missing from or too much in the allocation; zero."""
        return self.billed - self.allocated - self.residual


_SUMS = "sum(effective) AS effective, sum(billed) AS billed, sum(quantity) AS quantity"
SUMS = f"""
CREATE OR REPLACE TABLE sums AS
SELECT rule_name, invoice, currency, given, {_SUMS}
FROM (SELECT cell, tenant <> {NOBODY} AS given, {_SUMS} FROM entries GROUP BY ALL) JOIN cells USING (cell)
GROUP BY ALL"""
"""What came to tenants and what did not, by rule and invoice."""

UNBALANCED = f"""
SELECT coalesce(bill.invoice, found.invoice) FROM bill
FULL JOIN (
  SELECT invoice, currency, {_SUMS} FROM sums GROUP BY ALL
) AS found
  ON found.invoice = bill.invoice AND found.currency = bill.currency
WHERE coalesce(bill.effective, 0) <> coalesce(found.effective, 0)
  OR coalesce(bill.billed, 0) <> coalesce(found.billed, 0)
  OR coalesce(bill.quantity, 0) <> coalesce(found.quantity, 0)
ORDER BY 1"""
"""The invoices whose allocated and residual rows do not sum to the bill; there must be none.

The sum of quantities, in whatever units, means nothing, but none must get lost.
"""


ALLOCATED_ROWS = """
SELECT tenant_number, tenant AS tenant_id, day AS "ChargePeriodStart", day_end AS "ChargePeriodEnd",
  service AS "ServiceName", feature AS "x_Feature", environment AS "x_Environment", charge_category AS "ChargeCategory",
  charge_class AS "ChargeClass", charge_frequency AS "ChargeFrequency", sub_account AS "SubAccountId",
  invoice AS "InvoiceId", currency AS "BillingCurrency", method AS "x_Method", rule_name AS "x_Rule",
  effective AS "EffectiveCost", billed AS "BilledCost",
  quantity AS "ConsumedQuantity", unit AS "ConsumedUnit", method_id AS "AllocatedMethodId",
  details AS "AllocatedMethodDetails"
FROM allocated"""
"""The rows of `allocated_cost`; FOCUS says how one origin charge was shared in AllocatedMethodDetails."""


def report_rows(rules: RuleSet) -> str:
    """The rows of `allocation_report` of a month, from what `compile_allocation` leaves."""
    nothing = "CAST(NULL AS DECIMAL(38,12))"
    return f"""
SELECT 'rules' AS "Section", {literal(rules.version)} AS "Name", 0 AS "Position", CAST(NULL AS VARCHAR) AS "Method",
  CAST(NULL AS VARCHAR) AS "BillingCurrency", (SELECT CAST(sum(charges) AS BIGINT) FROM bill) AS "Charges",
  {nothing} AS "EffectiveCost", {nothing} AS "BilledCost", {nothing} AS "AllocatedEffectiveCost",
  {nothing} AS "AllocatedBilledCost", {nothing} AS "ResidualEffectiveCost", {nothing} AS "ResidualBilledCost",
  {literal(rules.text)} AS "Detail"
UNION ALL
SELECT 'rule', coalesce(consumed.rule_name, ''), coalesce(rule, 1000000), kind, consumed.currency, charges,
  consumed.effective, consumed.billed,
  coalesce(given.effective, 0), coalesce(given.billed, 0),
  coalesce(kept.effective, 0), coalesce(kept.billed, 0), NULL
FROM consumed
LEFT JOIN ({_sums("rule_name", "given")}) AS given
  ON given.rule_name IS NOT DISTINCT FROM consumed.rule_name AND given.currency = consumed.currency
LEFT JOIN ({_sums("rule_name", "NOT given")}) AS kept
  ON kept.rule_name IS NOT DISTINCT FROM consumed.rule_name AND kept.currency = consumed.currency
UNION ALL
SELECT 'invoice', bill.invoice, 0, NULL, bill.currency, CAST(charges AS BIGINT), bill.effective, bill.billed,
  coalesce(given.effective, 0), coalesce(given.billed, 0),
  coalesce(kept.effective, 0), coalesce(kept.billed, 0), NULL
FROM bill
LEFT JOIN ({_sums("invoice", "given")}) AS given
  ON given.invoice = bill.invoice AND given.currency = bill.currency
LEFT JOIN ({_sums("invoice", "NOT given")}) AS kept
  ON kept.invoice = bill.invoice AND kept.currency = bill.currency"""


def _sums(by: str, which: str) -> str:
    return (
        f"SELECT {by}, currency, sum(effective) AS effective, sum(billed) AS billed FROM sums"
        f" WHERE {which} GROUP BY ALL"
    )
