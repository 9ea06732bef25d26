"""FOCUS 1.0 to 1.4, as AWS Data Exports and other generators write it.

Columns are found by name, so one that a version adds or drops, or that a generator leaves empty, does no harm.
Where the generator split a charge itself (FOCUS 1.3's AllocatedResourceId and AllocatedTags), the parts replace their
origin in the export, and each is told by the tags and the resource that it came to.
"""

from collections.abc import Mapping, Sequence

from tenantscope_cost_explorer.sources.exports.columns import (
    charge_rows,
    day,
    day_end,
    is_time,
    month,
    number,
    pairs,
    text,
)
from tenantscope_cost_explorer.sources.exports.files import BillFile, Schema

_TEXTS = {
    "service": "ServiceName",
    "charge_category": "ChargeCategory",
    "charge_class": "ChargeClass",
    "sub_account": "SubAccountId",
    "billing_account": "BillingAccountId",
    "resource": "ResourceId",
    "region": "RegionId",
    "commitment_status": "CommitmentDiscountStatus",
    "description": "ChargeDescription",
    "charge_frequency": "ChargeFrequency",
    "pricing_category": "PricingCategory",
    "commitment": "CommitmentDiscountId",
    "sku": "SkuId",
    "resource_type": "ResourceType",
    "unit": "ConsumedUnit",
}


class Focus:
    """The FinOps Open Cost and Usage Specification."""

    name = "FOCUS"
    required = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart")
    faults: Mapping[str, str] = {
        "EffectiveCost": "effective IS NULL",
        "BilledCost": "billed IS NULL",
        "ChargePeriodStart": "day IS NULL",
        "ChargePeriodEnd": "NOT end_read",
        "BillingPeriodStart": "month IS NULL",
        "BillingCurrency": "currency IS NULL",
        "Tags": "NOT tags_read",
    }

    def knows(self, schema: Schema) -> bool:
        """Whether these are columns of this format."""
        return "BilledCost" in schema or "EffectiveCost" in schema

    def version(self, schema: Schema) -> str:
        """The name with the version, as far as the columns tell."""
        return "FOCUS 1.2 or later" if "InvoiceId" in schema else "FOCUS 1.0 or 1.1"

    def period(self, schema: Schema) -> str:
        """The column that says the billing period."""
        return "BillingPeriodStart" if "BillingPeriodStart" in schema else "ChargePeriodStart"

    def rows(self, files: Sequence[BillFile], schema: Schema) -> str:
        """See `formats.Format.rows`."""
        values = {ours: text(name, schema) for ours, name in _TEXTS.items()} | {
            "month": month(files[0].month, self.period(schema), schema),
            "day": day("ChargePeriodStart", schema),
            "day_end": day_end("ChargePeriodStart", "ChargePeriodEnd", schema),
            "invoice_id": text("InvoiceId", schema),
            "currency": text("BillingCurrency", schema),
            "effective": number("EffectiveCost", schema),
            "billed": number("BilledCost", schema),
            "quantity": number("ConsumedQuantity", schema),
            "listed": number("ListCost", schema),
        }
        tags, tags_read = pairs("Tags", schema)
        if "AllocatedResourceId" in schema:
            values["resource"] = f"coalesce({text('AllocatedResourceId', schema)}, {values['resource']})"
        if "AllocatedTags" in schema:
            own, own_read = pairs("AllocatedTags", schema)
            tags, tags_read = f"map_concat({tags}, {own})", f"{tags_read} AND {own_read}"
        end_read = is_time("ChargePeriodEnd", schema)
        beside = {"end_read": end_read or "true"}
        return charge_rows(files, values, tags=(tags, tags_read), beside=beside, also=["end_read"] if end_read else [])

    def tables(self, branches: Sequence[str]) -> Mapping[str, str]:
        """See `formats.Format.tables`; there are none."""
        return {}

    def together(self, branches: Sequence[str]) -> str:
        """See `formats.Format.together`."""
        return " UNION ALL ".join(f"SELECT * EXCLUDE (end_read) FROM ({branch})" for branch in branches)
