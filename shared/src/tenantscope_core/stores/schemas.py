"""The datasets that servers share, column by column; tenant_id and month stand beside these in every table."""

from collections.abc import Mapping
from dataclasses import dataclass

TENANT_ID = "[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
"""What a tenant id is, whole; as a pattern that Python and both engines read alike."""
QUANTITY = "DECIMAL(38,6)"
MONEY = "DECIMAL(38,12)"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset's name and its columns with their SQL types, in the spelling that DuckDB and Athena share."""

    name: str
    columns: Mapping[str, str]


USAGE = Dataset("usage", {"day": "DATE", "metric": "VARCHAR", "quantity": QUANTITY, "unit": "VARCHAR"})

FEATURE_USAGE = Dataset(
    "feature_usage",
    {
        "day": "DATE",
        "feature": "VARCHAR",
        "action": "VARCHAR",
        "calls": "BIGINT",
        "users": "BIGINT",
        "errors": "BIGINT",
        "p50_ms": "DOUBLE",
        "p95_ms": "DOUBLE",
        "bytes": "BIGINT",
    },
)

LLM_USAGE = Dataset(
    "llm_usage",
    {
        "day": "DATE",
        "model": "VARCHAR",
        "feature": "VARCHAR",
        "agent": "VARCHAR",
        "tokens_in": "BIGINT",
        "tokens_out": "BIGINT",
        "tokens_cached": "BIGINT",
        "requests": "BIGINT",
        "cost": MONEY,
    },
)

REVENUE = Dataset("revenue", {"plan": "VARCHAR", "line": "VARCHAR", "amount": MONEY, "currency": "VARCHAR"})

ALLOCATED_COST = Dataset(
    "allocated_cost",
    {
        "ChargePeriodStart": "DATE",
        "ChargePeriodEnd": "DATE",
        "ServiceName": "VARCHAR",
        "x_Feature": "VARCHAR",
        "x_Environment": "VARCHAR",
        "ChargeCategory": "VARCHAR",
        "ChargeClass": "VARCHAR",
        "ChargeFrequency": "VARCHAR",
        "SubAccountId": "VARCHAR",
        "InvoiceId": "VARCHAR",
        "BillingCurrency": "VARCHAR",
        "x_Method": "VARCHAR",
        "x_Rule": "VARCHAR",
        "EffectiveCost": MONEY,
        "BilledCost": MONEY,
        "ConsumedQuantity": "DECIMAL(38,12)",
        "ConsumedUnit": "VARCHAR",
        "AllocatedMethodId": "VARCHAR",
        "AllocatedMethodDetails": "VARCHAR",
    },
)

MARGIN = Dataset(
    "margin",
    {
        "currency": "VARCHAR",
        "revenue": MONEY,
        "cost": MONEY,
        "margin": MONEY,
        "tier": "VARCHAR",
        "persona": "VARCHAR",
        "plan": "VARCHAR",
    },
)
"""One row for each tenant and currency of a month; the fleet's has one without a tenant for what is nobody's cost."""

SEGMENTS = Dataset("segments", {"persona": "VARCHAR", "distance": "DOUBLE", "drivers": "VARCHAR"})
