"""The rollup against a real S3: what it commits, what it skips, what makes it rate a month again."""

from decimal import Decimal
from pathlib import Path

import pytest
from fixtures.stores import Cloud
from pricing.world import World
from tenantscope_core.stores.datasets import fetch_manifest
from tenantscope_core.stores.departures import NO_REGISTRY
from tenantscope_core.stores.rollup import Outcome

BOOK = """
format: 1
currency: USD
meters: {requests: {dataset: usage, metric: requests}}
versions:
  - version: v1
    effective: 2026-08
    plans:
      one: {fee: 10, prices: {requests: {model: per_unit, unit_price: "0.10", included: 10}}}
      two: {fee: 31, prices: {requests: {model: per_unit, unit_price: "0.01"}}}
contracts:
  acme: {terms: [{plan: one, since: 2026-08-01}]}
  globex: {terms: [{plan: one, since: 2026-08-01}, {plan: two, since: 2026-08-21}]}
  late: {terms: [{plan: one, since: 2026-09-01}], credits: [{name: gift, amount: 12, granted: 2026-09}]}
"""
COMMITTED, UNCHANGED, NOTHING = Outcome.COMMITTED, Outcome.UNCHANGED, Outcome.NOTHING


@pytest.fixture
async def world(cloud: Cloud, bucket: str, tmp_path: Path) -> World:
    world = World(cloud, bucket, tmp_path)
    await world.publish(BOOK)
    await world.use("2026-08", {"acme": {3: 110}, "globex": {20: 100, 21: 200}, "late": {30: 5}}, "u1")
    await world.use("2026-09", {"acme": {1: 10}, "late": {30: 20}, "nobodys": {1: 7}}, "u1")
    return world


async def test_every_tenant_is_rated_by_the_days_of_its_terms(world: World) -> None:
    assert await world.roll_up() == {"2026-08": COMMITTED, "2026-09": COMMITTED}
    # 20 of 31 days: 10 * 20/31 = 6.45 and 10 * 20/31 = 6.451613 free; the rest of the month by the other plan.
    assert await world.rows("2026-08") == [
        ("acme", "one", "fee", Decimal(10)),
        ("acme", "one", "requests", Decimal(10)),
        ("globex", "one", "fee", Decimal("6.45")),
        ("globex", "one", "requests", Decimal("9.35")),
        ("globex", "two", "fee", Decimal(11)),
        ("globex", "two", "requests", Decimal(2)),
    ]
    assert await world.rows("2026-09", "late") == [
        ("one", "credit gift", Decimal(-11)),
        ("one", "fee", Decimal(10)),
        ("one", "requests", Decimal(1)),
    ]
    assert ("nobodys",) not in {row[:1] for row in await world.rows("2026-09")}


async def test_a_second_run_changes_nothing_and_says_so(world: World) -> None:
    await world.roll_up()
    world.said.clear()
    assert await world.roll_up() == {"2026-08": UNCHANGED, "2026-09": UNCHANGED}
    said = [line for line in world.said if line != NO_REGISTRY]
    assert len(said) == 2
    assert all("skipped" in line for line in said)
    assert await world.roll_up("2026-09", force=True) == {"2026-09": COMMITTED}
    assert await world.roll_up("2026-07") == {"2026-07": NOTHING}


async def test_late_use_rates_its_own_month_again_and_those_whose_credits_hang_on_it(world: World) -> None:
    await world.use("2026-10", {"late": {1: 0}}, "u1")
    await world.roll_up()
    assert (await world.rows("2026-10", "late"))[0] == ("one", "credit gift", Decimal(-1))  # 12 less 11
    await world.use("2026-09", {"acme": {1: 10}, "late": {30: 15}}, "u2")
    assert await world.roll_up() == {"2026-08": UNCHANGED, "2026-09": COMMITTED, "2026-10": COMMITTED}
    assert (await world.rows("2026-10", "late"))[0] == ("one", "credit gift", Decimal("-1.50"))


async def test_a_book_that_changes_what_is_to_come_rates_no_past_month_again(world: World) -> None:
    await world.roll_up()
    before, _ = await fetch_manifest(world.aws, world.bucket, "revenue", None)
    coming = "  - {version: v2, effective: 2026-11, plans: {one: {fee: 99}, two: {fee: 99}}}\ncontracts:"
    await world.publish(BOOK.replace("contracts:", coming))
    assert set((await world.roll_up()).values()) == {UNCHANGED}
    after, _ = await fetch_manifest(world.aws, world.bucket, "revenue", None)
    assert after == before


async def test_a_tenant_whose_contract_ends_keeps_no_rows_of_months_after_it(world: World) -> None:
    await world.roll_up()
    await world.publish(
        BOOK.replace("{plan: one, since: 2026-08-01}]}", "{plan: one, since: 2026-08-01, through: 2026-08-31}]}", 1)
    )
    assert await world.roll_up() == {"2026-08": UNCHANGED, "2026-09": COMMITTED}
    assert "acme" not in {row[0] for row in await world.rows("2026-09")}
    assert await world.rows("2026-09", "acme") == []


async def test_a_month_without_use_of_a_dataset_says_that_it_counts_as_none(world: World) -> None:
    meters = "meters: {requests: {dataset: usage, metric: requests}, calls: {dataset: feature_usage, measure: calls}}"
    text = BOOK.replace("meters: {requests: {dataset: usage, metric: requests}}", meters)
    await world.publish(
        text.replace('unit_price: "0.01"}}', 'unit_price: "0.01"}, calls: {model: per_unit, unit_price: 1}}')
    )
    await world.roll_up()
    assert "2026-08: no feature_usage is committed, which counts as no use" in world.said
