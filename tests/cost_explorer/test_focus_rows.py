"""Allocated rows as FOCUS 1.3 has them, judged by somebody else's validator in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from catalogue import ROOT
from cost_explorer import bills
from cost_explorer.reference import Charge, Used
from hypothesis import HealthCheck, given, settings
from tenantscope_cost_explorer.allocation.focus_rows import NOBODY, focus_rows
from tenantscope_cost_explorer.allocation.gathering import gather
from tenantscope_cost_explorer.allocation.report import ALLOCATED_ROWS
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_cost_explorer.sources.shares import apportion

HERE = Path(__file__).parent
DAY = bills.MONTH


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE committed AS SELECT 1 AS nothing")
        yield connection


def made(database: duckdb.DuckDBPyConnection, month: bills.Month, rules: dict[str, Any]) -> list[dict[str, Any]]:
    """The FOCUS rows of a month, left in the table `focus` as well."""
    bills.fill(database, month)
    parsed = parse_rules(yaml.safe_dump(rules))
    for step in gather(parsed, bills.MONTH):
        database.execute(step.sql)
    apportion(database, parsed, bills.MONTH)
    database.execute(f"CREATE OR REPLACE TABLE committed AS {ALLOCATED_ROWS}")
    database.execute(f"CREATE OR REPLACE TABLE focus AS {focus_rows('committed')}")
    found = database.execute("FROM focus")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def elements(row: dict[str, Any]) -> list[dict[str, Any]]:
    return json.loads(row["AllocatedMethodDetails"], parse_float=Decimal)["Elements"]


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the validator, from the package index by its hashes."""
    environment = tmp_path_factory.mktemp("focus-judge") / "venv"
    uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    python = environment / "bin/python"
    commands: list[Sequence[str | Path]] = [
        [uv, "venv", "-q", "--python", sys.executable, environment],
        [uv, "pip", "sync", "-q", "--python", python, "--require-hashes", HERE / "focus.lock"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return python


def charge(cost: str, **more: Any) -> Charge:
    amount = Decimal(cost)
    return Charge(DAY, DAY + timedelta(days=1), amount, amount * 2, more.pop("tags", {}), **more)


def used(measure: str, tenant: str, quantity: int, feature: str = "", day: date = DAY) -> Used:
    return Used(tenant, day, measure, feature, Decimal(quantity))


RULES: dict[str, Any] = {
    "format": 1,
    "feature": {"tag": "feature"},
    "environment": {"tag": "environment"},
    "rules": [
        {"name": "credits", "match": {"charge_category": "Credit"}, "allocate": {"method": "proxy"}},
        {
            "name": "own",
            "match": {"tag": {"tenant": "*"}},
            "allocate": {"method": "direct", "tenant": {"tag": "tenant"}},
        },
        {"name": "security", "match": {"service": "AWS WAF"}, "allocate": {"method": "even"}},
        {
            "name": "models",
            "match": {"service": "Amazon Bedrock"},
            "allocate": {"method": "driver", "metric": "llm_usage.tokens", "per": "day"},
        },
        {
            "name": "platform",
            "match": {"tag": {"shared": "platform"}},
            "allocate": {
                "method": "driver",
                "cascade": {"feature": "feature_usage.bytes"},
                "metric": "feature_usage.calls",
            },
        },
    ],
}
CHARGES = [
    charge("10", service="Amazon S3", tags={"tenant": "acme"}, quantity=Decimal(3), unit="GB"),
    charge("100", service="Amazon EC2", tags={"shared": "platform"}, quantity=Decimal(7), unit="Hours"),
    charge("50", service="Amazon EC2", tags={"shared": "platform", "feature": "search"}),
    charge("-30", service="Amazon EC2", tags={"shared": "platform"}, charge_class="Correction"),
    charge("1", service="Amazon Bedrock", quantity=Decimal(999), unit="Tokens"),
    charge("5", service="AWS WAF", charge_frequency="Recurring"),
    charge("-7", service="Amazon EC2", charge_category="Credit"),
    charge("3", service="Amazon Route 53"),
]
USAGE = [
    *(used("feature_usage.bytes", "acme", size, name) for name, size in (("search", 3), ("reports", 4), ("export", 2))),
    *(used("feature_usage.calls", f"t-{number}", number + 1, "search") for number in range(7)),
    *(used("feature_usage.calls", f"t-{number}", 2 * number + 1, "reports") for number in range(3)),
    *(used("llm_usage.tokens", f"t-{number}", 5 * number + 1, "search") for number in range(6)),
]


@pytest.mark.requirement("sums-to-the-invoice")
def test_a_validator_of_others_finds_our_shared_charges_sound(
    database: duckdb.DuckDBPyConnection, judge: Path, tmp_path: Path
) -> None:
    """Ratios of an origin sum to exactly 1, costs to the origin's, each resource is there once."""
    rows = made(database, bills.Month(CHARGES, USAGE), RULES)
    database.execute(f"COPY focus TO '{tmp_path}/focus.csv' (HEADER)")

    def judged(name: str) -> dict[str, Any]:
        done = subprocess.run(
            [judge, HERE / "focus_judge.py", tmp_path / name], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert judged("focus.csv") == {"rows": len(rows), "found": [], "unknown": [], "dataset": "Cost and Usage"}
    database.execute(
        f'COPY (SELECT * REPLACE (CASE "x_TenantId" WHEN \'t-2\' THEN "BilledCost" + 0.000000000001'
        f' ELSE "BilledCost" END AS "BilledCost") FROM focus) TO \'{tmp_path}/wrong.csv\' (HEADER)'
    )
    assert len(judged("wrong.csv")["found"]) == 6


def test_a_shared_charge_keeps_its_dimensions_and_a_cascade_has_an_element_for_each_feature(
    database: duckdb.DuckDBPyConnection,
) -> None:
    rows = made(database, bills.Month(CHARGES, USAGE), RULES)
    cascade = [row for row in rows if row["x_Rule"] == "platform" and row["ConsumedUnit"] == "Hours"]
    assert {(row["ServiceName"], row["x_Feature"], row["AllocatedMethodId"]) for row in cascade} == {
        ("Amazon EC2", None, "platform")
    }
    by_tenant = {row["AllocatedResourceId"]: row for row in cascade}
    assert [one["UsageQuantity"] for one in elements(by_tenant["t-0"])] == [1, 1]
    assert elements(by_tenant[NOBODY]) == [{"AllocatedRatio": Decimal("0.222222222222222222")}]
    assert by_tenant[NOBODY]["x_TenantId"] is None
    assert sum(row["ConsumedQuantity"] for row in cascade) == 7
    own = next(row for row in rows if row["x_Rule"] == "own")
    assert (own["x_TenantId"], own["AllocatedMethodId"], own["x_SplitOriginId"]) == ("acme", None, None)


@pytest.mark.requirement("sums-to-the-invoice")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(month=bills.months, rules=bills.rules())
def test_ratios_and_metrics_of_every_origin_are_whole(
    database: duckdb.DuckDBPyConnection, month: bills.Month, rules: dict[str, Any]
) -> None:
    rows = made(database, month, rules)
    ratios: dict[str, Fraction] = defaultdict(Fraction)
    costs: dict[str, Decimal] = defaultdict(Decimal)
    origins: dict[str, set[Decimal]] = defaultdict(set)
    for row in rows:
        if origin := row["x_SplitOriginId"]:
            ratios[origin] += sum(Fraction(one["AllocatedRatio"]) for one in elements(row))
            costs[origin] += row["BilledCost"]
            origins[origin].add(row["x_SplitOriginCost"])
    assert set(ratios.values()) <= {Fraction(1)}
    assert {origin: {cost} for origin, cost in costs.items()} == origins
    for cost, name in (("effective", "EffectiveCost"), ("billed", "BilledCost")):
        assert sum(row[name] for row in rows) == sum(getattr(one, cost) for one in month.charges)
