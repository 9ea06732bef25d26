"""The datasets lie where readers look for them, committed by manifests."""

import hashlib
import json
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from tenantscope_sandbox.company import ALLOCATION_RULES, PRICE_BOOK, TENANTS, registry_item
from tenantscope_sandbox.company.periods import FIRST_DAY
from tenantscope_sandbox.company.revenue import charge, share

TIERS = [{"up_to": 4000, "unit_price": "0.1"}, {"unit_price": "0.05"}]
DATASETS = ("llm_usage",)


@pytest.mark.parametrize("name", DATASETS)
def test_manifests_name_every_object_and_describe_it(bucket: Path, sql: duckdb.DuckDBPyConnection, name: str) -> None:
    manifests = [*bucket.glob(f"datasets/{name}/*/_manifest.json"), bucket / f"fleet/{name}/_manifest.json"]
    named: set[str] = set()
    for path in manifests:
        manifest = json.loads(path.read_text())
        assert (manifest["dataset"], manifest["format"]) == (name, 1)
        for month, commit in manifest["months"].items():
            (entry,) = commit["objects"]
            place = path.parent / f"month={month}" / f"run={commit['run']}" / "part-0.parquet"
            assert bucket / entry["key"] == place
            body = place.read_bytes()
            assert entry["size"] == len(body)
            assert entry["etag"] == hashlib.md5(body, usedforsecurity=False).hexdigest()
            assert sql.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata('{place}')").fetchall() == [
                (entry["rows"],)
            ]
            named.add(entry["key"])
    there = {path.relative_to(bucket).as_posix() for path in bucket.glob(f"*/{name}/**/*.parquet")}
    assert there == named


@pytest.mark.parametrize("name", DATASETS)
def test_a_fleets_copy_is_all_the_tenants_rows(bucket: Path, sql: duckdb.DuckDBPyConnection, name: str) -> None:
    tenants = (
        f"SELECT tenant_id, * EXCLUDE (tenant_id, run) FROM read_parquet('{bucket}/datasets/{name}/*/*/*/*.parquet',"
        " hive_partitioning = true, hive_types_autocast = false)"
    )
    fleet = f"SELECT tenant_id, * EXCLUDE (tenant_id, run) FROM {name}"
    assert sql.execute(f"SELECT count(*) FROM ({tenants} EXCEPT ALL {fleet})").fetchall() == [(0,)]
    assert sql.execute(f"SELECT count(*) FROM ({fleet} EXCEPT ALL {tenants})").fetchall() == [(0,)]


@pytest.mark.parametrize("name", DATASETS)
def test_a_tenants_objects_do_not_name_it(bucket: Path, sql: duckdb.DuckDBPyConnection, name: str) -> None:
    part = next(bucket.glob(f"datasets/{name}/tenant_id=acme/month=2026-10/*/*.parquet"))
    columns = {row[0] for row in sql.execute(
        f"DESCRIBE SELECT * FROM read_parquet('{part}', hive_partitioning = false)").fetchall()}  # fmt: skip
    assert not columns & {"tenant_id", "month", "run"}


def test_a_registry_item_carries_what_sbt_and_the_servers_read(company: Path) -> None:
    items = json.loads((company / "registry.json").read_text())
    assert items == [registry_item(tenant) for tenant in TENANTS]
    assert {item["tenantStatus"] for item in items} == {"Active", "Suspended", "Pending"}
    assert all(item["sbtaws_active"] is (item["tenantStatus"] == "Active") for item in items)
    assert all(isinstance(json.loads(item["tenantConfig"]), dict) for item in items)


def test_the_rules_use_every_method(sql: duckdb.DuckDBPyConnection) -> None:
    rules = yaml.safe_load(ALLOCATION_RULES.read_text())["rules"]
    assert {rule["allocate"]["method"] for rule in rules} == {"direct", "driver", "even", "proxy", "residual"}
    drivers = [rule["allocate"] for rule in rules if rule["allocate"]["method"] == "driver"]
    assert any("cascade" in one for one in drivers)
    assert any(one.get("per") == "day" for one in drivers)
    assert all(one["fallback"][-1] == "even" for one in drivers)


def test_the_price_book_has_two_versions_with_dates() -> None:
    book = yaml.safe_load(PRICE_BOOK.read_text())
    assert [version["effective"] for version in book["versions"]] == ["2025-11", "2026-05"]
    assert {tenant.plan_name for tenant in TENANTS} == set(book["versions"][0]["plans"])


def test_the_contracts_are_those_of_the_tenants() -> None:
    contracts = yaml.safe_load(PRICE_BOOK.read_text())["contracts"]
    billed = {tenant.id: tenant for tenant in TENANTS if tenant.status != "Pending"}
    assert contracts.keys() == billed.keys()
    for tenant_id, contract in contracts.items():
        (term,) = contract["terms"]
        tenant = billed[tenant_id]
        assert (term["plan"], term["since"]) == (tenant.plan_name, max(tenant.joined, FIRST_DAY))
        ended = tenant.left if tenant.status == "Suspended" else None
        assert term.get("through") == (ended - timedelta(days=1) if ended is not None else None)


@pytest.mark.parametrize(
    ("price", "units", "amount"),
    [
        ({"model": "per_unit", "included": 300, "unit_price": "0.11"}, 300, "0"),
        ({"model": "per_unit", "included": 300, "unit_price": "0.11"}, 310, "1.10"),
        ({"model": "package", "included": 50, "package_size": 10, "package_price": "1.80"}, 51, "1.80"),
        ({"model": "package", "included": 50, "package_size": 10, "package_price": "1.80"}, 61, "3.60"),
        ({"model": "graduated", "included": 1500, "tiers": TIERS}, 1500, "0"),
        ({"model": "graduated", "included": 1500, "tiers": TIERS}, 4010, "250.5"),
        ({"model": "volume", "tiers": TIERS}, 4000, "400"),
        ({"model": "volume", "tiers": TIERS}, 4001, "200.05"),
        ({"model": "percentage", "percent": 130}, 10, "13"),
    ],
)  # fmt: skip
def test_a_price_charges_what_goes_beyond_its_allowance(price: dict[str, Any], units: int, amount: str) -> None:
    assert charge(price, units) == Fraction(amount)


def test_who_joins_on_a_day_pays_for_the_days_that_are_left() -> None:
    joined = date(2026, 6, 16)
    assert share(Fraction("30.01"), "2026-06", joined, 100) == Fraction(
        "15.01"
    )  # half of it, which rounds to even, is gone
    assert share(Fraction("30.01"), "2026-07", joined, 100) == Fraction("30.01")
    price = {"model": "per_unit", "included": 300, "unit_price": "0.10"}
    assert charge(price, 200, "2026-06", joined) == 5


def test_revenue_is_the_price_book_applied_to_the_usage(sql: duckdb.DuckDBPyConnection) -> None:
    """One tenant's month by hand: acme, growth, October 2026, version 2."""
    units = dict(sql.execute(
        "SELECT 'requests', sum(quantity)::BIGINT FROM usage WHERE metric = 'requests' AND tenant_id = 'acme'"
        " AND month = '2026-10' UNION ALL SELECT feature, sum(calls)::BIGINT FROM feature_usage"
        " WHERE tenant_id = 'acme' AND month = '2026-10'"
        " AND action IN ('book', 'ask') GROUP BY ALL").fetchall())  # fmt: skip
    lines = dict(sql.execute(
        "SELECT line, amount FROM revenue WHERE tenant_id = 'acme' AND month = '2026-10'").fetchall())  # fmt: skip
    beyond = units["requests"] - 1500
    assert lines["fee"] == 379
    assert lines["requests"] == min(beyond, 2500) * Decimal("0.10") + max(0, beyond - 2500) * Decimal("0.09")
    assert lines.get("bookings", 0) == max(0, units["book_trip"] - 100) * Decimal("0.25")
    assert lines["assistant_messages"] == -(-(units["chat_assistant"] - 50) // 10) * Decimal("1.80")


def test_every_deal_of_the_book_shows_in_the_invoices(sql: duckdb.DuckDBPyConnection) -> None:
    lines = dict(sql.execute("SELECT line, count(*) FROM revenue GROUP BY ALL").fetchall())
    assert {"minimum", "report_models", "purchase prepaid", "credit prepaid", "credit welcome"} <= lines.keys()
    half = "SELECT amount FROM revenue WHERE tenant_id = 'horizonte' AND month = '2026-04' AND line = 'fee'"
    assert sql.execute(half).fetchall() == [(Decimal("127.97"),)]  # 11 of 30 days of 349.00
