"""CUR 2.0, the table COST_AND_USAGE_REPORT of AWS Data Exports, in FOCUS terms.

BilledCost is the unblended cost of every row: what the invoice is made of. EffectiveCost is amortised, by the type of
the line, as AWS's Cost and Usage Report guide amortises reservations and Savings plans (its pages on line item,
reservation and Savings Plans columns): a covered hour costs what the commitment costs it, the recurring fee is what of
the commitment was not used, an upfront fee and the negation of covered usage are nothing.

Net columns are not read: what they take off is on the bill as rows of its own (EdpDiscount and the like), and both
together would count a discount twice. Tags lose the prefix that CUR puts before them (`user_`, `resourceTag/`), unless
two then had one name. Splits of containers are in `split`.
"""

from collections.abc import Mapping, Sequence

from tenantscope_core.stores.sql_text import string_literal

from tenantscope_cost_explorer.sources.exports.columns import (
    NO_NUMBER,
    NO_TEXT,
    charge_rows,
    day,
    day_end,
    is_time,
    month,
    number,
    pairs,
    text,
    time,
)
from tenantscope_cost_explorer.sources.exports.files import BillFile, Schema
from tenantscope_cost_explorer.sources.exports.split import OWN_COLUMNS, split_tables, with_splits

_TYPE = "line_item_line_item_type"
_COST = "line_item_unblended_cost"
_START, _END = "line_item_usage_start_date", "line_item_usage_end_date"
_PARENT = "split_line_item_parent_resource_id"
_RESERVED = "reservation_effective_cost"
_PLANNED = "savings_plan_savings_plan_effective_cost"
_UNUSED_RESERVED = ("reservation_unused_amortized_upfront_fee_for_billing_period", "reservation_unused_recurring_fee")
_COMMITTED, _USED = "savings_plan_total_commitment_to_date", "savings_plan_used_commitment"
_TEXTS = {
    "sub_account": "line_item_usage_account_id",
    "billing_account": "bill_payer_account_id",
    "resource": "line_item_resource_id",
    "region": "product_region_code",
    "description": "line_item_line_item_description",
    "sku": "product_sku",
    "unit": "pricing_unit",
    "iam_principal": "line_item_iam_principal",
    "user_identifier": "line_item_user_identifier",
}
_PREFIX = "^(resourceTag/)?(user[_:])?"
_NO_TIME = "CAST(NULL AS TIMESTAMP)"
_USAGE = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation")
_CATEGORIES = {
    "Tax": ("Tax",),
    "Credit": ("Credit",),
    "Purchase": ("Fee", "RIFee", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee"),
    "Usage": _USAGE,
}
_FREQUENCIES = {"Recurring": ("RIFee", "SavingsPlanRecurringFee"), "Usage-Based": _USAGE}
_SERVICES = {
    "AWSCloudTrail": "AWS CloudTrail",
    "AWSLambda": "AWS Lambda",
    "AWSELB": "Elastic Load Balancing",
    "AWSQueueService": "Amazon Simple Queue Service",
    "AWSSystemsManager": "AWS Systems Manager",
    "AmazonApiGateway": "Amazon API Gateway",
    "AmazonBedrock": "Amazon Bedrock",
    "AmazonCloudFront": "Amazon CloudFront",
    "AmazonDynamoDB": "Amazon DynamoDB",
    "AmazonEC2": "Amazon Elastic Compute Cloud",
    "AmazonECR": "Amazon EC2 Container Registry (ECR)",
    "AmazonECS": "Amazon Elastic Container Service",
    "AmazonEFS": "Amazon Elastic File System",
    "AmazonEKS": "Amazon Elastic Container Service for Kubernetes",
    "AmazonRDS": "Amazon Relational Database Service",
    "AmazonRoute53": "Amazon Route 53",
    "AmazonS3": "Amazon Simple Storage Service",
    "AmazonSNS": "Amazon Simple Notification Service",
    "AmazonStates": "AWS Step Functions",
    "AmazonVPC": "Amazon Virtual Private Cloud",
    "awskms": "AWS Key Management Service",
}
"""Services as FOCUS names them, for rows whose product has no name (taxes, credits, fees)."""


class Cur:
    """AWS's own format."""

    name = "CUR 2.0"
    required = (_COST, _TYPE, "line_item_currency_code", _START)
    faults: Mapping[str, str] = {
        _TYPE: "line_type IS NULL",
        _COST: "billed IS NULL OR (effective IS NULL AND line_type NOT IN"
        " ('DiscountedUsage', 'SavingsPlanCoveredUsage', 'RIFee', 'SavingsPlanRecurringFee'))",
        _RESERVED: "effective IS NULL AND line_type = 'DiscountedUsage'",
        _PLANNED: "effective IS NULL AND line_type = 'SavingsPlanCoveredUsage'",
        _UNUSED_RESERVED[1]: "effective IS NULL AND line_type = 'RIFee'",
        _COMMITTED: "effective IS NULL AND line_type = 'SavingsPlanRecurringFee'",
        _START: "day IS NULL",
        _END: "NOT end_read",
        "bill_billing_period_start_date": "month IS NULL",
        "line_item_currency_code": "currency IS NULL",
        "split_line_item_split_cost": "NOT share_read",
        "resource_tags": "NOT tags_read",
    }

    def knows(self, schema: Schema) -> bool:
        """Whether these are columns of this format."""
        return _COST in schema or _TYPE in schema

    def version(self, schema: Schema) -> str:
        """The name; there is one version."""
        return self.name

    def period(self, schema: Schema) -> str:
        """The column that says the billing period."""
        return "bill_billing_period_start_date" if "bill_billing_period_start_date" in schema else _START

    def rows(self, files: Sequence[BillFile], schema: Schema) -> str:
        """See `formats.Format.rows`."""
        kind = text(_TYPE, schema)
        spot = f"contains(coalesce({text('line_item_usage_type', schema)}, ''), 'SpotUsage')"
        values = {ours: text(name, schema) for ours, name in _TEXTS.items()} | {
            "month": month(files[0].month, self.period(schema), schema),
            "day": day(_START, schema),
            "day_end": day_end(_START, _END, schema),
            "invoice_id": text("bill_invoice_id", schema),
            "currency": text("line_item_currency_code", schema),
            "effective": _effective(schema),
            "billed": _own_cost(schema),
            "quantity": _quantity(schema),
            "listed": number("pricing_public_on_demand_cost", schema),
            "service": _service(schema),
            "charge_category": _named(kind, _CATEGORIES, "Adjustment"),
            "charge_class": f"CASE WHEN {kind} = 'Refund' THEN 'Correction' END",
            "charge_frequency": _named(kind, _FREQUENCIES, "One-Time"),
            "pricing_category": f"CASE WHEN {kind} IN ('DiscountedUsage', 'SavingsPlanCoveredUsage') THEN 'Committed'"
            f" WHEN {kind} = 'Usage' THEN CASE WHEN {spot} THEN 'Dynamic' ELSE 'Standard' END END",
            "commitment": f"coalesce({text('savings_plan_savings_plan_a_r_n', schema)},"
            f" {text('reservation_reservation_a_r_n', schema)})",
            "commitment_status": f"CASE WHEN {kind} IN ('DiscountedUsage', 'SavingsPlanCoveredUsage') THEN 'Used'"
            f" WHEN {kind} IN ('RIFee', 'SavingsPlanRecurringFee') THEN 'Unused' END",
        }
        end_read = is_time(_END, schema)
        beside = {"line_type": kind, "end_read": end_read or "true", **_split_columns(schema)}
        also = ["line_type IS NOT NULL", "share_read", *(["end_read"] if end_read else [])]
        return charge_rows(files, values, tags=_tags(schema), beside=beside, also=also)

    def tables(self, branches: Sequence[str]) -> Mapping[str, str]:
        """See `formats.Format.tables`."""
        return split_tables(_union(branches)) if _has_splits(branches) else {}

    def together(self, branches: Sequence[str]) -> str:
        """See `formats.Format.together`."""
        rows = _union(branches)
        return with_splits(rows) if _has_splits(branches) else f"SELECT * EXCLUDE ({OWN_COLUMNS}) FROM ({rows})"


def _union(branches: Sequence[str]) -> str:
    return " UNION ALL ".join(f"SELECT * EXCLUDE (line_type, end_read) FROM ({branch})" for branch in branches)


def _has_splits(branches: Sequence[str]) -> bool:
    return any(f'"{_PARENT}"' in branch for branch in branches)


def _own_cost(schema: Schema) -> str:
    """The unblended cost; nothing where a split row leaves it empty."""
    cost = number(_COST, schema)
    if _PARENT not in schema:
        return cost
    return f"CASE WHEN {text(_PARENT, schema)} IS NOT NULL AND {text(_COST, schema)} IS NULL THEN 0 ELSE {cost} END"


def _quantity(schema: Schema) -> str:
    """What was used; of a part, what it took of its instance's vCPU or memory."""
    used, part = number("line_item_usage_amount", schema), number("split_line_item_split_usage", schema)
    return f"CASE WHEN {text(_PARENT, schema)} IS NOT NULL THEN {part} ELSE {used} END"


def _effective(schema: Schema) -> str:
    unused = [f"coalesce({number(name, schema)}, 0)" for name in _UNUSED_RESERVED if name in schema]
    there = " OR ".join(f"{number(name, schema)} IS NOT NULL" for name in _UNUSED_RESERVED if name in schema)
    fee = f"CASE WHEN {there} THEN {' + '.join(unused)} END" if unused else NO_NUMBER
    upfront = f"{text('reservation_reservation_a_r_n', schema)} IS NOT NULL"
    kind = f'"{_TYPE}"'
    return f"""CAST(CASE {kind}
      WHEN 'DiscountedUsage' THEN {number(_RESERVED, schema)}
      WHEN 'SavingsPlanCoveredUsage' THEN {number(_PLANNED, schema)}
      WHEN 'RIFee' THEN {fee}
      WHEN 'SavingsPlanRecurringFee' THEN {number(_COMMITTED, schema)} - {number(_USED, schema)}
      WHEN 'SavingsPlanNegation' THEN 0
      WHEN 'SavingsPlanUpfrontFee' THEN 0
      WHEN 'Fee' THEN CASE WHEN {upfront} THEN 0 ELSE {_own_cost(schema)} END
      ELSE {_own_cost(schema)} END AS DECIMAL(38,12))"""


def _named(kind: str, names: Mapping[str, Sequence[str]], otherwise: str) -> str:
    cases = " ".join(
        f"WHEN {kind} IN ({', '.join(map(string_literal, types))}) THEN '{name}'" for name, types in names.items()
    )
    return f"CASE {cases} ELSE '{otherwise}' END"


def _service(schema: Schema) -> str:
    """The product's name, which FOCUS has as ServiceName; else that of the service, else its code."""
    code = text("line_item_product_code", schema)
    product, read = pairs("product", schema)
    named = f"CASE WHEN {read} THEN nullif({product}['product_name'], '') END" if "product" in schema else NO_TEXT
    names = " ".join(f"WHEN '{name}' THEN '{service}'" for name, service in _SERVICES.items())
    return f"coalesce({named}, {text('product_product_name', schema)}, CASE {code} {names} ELSE {code} END)"


def _tags(schema: Schema) -> tuple[str, str]:
    """Tags under the names that they were given; `tags` has those of `resource_tags` too, and others beside."""
    flat = [name for name in schema if name.startswith("resource_tags_")]
    if flat and not {"tags", "resource_tags"} & set(schema):
        keys = ", ".join(string_literal(name.removeprefix("resource_tags_")) for name in flat)
        tags, tags_read = f"map([{keys}], [{', '.join(text(name, schema) for name in flat)}])", "true"
    else:
        tags, tags_read = pairs("tags" if "tags" in schema else "resource_tags", schema)
    names = f"list_transform(map_keys({tags}), lambda name: regexp_replace(name, '{_PREFIX}', ''))"
    return f"coalesce(TRY(map({names}, map_values({tags}))), {tags})", tags_read


def _split_columns(schema: Schema) -> dict[str, str]:
    """What `split` needs: the resource a row is a part of, its part, when, and whether parts may be taken from it."""
    parts = [name for name in ("split_line_item_split_cost", "split_line_item_unused_cost") if name in schema]
    if _PARENT not in schema or not parts:
        return {"parent": NO_TEXT, "share": NO_NUMBER, "share_read": "true", "starts": _NO_TIME, "gives": "false"}
    parent = text(_PARENT, schema)
    operation, usage = text("line_item_operation", schema), text("line_item_usage_type", schema)
    runs = f"starts_with({operation}, 'RunInstances'), regexp_matches({usage}, '(Box|Spot|Dedicated|Host)Usage'), true"
    read = (f"({text(name, schema)} IS NULL OR {number(name, schema)} IS NOT NULL)" for name in parts)
    return {
        "parent": f"split_part({parent}, '/', -1)",
        "share": " + ".join(f"coalesce({number(name, schema)}, 0)" for name in parts),
        "share_read": " AND ".join(read),
        "starts": time(_START, schema),
        "gives": f"{parent} IS NULL AND \"{_TYPE}\" IN ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')"
        f" AND coalesce({runs})",
    }
