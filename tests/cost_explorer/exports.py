"""One random bill, written as each format writes it: FOCUS 1.0, FOCUS 1.2 and CUR 2.0, as Parquet and as packed CSV."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st
from tenantscope_cost_explorer.sources.exports import BillFile

MONTH = "2026-09"
FIRST, LAST = datetime(2026, 9, 1), datetime(2026, 10, 1)
FORMATS = ("FOCUS 1.0", "FOCUS 1.2", "CUR 2.0")
KINDS = ("parquet", "csv.gz")
EC2, BEDROCK = ("AmazonEC2", "Amazon Elastic Compute Cloud"), ("AmazonBedrock", "Amazon Bedrock")
SERVICES = (EC2, BEDROCK, ("AmazonS3", "Amazon Simple Storage Service"))
ZERO = Decimal(0)
PLAN = "arn:aws:savingsplans::210000000001:savingsplan/1"
RESERVED = "arn:aws:ec2:eu-west-1:210000000001:reserved-instances/1"


@dataclass(frozen=True)
class Part:
    """What AWS says that a task took of an instance: the cost of its share, and its share of what nobody used."""

    tags: Mapping[str, str]
    split: Decimal
    unused: Decimal = ZERO


@dataclass(frozen=True)
class Line:
    """One thing on the bill: `kind` is CUR's type of line, `cost` what it adds to the invoice.

    `amortised` is what a commitment makes of it where that differs, `discount` what is taken off beside it.
    """

    kind: str
    cost: Decimal
    amortised: Decimal = ZERO
    discount: Decimal = ZERO
    service: tuple[str, str] = EC2
    day: date = date(2026, 9, 1)
    account: str = "210000000002"
    payer: str = "210000000001"
    invoice: str | None = "INV-1"
    currency: str = "USD"
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    resource: str | None = None
    principal: str | None = None
    parts: tuple[Part, ...] = ()

    @property
    def effective(self) -> Decimal:
        """Its EffectiveCost."""
        match self.kind:
            case "DiscountedUsage" | "SavingsPlanCoveredUsage" | "RIFee" | "SavingsPlanRecurringFee":
                return self.amortised
            case "SavingsPlanUpfrontFee" | "ReservedFee":
                return ZERO
            case _:
                return self.cost - self.discount

    @property
    def billed(self) -> Decimal:
        """Its BilledCost; usage that a Savings Plan covers is taken off the invoice again."""
        return ZERO if self.kind == "SavingsPlanCoveredUsage" else self.cost - self.discount


def sums(lines: Iterable[Line], *, by_payer: bool = False) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """Both costs by invoice and currency; where none is issued, or `by_payer`, by account and month."""
    found: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for line in lines:
        invoice = None if by_payer else line.invoice
        both = found[invoice or f"{line.payer} {MONTH}", line.currency]
        both[0] += line.effective
        both[1] += line.billed
    return {key: (effective, billed) for key, (effective, billed) in found.items()}


def write(folder: Path, lines: Sequence[Line], form: str, kind: str, *, tags: str = "map") -> BillFile:
    """The bill in one format; of FOCUS as Parquet, `tags` may be `map`, `json`, `pairs` or `struct`."""
    columns = _CUR if form == "CUR 2.0" else _FOCUS[form]
    rows = [row for line in lines for row in (_cur_rows(line) if form == "CUR 2.0" else _focus_rows(line))]
    path = folder / f"{form.replace(' ', '-')}-{tags}.{kind}"
    with duckdb.connect() as connection:
        typed = ", ".join(f'"{name}" {type}' for name, type in columns.items())
        connection.execute(f"CREATE TABLE bill ({typed})")
        values = [[row.get(name) for name in columns] for row in rows]
        places = f"({', '.join('?' * len(columns))})"
        connection.execute(
            f"INSERT INTO bill VALUES {', '.join([places] * len(values))}", [one for row in values for one in row]
        )
        if kind == "csv.gz":
            maps = [name for name, type in columns.items() if type.startswith("MAP")]
            select = ", ".join(f'to_json("{name}") AS "{name}"' for name in maps)
            options = "FORMAT csv, HEADER, COMPRESSION gzip"
        else:
            name = "resource_tags" if form == "CUR 2.0" else "Tags"
            select, options = f'{_AS[tags].format(name)} AS "{name}"', "FORMAT parquet"
        connection.execute(f"COPY (SELECT * REPLACE ({select}) FROM bill) TO '{path}' ({options})")
    return BillFile(f"BILLING_PERIOD={MONTH}/{path.name}", path, MONTH)


_AS = {
    "map": '"{}"',
    "json": 'CAST(to_json("{}") AS VARCHAR)',
    "pairs": 'map_entries("{}")',
    "struct": "{{'tenant': \"{0}\"['tenant'], 'shared': \"{0}\"['shared']}}",
}
_MAP = "MAP(VARCHAR, VARCHAR)"
_FOCUS_1_0 = {
    "BilledCost": "DOUBLE",
    "EffectiveCost": "DOUBLE",
    "ListCost": "DOUBLE",
    "BillingCurrency": "VARCHAR",
    "BillingAccountId": "VARCHAR",
    "BillingPeriodStart": "TIMESTAMP_MS",
    "BillingPeriodEnd": "TIMESTAMP_MS",
    "ChargePeriodStart": "TIMESTAMP_MS",
    "ChargePeriodEnd": "TIMESTAMP_MS",
    "ChargeCategory": "VARCHAR",
    "ChargeClass": "VARCHAR",
    "CommitmentDiscountStatus": "VARCHAR",
    "SubAccountId": "VARCHAR",
    "ResourceId": "VARCHAR",
    "ServiceName": "VARCHAR",
    "SkuId": "VARCHAR",
    "Tags": _MAP,
}
_FOCUS = {"FOCUS 1.0": _FOCUS_1_0, "FOCUS 1.2": {**_FOCUS_1_0, "InvoiceId": "VARCHAR", "PricingCurrency": "VARCHAR"}}
_CUR = {
    "bill_billing_period_start_date": "TIMESTAMP_MS",
    "bill_invoice_id": "VARCHAR",
    "bill_payer_account_id": "VARCHAR",
    "line_item_usage_account_id": "VARCHAR",
    "line_item_line_item_type": "VARCHAR",
    "line_item_product_code": "VARCHAR",
    "line_item_operation": "VARCHAR",
    "line_item_resource_id": "VARCHAR",
    "line_item_usage_start_date": "TIMESTAMP_MS",
    "line_item_usage_end_date": "TIMESTAMP_MS",
    "line_item_unblended_cost": "DOUBLE",
    "line_item_currency_code": "VARCHAR",
    "line_item_iam_principal": "VARCHAR",
    "line_item_user_identifier": "VARCHAR",
    "product": _MAP,
    "resource_tags": _MAP,
    "reservation_effective_cost": "DOUBLE",
    "reservation_reservation_a_r_n": "VARCHAR",
    "reservation_unused_amortized_upfront_fee_for_billing_period": "DOUBLE",
    "reservation_unused_recurring_fee": "DOUBLE",
    "savings_plan_savings_plan_a_r_n": "VARCHAR",
    "savings_plan_savings_plan_effective_cost": "DOUBLE",
    "savings_plan_total_commitment_to_date": "DOUBLE",
    "savings_plan_used_commitment": "DOUBLE",
    "split_line_item_parent_resource_id": "VARCHAR",
    "split_line_item_split_cost": "DOUBLE",
    "split_line_item_unused_cost": "DOUBLE",
}
_PURCHASES = ("RIFee", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee", "ReservedFee", "Fee")


def _focus_rows(line: Line) -> list[dict[str, Any]]:
    category = "Purchase" if line.kind in _PURCHASES else line.kind if line.kind in ("Tax", "Credit") else "Usage"
    start = datetime.combine(line.day, datetime.min.time())
    row: dict[str, Any] = {
        "BilledCost": line.billed,
        "EffectiveCost": line.effective,
        "BillingCurrency": line.currency,
        "PricingCurrency": line.currency,
        "BillingAccountId": line.payer,
        "InvoiceId": line.invoice,
        "BillingPeriodStart": FIRST,
        "BillingPeriodEnd": LAST,
        "ChargePeriodStart": start,
        "ChargePeriodEnd": start + timedelta(days=1),
        "ChargeCategory": "Adjustment" if line.kind == "Refund" else category,
        "ChargeClass": "Correction" if line.kind == "Refund" else None,
        "CommitmentDiscountStatus": "Used" if line.kind in ("DiscountedUsage", "SavingsPlanCoveredUsage") else None,
        "SubAccountId": line.account,
        "ResourceId": line.resource,
        "ServiceName": line.service[1],
        "Tags": dict(line.tags),
    }
    if line.kind not in ("RIFee", "SavingsPlanRecurringFee"):
        return [row]
    unused = row | {"BilledCost": ZERO, "ChargeCategory": "Usage", "CommitmentDiscountStatus": "Unused"}
    return [row | {"EffectiveCost": ZERO}, unused]


def _cur_rows(line: Line) -> list[dict[str, Any]]:
    start = datetime.combine(line.day, datetime.min.time())
    row: dict[str, Any] = {
        "bill_billing_period_start_date": FIRST,
        "bill_invoice_id": line.invoice or "",
        "bill_payer_account_id": line.payer,
        "line_item_usage_account_id": line.account,
        "line_item_line_item_type": "Fee" if line.kind == "ReservedFee" else line.kind,
        "line_item_product_code": line.service[0],
        "line_item_operation": "RunInstances" if line.resource else None,
        "line_item_resource_id": line.resource,
        "line_item_usage_start_date": start,
        "line_item_usage_end_date": start + timedelta(days=1),
        "line_item_unblended_cost": line.cost,
        "line_item_currency_code": line.currency,
        "line_item_iam_principal": line.principal,
        "product": {"product_name": line.service[1]} if line.kind == "Usage" else {},
        "resource_tags": {f"user_{key}": value for key, value in line.tags.items()},
    }
    rows = [row]
    match line.kind:
        case "DiscountedUsage":
            row |= {"reservation_effective_cost": line.amortised, "reservation_reservation_a_r_n": RESERVED}
        case "SavingsPlanCoveredUsage":
            plan = {"savings_plan_savings_plan_a_r_n": PLAN}
            row |= plan | {"savings_plan_savings_plan_effective_cost": line.amortised}
            negated = {"line_item_line_item_type": "SavingsPlanNegation", "line_item_unblended_cost": -line.cost}
            rows.append(row | negated | {"line_item_resource_id": None, "resource_tags": {}})
        case "RIFee":
            row |= {"reservation_unused_amortized_upfront_fee_for_billing_period": line.amortised}
            row |= {"reservation_unused_recurring_fee": ZERO, "reservation_reservation_a_r_n": RESERVED}
        case "SavingsPlanRecurringFee":
            row |= {"savings_plan_total_commitment_to_date": line.amortised + 1, "savings_plan_used_commitment": 1}
        case "ReservedFee":
            row |= {"reservation_reservation_a_r_n": RESERVED}
        case _:
            pass
    if line.discount:
        rows.append(row | {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": -line.discount})
    for number, part in enumerate(line.parts):
        rows.append(
            row
            | {
                "line_item_line_item_type": "Usage",
                "line_item_product_code": "AmazonECS",
                "line_item_operation": "ECSTask-EC2",
                "line_item_resource_id": f"{line.resource}-task-{number}",
                "line_item_unblended_cost": None,
                "product": {"product_name": "Amazon Elastic Container Service"},
                "resource_tags": {f"user_{key}": value for key, value in part.tags.items()},
                "split_line_item_parent_resource_id": line.resource,
                "split_line_item_split_cost": part.split,
                "split_line_item_unused_cost": part.unused,
            }
        )
    return rows


_amounts = st.integers(0, 900 * 10**6).map(lambda n: Decimal(n) / 10**6) | st.sampled_from([ZERO, Decimal("0.000001")])
_KINDS = (
    "Usage", "Usage", "Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "RIFee", "SavingsPlanRecurringFee",
    "SavingsPlanUpfrontFee", "ReservedFee", "Fee", "Tax", "Credit", "Refund",
)  # fmt: skip


@st.composite
def _lines(draw: st.DrawFn, tenants: Sequence[str]) -> Line:
    kind = draw(st.sampled_from(_KINDS))
    cost, amortised = draw(_amounts), draw(_amounts)
    payer = draw(st.sampled_from(["210000000001", "310000000001"]))
    currency = "EUR" if payer.startswith("3") else "USD"
    invoices = ("INV-1", "INV-2", None) if currency == "USD" else ("INV-3", None)
    tags = st.fixed_dictionaries(
        {}, optional={"tenant": st.sampled_from([*tenants, "no such/tenant"]), "shared": st.just("platform")}
    )
    own_tags = draw(tags) if kind in ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage") else {}
    instance = f"i-{draw(st.integers(0, 2))}" if kind.endswith("Usage") else None
    parts = draw(st.lists(st.builds(Part, tags, _amounts, _amounts), max_size=3)) if instance else []
    return Line(
        kind,
        -cost if kind in ("Credit", "Refund") else ZERO if kind == "DiscountedUsage" else cost,
        amortised,
        discount=min(cost, amortised) if kind == "Usage" and draw(st.booleans()) else ZERO,
        service=EC2 if parts else draw(st.sampled_from(SERVICES)),
        day=FIRST.date() + timedelta(days=draw(st.just(0) | st.integers(0, 29))),
        payer=payer,
        invoice=draw(st.sampled_from(invoices)),
        currency=currency,
        tags=own_tags,
        resource=instance,
        principal=draw(st.sampled_from([None, "arn:aws:sts::210000000002:assumed-role/App/tenant=t1"])),
        parts=tuple(parts),
    )


@st.composite
def bills(draw: st.DrawFn) -> list[Line]:
    """A month's bill of one to fifty tenants: usage, commitments and their fees, discounts, credits, refunds, taxes."""
    tenants = [f"t{number}" for number in range(1, 1 + draw(st.integers(1, 50)))]
    return draw(st.lists(_lines(tenants), min_size=1, max_size=25))
