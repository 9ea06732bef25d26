"""The bill as AWS Data Exports writes it: FOCUS 1.2 with AWS columns, Parquet, one object per billing period.

57 columns of FOCUS and three of AWS; costs are doubles, times UTC in milliseconds, tags a map; daily grain.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np

from .charges import Charges
from .features import FEATURE_NAMES
from .periods import FIRST_DAY, MONTHS, next_month
from .skus import ACCOUNTS, BILLING_ACCOUNTS, COST_SCALE, PRICE_SCALE, REGION_NAMES, SKUS
from .tenants import TENANT_IDS

_COLUMNS = ("sku", "day", "account", "quantity", "billed", "effective", "listed", "tenant", "feature", "month")
_SHAPE = (
    "shared", "environment", "category", "charge_class", "frequency", "pricing", "commitment", "commitment_status",
    "whole_month", "description",
)  # fmt: skip

_FOCUS = """
SELECT CASE WHEN s.unit = 'Hours' AND priced.consumed THEN a.region || 'a' END AS AvailabilityZone,
  c.billed / {cost} AS BilledCost, a.billing_account AS BillingAccountId, a.billing_account_name AS BillingAccountName,
  'Account' AS BillingAccountType, 'USD' AS BillingCurrency, m.ends AS BillingPeriodEnd, m.starts AS BillingPeriodStart,
  NULL::VARCHAR AS CapacityReservationId, NULL::VARCHAR AS CapacityReservationStatus, p.category AS ChargeCategory,
  p.charge_class AS ChargeClass, coalesce(p.description, s.description) AS ChargeDescription,
  p.frequency AS ChargeFrequency,
  CASE WHEN p.whole_month THEN m.ends ELSE (DATE '{first}' + (c.day + 1)::INTEGER)::TIMESTAMP_MS END AS ChargePeriodEnd,
  (DATE '{first}' + c.day::INTEGER)::TIMESTAMP_MS AS ChargePeriodStart,
  CASE WHEN p.commitment LIKE '%savingsplan%' THEN 'Spend' WHEN p.commitment <> '' THEN 'Usage' END
    AS CommitmentDiscountCategory,
  nullif(p.commitment, '') AS CommitmentDiscountId, NULL::VARCHAR AS CommitmentDiscountName,
  CASE WHEN p.commitment = '' THEN NULL WHEN p.commitment LIKE '%savingsplan%'
       THEN CASE WHEN p.category = 'Purchase' THEN c.billed ELSE c.effective END / {cost} ELSE c.quantity END
    AS CommitmentDiscountQuantity,
  p.commitment_status AS CommitmentDiscountStatus,
  CASE WHEN p.commitment LIKE '%savingsplan%' THEN 'Compute Savings Plans' WHEN p.commitment <> '' THEN 'Reserved' END
    AS CommitmentDiscountType,
  CASE WHEN p.commitment LIKE '%savingsplan%' THEN 'USD' WHEN p.commitment <> '' THEN 'Hours' END
    AS CommitmentDiscountUnit,
  CASE WHEN priced.consumed THEN c.quantity END AS ConsumedQuantity,
  CASE WHEN priced.consumed THEN s.unit END AS ConsumedUnit,
  c.listed / {cost} AS ContractedCost, priced.unit_price AS ContractedUnitPrice, c.effective / {cost} AS EffectiveCost,
  strftime(m.starts, '%Y%m') || right(a.billing_account, 4) AS InvoiceId,
  'Amazon Web Services, Inc.' AS InvoiceIssuerName, c.listed / {cost} AS ListCost, priced.unit_price AS ListUnitPrice,
  p.pricing AS PricingCategory, 'USD' AS PricingCurrency, priced.unit_price AS PricingCurrencyContractedUnitPrice,
  c.effective / {cost} AS PricingCurrencyEffectiveCost, priced.unit_price AS PricingCurrencyListUnitPrice,
  CASE WHEN p.category IN ('Usage', 'Purchase') THEN c.quantity END AS PricingQuantity,
  CASE WHEN p.category IN ('Usage', 'Purchase') THEN s.unit END AS PricingUnit,
  'AWS' AS ProviderName, 'Amazon Web Services, Inc.' AS PublisherName,
  CASE WHEN p.category IN ('Tax', 'Credit') THEN NULL ELSE a.region END AS RegionId,
  CASE WHEN p.category IN ('Tax', 'Credit') THEN NULL ELSE a.region_name END AS RegionName,
  CASE WHEN p.commitment_status = 'Unused' OR p.category = 'Purchase' THEN nullif(p.commitment, '')
       WHEN s.resource <> '' THEN 'arn:aws:' || lower(s.service_code) || ':' || a.region || ':' || a.account_id || ':'
         || s.resource || '/' || coalesce(t.tenant_id, f.feature, 'wayfarer') || '-' || replace(s.key, '_', '-') END
    AS ResourceId,
  NULL::VARCHAR AS ResourceName, nullif(s.resource, '') AS ResourceType, s.service_category AS ServiceCategory,
  s.service AS ServiceName, s.subcategory AS ServiceSubcategory, priced.sku_id AS SkuId,
  nullif(s.meter, '') AS SkuMeter,
  CASE WHEN s.price > 0 THEN MAP {{'Operation': s.operation, 'UsageType': s.meter}} END AS SkuPriceDetails,
  priced.sku_id || '.JRTCKXETXF.6YS6EN2CT7' AS SkuPriceId, a.account_id AS SubAccountId,
  a.account_name AS SubAccountName,
  'Account' AS SubAccountType,
  map_from_entries(list_filter([
      {{'k': 'tenant', 'v': t.tenant_id}}, {{'k': 'feature', 'v': f.feature}},
      {{'k': 'shared', 'v': nullif(p.shared, '')}},
      {{'k': 'environment', 'v': nullif(p.environment, '')}}], lambda entry: entry.v IS NOT NULL)) AS Tags,
  MAP {{}}::MAP(VARCHAR, DOUBLE) AS x_Discounts, nullif(s.operation, '') AS x_Operation,
  nullif(s.service_code, '') AS x_ServiceCode
FROM charge c
JOIN part p ON p.part = c.part
JOIN sku s ON s.sku = c.sku
JOIN account a ON a.account = c.account
JOIN billing_month m ON m.month = c.month
LEFT JOIN billed_tenant t ON t.tenant = c.tenant
LEFT JOIN billed_feature f ON f.feature_number = c.feature
CROSS JOIN LATERAL (SELECT
    p.category = 'Usage' AND p.commitment_status IS DISTINCT FROM 'Unused' AS consumed,
    CASE WHEN s.price > 0 THEN s.price / {price} END AS unit_price,
    CASE WHEN s.price > 0 THEN upper(left(md5(s.key), 16)) END AS sku_id) priced
WHERE c.month = {month}
ORDER BY c.row
"""


def _dimension(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: Sequence[Sequence[object]]
) -> None:
    connection.execute(f"CREATE TABLE {name} ({columns})")
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)


def create_bill(connection: duckdb.DuckDBPyConnection, parts: Sequence[Charges]) -> None:
    """Make the table `charge` and what it refers to."""
    _dimension(
        connection,
        "part",
        "part INTEGER, shared VARCHAR, environment VARCHAR, category VARCHAR, charge_class VARCHAR, frequency VARCHAR,"
        " pricing VARCHAR, commitment VARCHAR, commitment_status VARCHAR, whole_month BOOLEAN, description VARCHAR",
        [(number, *(getattr(part, name) for name in _SHAPE)) for number, part in enumerate(parts)],
    )
    _dimension(
        connection,
        "sku",
        "sku INTEGER, key VARCHAR, service VARCHAR, service_code VARCHAR, service_category VARCHAR,"
        " subcategory VARCHAR, meter VARCHAR, operation VARCHAR, unit VARCHAR, price BIGINT, resource VARCHAR,"
        " description VARCHAR",
        [(n, *(getattr(sku, name) for name in sku.__slots__)) for n, sku in enumerate(SKUS)],
    )
    _dimension(
        connection,
        "account",
        "account INTEGER, account_id VARCHAR, account_name VARCHAR, billing_account VARCHAR,"
        " billing_account_name VARCHAR, region VARCHAR, region_name VARCHAR",
        [
            (
                n,
                one.id,
                one.name,
                one.billing_account,
                BILLING_ACCOUNTS[one.billing_account],
                one.region,
                REGION_NAMES[one.region],
            )
            for n, one in enumerate(ACCOUNTS)
        ],
    )
    months = [(number, f"{month}-01", next_month(month)) for number, month in enumerate(MONTHS)]
    _dimension(connection, "billing_month", "month INTEGER, starts TIMESTAMP_MS, ends TIMESTAMP_MS", months)
    _dimension(connection, "billed_tenant", "tenant INTEGER, tenant_id VARCHAR", list(enumerate(TENANT_IDS)))
    _dimension(connection, "billed_feature", "feature_number INTEGER, feature VARCHAR", list(enumerate(FEATURE_NAMES)))
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    columns["part"] = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.lexsort((columns["part"], columns["day"], columns["month"]))
    columns = {name: np.ascontiguousarray(column[order]) for name, column in columns.items()}
    columns["row"] = np.arange(len(order))
    connection.register("charge_columns", columns)
    connection.execute("CREATE TABLE charge AS SELECT * FROM charge_columns")
    connection.unregister("charge_columns")


def write_bill(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Write one Parquet object per billing period below `root`."""
    for number, month in enumerate(MONTHS):
        target = root / f"raw/billing/focus/data/BILLING_PERIOD={month}/wayfarer-focus-00001.snappy.parquet"
        target.parent.mkdir(parents=True)
        cost, price = f"{COST_SCALE}.0::DOUBLE", f"{PRICE_SCALE}.0::DOUBLE"
        sql = _FOCUS.format(cost=cost, price=price, first=FIRST_DAY, month=number)
        connection.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet, COMPRESSION snappy)")
