"""Random bills, rules and usage for property tests, and a DuckDB that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from cost_explorer.reference import Charge, Used
from hypothesis import strategies as st

MONTH = date(2026, 9, 1)
TENANTS = ("acme", "Acme", "globex", "initech", "t-1", "t_1")
FEATURES = ("search", "reports", "o'hara")
SCALE = {
    "usage.requests": 6,
    "usage.storage_gb_hours": 6,
    "feature_usage.calls": 0,
    "feature_usage.bytes": 0,
    "llm_usage.tokens": 0,
    "llm_usage.cost": 12,
}

days = st.integers(0, 3).map(lambda n: MONTH + timedelta(days=n))
costs = st.decimals(Decimal(-1000), Decimal(100_000), allow_nan=False, places=12) | st.sampled_from(
    [Decimal(0), Decimal("0.000000000001"), Decimal("-0.000000000001"), Decimal("98765432.123456789012")]
)
tags = st.fixed_dictionaries(
    {},
    optional={
        "tenant": st.sampled_from([*TENANTS, "", "no such/tenant", "x" * 64]),
        "feature": st.sampled_from([*FEATURES, ""]),
        "environment": st.sampled_from(["prod", "dev"]),
        "shared": st.sampled_from(["platform", "data"]),
    },
)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    """One row of a bill."""
    day = draw(days)
    return Charge(
        day=day,
        day_end=day + timedelta(days=draw(st.sampled_from([1, 1, 1, 30]))),
        effective=draw(costs),
        billed=draw(costs),
        tags=draw(tags),
        service=draw(st.sampled_from(["Amazon Bedrock", "Amazon S3", None])),
        charge_category=draw(st.sampled_from(["Usage", "Tax", "Credit"])),
        sub_account=draw(st.sampled_from(["210000000002", "210000000003", None])),
        commitment_status=draw(st.sampled_from(["Used", "Unused", None])),
        description=draw(st.sampled_from(["data transfer out", "50% off", None])),
        charge_class=draw(st.sampled_from(["Correction", None, None])),
        charge_frequency=draw(st.sampled_from(["Usage-Based", "Recurring", None])),
        quantity=draw(st.none() | costs | st.just(Decimal("12345678901234567890.000000000001"))),
        unit=draw(st.sampled_from(["GB", "Requests", None])),
        invoice=draw(st.sampled_from(["INV-1", "INV-2"])),
        currency=draw(st.sampled_from(["USD", "USD", "EUR"])),
    )


@st.composite
def used(draw: st.DrawFn) -> Used:
    """One measurement; big quantities too, so that weights have to be scaled."""
    measure = draw(st.sampled_from(sorted(SCALE)))
    quantity = draw(st.integers(0, 50) | st.integers(10**11, 10**14) | st.just(-3))
    return Used(
        tenant=draw(st.sampled_from(TENANTS)),
        day=draw(days),
        measure=measure,
        feature="" if measure.startswith("usage.") else draw(st.sampled_from(FEATURES)),
        quantity=Decimal(quantity) / (7 if SCALE[measure] else 1) // Decimal("0.000001") * Decimal("0.000001"),
    )


fallback = st.lists(st.sampled_from([*sorted(SCALE), "even"]), max_size=2)
driver = st.fixed_dictionaries(
    {"method": st.just("driver"), "metric": st.sampled_from(sorted(SCALE))},
    optional={
        "per": st.sampled_from(["day", "month"]),
        "fallback": fallback,
        "cascade": st.sampled_from(["feature_usage.bytes", "feature_usage.calls"]).map(lambda name: {"feature": name}),
    },
)
allocate = st.one_of(
    driver,
    driver,
    st.just({"method": "direct", "tenant": {"tag": "tenant"}}),
    st.just({"method": "direct", "tenant": {"column": "sub_account"}}),
    st.just({"method": "direct", "tenant": {"map": {"sub_account": {"210000000002": "globex"}}}}),
    st.just({"method": "direct", "tenant": {"map": {"tag": {"tenant": {"x" * 64: "acme", "Acme": "acme"}}}}}),
    st.fixed_dictionaries({"method": st.just("proxy")}, optional={"fallback": fallback}),
    st.just({"method": "even"}),
    st.just({"method": "residual"}),
)
match = st.one_of(
    st.just({"tag": {"tenant": "*"}}),
    st.just({"tag": {"shared": ["platform", "data"], "environment": "prod"}}),
    st.just({"service": "Amazon Bedrock"}),
    st.just({"service": "*", "charge_category": "Usage"}),
    st.just({"charge_category": ["Tax", "Credit"]}),
    st.just({"sub_account": ["210000000002"]}),
    st.just({"commitment_status": "Unused"}),
    st.just({"description": ["transfer", "%"]}),
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """A rules file, as YAML would give it."""
    pairs = draw(st.lists(st.tuples(match, allocate), min_size=1, max_size=5))
    pairs.append(({"billing_account": "payer"}, draw(driver)))
    document: dict[str, Any] = {
        "format": 1,
        "rules": [{"name": f"rule-{n}", "match": m, "allocate": a} for n, (m, a) in enumerate(pairs)],
    }
    if draw(st.booleans()):
        document |= {"feature": {"tag": "feature"}, "environment": {"tag": "environment"}}
    return document


@dataclass(frozen=True)
class Month:
    """A month's bill and usage."""

    charges: list[Charge]
    used: list[Used]


months = st.builds(
    Month,
    st.lists(charges(), min_size=1, max_size=20),
    st.lists(used(), max_size=5) | st.lists(used(), min_size=15, max_size=40),
)


def active(rows: Sequence[Used]) -> set[str]:
    """The tenants with any usage."""
    return {row.tenant for row in rows if row.quantity > 0 and row.measure in _ACTIVE}


_ACTIVE = {"usage.requests", "usage.storage_gb_hours", "feature_usage.calls", "llm_usage.tokens"}


def fill(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Make the relations that allocation reads."""
    connection.execute(
        "CREATE OR REPLACE TABLE charges(day DATE, day_end DATE, effective DECIMAL(38,12), billed DECIMAL(38,12),"
        " tags MAP(VARCHAR, VARCHAR), service VARCHAR, charge_category VARCHAR, charge_class VARCHAR,"
        " sub_account VARCHAR, billing_account VARCHAR, resource VARCHAR, region VARCHAR, commitment_status VARCHAR,"
        " description VARCHAR, charge_frequency VARCHAR, quantity DECIMAL(38,12), unit VARCHAR, invoice VARCHAR,"
        " currency VARCHAR, readable BOOLEAN DEFAULT true);"
        "CREATE OR REPLACE TABLE usage(tenant_id VARCHAR, day DATE, metric VARCHAR, quantity DECIMAL(38,6),"
        " unit VARCHAR);"
        "CREATE OR REPLACE TABLE feature_usage(tenant_id VARCHAR, day DATE, feature VARCHAR, calls BIGINT,"
        " bytes BIGINT, errors BIGINT);"
        "CREATE OR REPLACE TABLE llm_usage(tenant_id VARCHAR, day DATE, feature VARCHAR, tokens_in BIGINT,"
        " tokens_out BIGINT, requests BIGINT, cost DECIMAL(38,12))"
    )
    charges = [[{**c.tags} if name == "tags" else getattr(c, name) for name in _CHARGE] + [True] for c in month.charges]
    _insert(connection, "charges", charges)
    measured: dict[str, list[list[Any]]] = {"usage": [], "feature_usage": [], "llm_usage": []}
    for row in month.used:
        dataset, column = row.measure.split(".")
        count = int(row.quantity)
        match dataset:
            case "usage":
                values: list[Any] = [column, row.quantity, "unit"]
            case "feature_usage":
                values = [row.feature, *(count if column == name else 0 for name in ("calls", "bytes")), 0]
            case _:
                tokens = count if column == "tokens" else 0
                cost = row.quantity if column == "cost" else Decimal(0)
                values = [row.feature, tokens // 3, tokens - tokens // 3, 0, cost]
        measured[dataset].append([row.tenant, row.day, *values])
    for dataset, rows in measured.items():
        _insert(connection, dataset, rows)


_CHARGE = tuple(Charge.__dataclass_fields__)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[list[Any]]) -> None:
    """One statement for all rows; one a row takes ten times as long."""
    if rows:
        row = f"({', '.join('?' * len(rows[0]))})"
        connection.execute(
            f"INSERT INTO {table} VALUES {', '.join([row] * len(rows))}", [v for one in rows for v in one]
        )
