"""What the cloud charges the company: every kind of charge that an allocation must cope with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np

from .activity import Floats, Ints, generator
from .charges import Bill, Charges, Shape
from .columns import fetch_columns
from .features import FEATURE_NAMES
from .periods import DAYS, MONTHS, day_number, days_of
from .skus import ACCOUNTS, BILLING_ACCOUNTS, COST_SCALE, PROD_EU, PROD_US, SECURITY, SILO, SKUS, STAGING, sku_index
from .tenants import CHURNER, SILO_TENANT, SPIKING, TENANTS, tenant_index
from .usage import LANGUAGE_MODELS

CENT = COST_SCALE // 100
SAVINGS_PLAN = "arn:aws:savingsplans::100000000001:savingsplan/3d0c5f0e-6f7b-4f2e-9a51-8c8f2c7f1a10"
RESERVATION = "arn:aws:rds:us-east-1:210000000001:ri:wayfarer-shared-db"
COMMITTED_PER_HOUR = 40 * CENT
SAVINGS_PLAN_RATE = 0.72
"""Price under the savings plan as a share of the list price."""
TAX_PERCENT = {"100000000001": 7, "100000000002": 4}
SUPPORT_PERCENT = 5
SPIKE_SKU, SPIKE_FACTOR = "transfer_out", 8
SPIKE_DAYS = tuple(date(2026, 9, day) for day in range(8, 12))
"""Days on which a retry loop in one tenant's integration fetched everything over and over, eight times its usual."""


@dataclass(frozen=True, slots=True)
class Metered:
    """What the meters say, by tenant and day (features and models: of the whole fleet, by day)."""

    requests: Floats
    stored: Floats
    feature_calls: Floats
    tokens: Mapping[str, Ints]


def read_meters(connection: duckdb.DuckDBPyConnection) -> Metered:
    """The usage that drives quantities on the bill."""

    def grid(sql: str, rows: int) -> Floats:
        found = fetch_columns(connection, sql)
        values = np.zeros((rows, len(DAYS)))
        values[found["row"].astype(np.int64), found["day"].astype(np.int64)] = found["value"].astype(np.float64)
        return values

    day = f"(day - DATE '{DAYS[0]}')::INTEGER AS day"
    by_tenant = f"SELECT tenant AS row, {day}, quantity::DOUBLE AS value FROM usage JOIN tenant USING (tenant_id)"
    features = ", ".join(f"'{name}'" for name in FEATURE_NAMES)
    tokens: dict[str, Ints] = {}
    for model in LANGUAGE_MODELS:
        for part in ("in", "out", "cached"):
            sql = (
                f"SELECT 0 AS row, {day}, sum(tokens_{part})::DOUBLE AS value"
                f" FROM llm_usage WHERE model = '{model}' GROUP BY ALL"
            )
            tokens[f"{model}:{part}"] = grid(sql, 1)[0].astype(np.int64)
    return Metered(
        requests=grid(f"{by_tenant} WHERE metric = 'requests'", len(TENANTS)),
        stored=grid(f"{by_tenant} WHERE metric = 'storage_gb_hours'", len(TENANTS)),
        feature_calls=grid(
            f"SELECT list_position([{features}], feature) - 1 AS row, {day}, sum(calls)::DOUBLE AS value"
            " FROM feature_usage GROUP BY ALL", len(FEATURE_NAMES),
        ),
        tokens=tokens,
    )  # fmt: skip


def charges(metered: Metered) -> list[Charges]:
    """The whole bill."""
    bill = Bill()
    _tenants_own(bill, metered)
    _models(bill, metered)
    _features(bill, metered)
    _platform(bill, metered)
    _security(bill, metered)
    _nobodys(bill, metered)
    _savings_plan(bill, metered)
    _corrections(bill)
    _support(bill)
    _tax(bill)
    return bill.parts


def _tenants_own(bill: Bill, metered: Metered) -> None:
    """Resources of one tenant, tagged with it; those of the silo tenant lie in its own account, untagged."""
    rng = generator("own resources")
    per_request = {"ddb_read": 3600, "ddb_write": 760, "lambda": 110, "logs": 0.004, "transfer_out": 0.05, "sqs": 420}
    for number, tenant in enumerate(TENANTS):
        silo = tenant.id == SILO_TENANT
        account = SILO if silo else PROD_EU if tenant.eu else PROD_US
        kind = "silo" if silo else "direct"
        used = np.flatnonzero(metered.requests[number])
        owner = -1 if silo else number
        shape = Shape(environment="prod")
        requests = metered.requests[number, used]
        for sku, quantity in per_request.items():
            quantities = requests * quantity * np.exp(0.12 * rng.standard_normal(len(used)))
            if tenant.id == SPIKING and sku == SPIKE_SKU:
                spiking = np.isin(used, [day_number(day) for day in SPIKE_DAYS])
                quantities[spiking] = np.round(quantities[spiking], 2) * SPIKE_FACTOR
            bill.metered(kind, sku, quantities, account=account, day=used, tenant=owner, shape=shape)
        stored = metered.stored[number].copy()
        if tenant.id == CHURNER:  # what it left behind is still there
            stored[used[-1] + 1 :] = stored[used[-1]]
        kept = np.flatnonzero(stored)
        bill.metered(kind, "s3_storage", stored[kept], account=account, day=kept, tenant=owner, shape=shape)
        if tenant.tier != "starter":
            instance = "rds_large" if tenant.tier == "enterprise" else "rds_medium"
            bill.metered(kind, instance, 24.0, account=account, day=used, tenant=owner, shape=shape)


def _models(bill: Bill, metered: Metered) -> None:
    """Language models, charged for the whole fleet; before the launch a trial without any metered tokens."""
    names = {"anthropic.claude-sonnet-4-5": "sonnet", "amazon.nova-lite": "nova"}
    for model, (feature, _, _) in LANGUAGE_MODELS.items():
        for part in ("in", "out", "cached"):
            sku = f"{names[model]}_{part}"
            tokens = metered.tokens[f"{model}:{part}"]
            used = np.flatnonzero(tokens)
            cost = tokens[used] * SKUS[sku_index(sku)].price * (COST_SCALE // 10**8) // 1000
            bill.priced(
                "model", sku, cost, quantity=tokens[used] / 1000, account=PROD_US, day=used,
                feature=FEATURE_NAMES.index(feature), shape=Shape(environment="prod"),
            )  # fmt: skip
    trial = np.array(days_of("2026-01"))[14:]
    bill.metered("model", "sonnet_in", 900.0 + 10 * (trial % 7), account=PROD_US, day=trial)


def _features(bill: Bill, metered: Metered) -> None:
    """Shared functions that serve one feature each."""
    shape = Shape(shared="platform", environment="prod")
    for number in range(len(FEATURE_NAMES)):
        calls = metered.feature_calls[number]
        bill.metered("feature", "lambda_warm", 60_000 + 700 * calls, account=PROD_US, feature=number, shape=shape)


def _platform(bill: Bill, metered: Metered) -> None:
    """What all tenants share, in two regions and in staging, and a goodwill refund for an outage."""
    rng = generator("platform")
    eu = np.array([tenant.eu for tenant in TENANTS])
    prod = Shape(shared="platform", environment="prod")
    for account, load in ((PROD_US, metered.requests[~eu].sum(axis=0)), (PROD_EU, metered.requests[eu].sum(axis=0))):
        spread = np.exp(0.05 * rng.standard_normal(len(DAYS)))
        size = 1.0 if account == PROD_US else 0.5
        for sku, quantity in {
            "aurora": 60 * size + load * 0.07 * spread,
            "cache": np.full(len(DAYS), 24.0 * (4 if account == PROD_US else 2)),
            "api_gateway": load * 900,
            "load_balancer": np.full(len(DAYS), 48.0 * size),
            "nat": 40 * size + load * 0.06 * spread,
            "cdn": 30 * size + load * 0.09 * spread,
            "opensearch": np.full(len(DAYS), 24.0 * (4 if account == PROD_US else 2)),
            "fargate": 60 * size + load * 0.03,
            "logs": 4 * size + load * 0.0015 * spread,
            "waf": load * 1400,
        }.items():
            bill.metered("platform", sku, quantity, account=account, shape=prod)
    staging = Shape(shared="platform", environment="staging")
    for sku, hours in {"fargate": 72.0, "cache": 24.0, "opensearch": 24.0, "rds_medium": 24.0}.items():
        bill.metered("platform", sku, hours, account=STAGING, shape=staging)
    reserved = Shape(
        shared="platform", environment="prod", pricing="Committed", commitment=RESERVATION, commitment_status="Used"
    )
    listed = 24 * SKUS[sku_index("rds_shared")].price * (COST_SCALE // 10**8)
    bill.priced(
        "platform", "rds_shared", 1000 * CENT, billed=0, listed=listed, quantity=24.0, account=PROD_US, shape=reserved
    )
    upfront = Shape(category="Purchase", frequency="One-Time", pricing="Standard", commitment=RESERVATION,
                    description="All Upfront reserved db.r6g.2xlarge, 1 year")  # fmt: skip
    paid = len(DAYS) * 1000 * CENT
    bill.priced("purchase", "rds_shared", 0, billed=paid, listed=paid, account=PROD_US, day=0, shape=upfront)
    refund = Shape(shared="platform", environment="prod", category="Adjustment", frequency="One-Time", pricing=None,
                   description="Service level refund, Amazon Aurora, 2026-03-09")  # fmt: skip
    bill.priced("platform", "aurora", -8540 * CENT, account=PROD_US, day=days_of("2026-03")[8], shape=refund)


def _security(bill: Bill, metered: Metered) -> None:
    """What protects every tenant alike."""
    shape = Shape(shared="security", environment="prod")
    load = metered.requests.sum(axis=0)
    for sku, quantity in {"guardduty": 200_000 + 60 * load, "config": 260 + load * 0.01, "kms": 24.0 * 45}.items():
        bill.metered("security", sku, np.broadcast_to(quantity, len(DAYS)), account=SECURITY, shape=shape)


def _nobodys(bill: Bill, metered: Metered) -> None:
    """Charges without any tag: what is left over when all rules have spoken."""
    load = metered.requests.sum(axis=0)
    for account in (PROD_US, PROD_EU, STAGING):
        share = {PROD_US: 1.0, PROD_EU: 0.4, STAGING: 0.1}[account]
        bill.metered("none", "transfer_az", share * (60 + load * 0.05), account=account)
        bill.metered("none", "ebs", share * 24 * 800, account=account)
    bill.metered("none", "route53", load * 800, account=PROD_US)
    weekdays = np.flatnonzero([day.weekday() < 5 for day in DAYS])
    bill.metered("none", "ec2", 14.0, account=STAGING, day=weekdays)


def _savings_plan(bill: Bill, metered: Metered) -> None:
    """A compute savings plan: paid by the day, used as far as the load goes, the rest unused."""
    commitment = COMMITTED_PER_HOUR * 24
    load = metered.requests.sum(axis=0)
    fargate = SKUS[sku_index("fargate")]
    rate = round(fargate.price * SAVINGS_PLAN_RATE)
    hundredths = np.minimum(np.rint((130 + load * 0.06) * 100).astype(np.int64), commitment // rate)
    used = Shape(shared="platform", environment="prod", pricing="Committed", commitment=SAVINGS_PLAN,
                 commitment_status="Used")  # fmt: skip
    bill.priced(
        "platform", "fargate", hundredths * rate, billed=0, listed=hundredths * fargate.price,
        quantity=hundredths / 100, account=PROD_US, shape=used,
    )  # fmt: skip
    unused = Shape(pricing="Committed", commitment=SAVINGS_PLAN, commitment_status="Unused")
    left = commitment - hundredths * rate
    some = np.flatnonzero(left)
    bill.priced("unused", "savings_plan", left[some], billed=0, listed=0, quantity=left[some] / COMMITTED_PER_HOUR,
                account=PROD_US, day=some, shape=unused)  # fmt: skip
    fee = Shape(category="Purchase", frequency="Recurring", commitment=SAVINGS_PLAN)
    bill.priced("purchase", "savings_plan", 0, billed=commitment, listed=commitment, quantity=24.0, account=PROD_US,
                shape=fee)  # fmt: skip


def _corrections(bill: Bill) -> None:
    """Promotional credits of the first months, and a late correction of an earlier month."""
    credit = Shape(category="Credit", frequency="One-Time", pricing=None)
    for month, cents in {"2025-11": 24_000, "2025-12": 20_000, "2026-01": 15_000, "2026-02": 7_500}.items():
        bill.priced("credit", "credit", -cents * CENT, account=PROD_US, day=days_of(month)[0], shape=credit)
    late = Shape(environment="prod", charge_class="Correction",
                 description="Correction of db.t4g.medium hours of 2026-05-04 to 2026-05-11")  # fmt: skip
    bill.priced(
        "direct", "rds_medium", -1248 * CENT, quantity=-192.0, account=PROD_US, tenant=tenant_index("globex"),
        day=days_of("2026-05")[10], month=MONTHS.index("2026-06"), shape=late,
    )  # fmt: skip


def _accounts_of(billing_account: str) -> set[int]:
    return {number for number, one in enumerate(ACCOUNTS) if one.billing_account == billing_account}


def _support(bill: Bill) -> None:
    """A monthly fee per billing account, in whole cents."""
    shape = Shape(category="Purchase", frequency="Recurring", whole_month=True)
    first = {PROD_US: "100000000001", PROD_EU: "100000000002"}
    for account, billing_account in first.items():
        spent = bill.billed_by_month(_accounts_of(billing_account))
        fee = np.maximum(spent * SUPPORT_PERCENT // 100 // CENT, 2_900) * CENT
        days = np.array([days_of(month)[0] for month in MONTHS])
        bill.priced("support", "support", fee, quantity=fee / COST_SCALE, account=account, day=days, shape=shape)


def _tax(bill: Bill) -> None:
    """Tax per sub-account; the last one of an invoice brings its total to a whole cent."""
    shape = Shape(category="Tax", frequency="Recurring", pricing=None, whole_month=True)
    days = np.array([days_of(month)[0] for month in MONTHS])
    for billing_account in BILLING_ACCOUNTS:
        accounts = sorted(_accounts_of(billing_account))
        percent = TAX_PERCENT[billing_account]
        subtotal = bill.billed_by_month(set(accounts))
        total = -(-subtotal * (100 + percent) // (100 * CENT)) * CENT
        left = total - subtotal
        for account in accounts[1:]:
            tax = bill.billed_by_month({account}) * percent // (100 * CENT) * CENT
            bill.priced("tax", "tax", tax, account=account, day=days, shape=shape)
            left = left - tax
        bill.priced("tax", "tax", left, account=accounts[0], day=days, shape=shape)


def invoice_totals(parts: list[Charges]) -> dict[tuple[str, str], int]:
    """BilledCost by (billing account, month), in 1e-10 dollars."""
    totals: dict[tuple[str, str], int] = {}
    for billing_account in BILLING_ACCOUNTS:
        accounts = list(_accounts_of(billing_account))
        for number, month in enumerate(MONTHS):
            totals[billing_account, month] = sum(
                int(part.billed[(part.month == number) & np.isin(part.account, accounts)].sum()) for part in parts
            )
    return totals
