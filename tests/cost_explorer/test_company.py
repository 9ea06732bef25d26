"""A company's whole bill against what its maker knows of each charge, worked out without rules or tags."""

import json
import os
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.raw_objects import FolderObjects
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_cost_explorer.sources.billing import Bill
from tenantscope_cost_explorer.sources.exports import is_bill
from tenantscope_cost_explorer.sources.workbench import MEASURED, Workbench
from tenantscope_sandbox.company.generate import generate

REPOSITORY = Path(__file__).parents[2]
RULES = REPOSITORY / "examples/sandbox/allocation.yaml"


@pytest.fixture(scope="module")
def company() -> Path:
    """The folder of the company, which the sandbox of other tests shares."""
    return generate(Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or REPOSITORY / ".sandbox/test"))


@pytest.mark.requirement("sums-to-the-invoice")
@pytest.mark.parametrize(
    "month",
    [
        pytest.param("2026-01", id="models in use before tokens are metered"),
        pytest.param("2026-03", id="a refund"),
        pytest.param("2026-06", id="a late correction of the month before"),
        pytest.param("2026-10", id="the newest"),
    ],
)
async def test_every_tenant_and_method_gets_what_the_maker_says(company: Path, tmp_path: Path, month: str) -> None:
    truth: dict[str, Any] = json.loads((company / "truth.json").read_text())["billing"][month]
    bill = Bill(FolderObjects(company / "s3/raw/billing", wanted=is_bill))
    objects = [one for one in await bill.objects() if one.month == month]
    async with bill.files(objects) as files:
        rules = parse_rules(RULES.read_text())
        done = await Workbench(tmp_path).allocate(rules, Month.parse(month), files, _usage(company, month))
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    with duckdb.connect() as connection:
        query = f"""SELECT coalesce(tenant_id, ''), "x_Method", sum("EffectiveCost")
          FROM '{done.fleet.path}' GROUP BY 1, 2"""
        for tenant, method, cost in connection.execute(query).fetchall():
            found[tenant][method] = cost
        (sums,) = connection.execute(
            f"""SELECT sum("EffectiveCost"), sum("BilledCost") FROM '{done.fleet.path}'"""
        ).fetchall()
    assert sums == (Decimal(truth["effective_cost"]), Decimal(truth["billed_cost"]))
    assert sum(found.pop("").values()) == Decimal(truth["residual"])
    assert found.keys() == truth["allocated"].keys()
    for tenant, methods in truth["allocated"].items():
        for method, cost in methods.items():
            ours = sum(found[tenant].values()) if method == "total" else found[tenant][method]
            assert abs(ours - Decimal(cost)) < Decimal("0.000000001"), (tenant, method)


def _usage(company: Path, month: str) -> dict[str, list[Path]]:
    """What the company metered itself, which its log comes to, and what it uploads."""
    places = (f"metering/{{}}/{month}.parquet", f"s3/fleet/{{}}/month={month}/*/*.parquet")
    return {one.name: [path for place in places for path in company.glob(place.format(one.name))] for one in MEASURED}
