"""The latest bill is of a month that has all the use its prices need, and none that lacks some is called closed."""

from datetime import UTC, datetime

import pytest
from fixtures.asking import Asker
from fixtures.small_prices import BOOK
from fixtures.small_use import commit_use
from fixtures.stores import Cloud
from pricing.world import World
from tenantscope_core.results.periods import Month
from tenantscope_pricing.needed import newest_complete
from tenantscope_pricing.tools.get_bill import get_bill

NOVEMBER_3 = datetime(2026, 11, 3, 12, tzinfo=UTC)
JULY, AUGUST, SEPTEMBER, OCTOBER = (Month(2026, n) for n in range(7, 11))
MONTHS = (JULY, AUGUST, SEPTEMBER, OCTOBER)


@pytest.fixture(scope="module")
async def world(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> World:
    """September whole; of October only requests are committed, and October is over."""
    bucket = "pricing-latest"
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    made = World(shared_cloud, bucket, tmp_path_factory.mktemp("world"))
    await commit_use(made.aws, bucket, made.folder, made.clock, ("2026-08", "2026-09"))
    await made.use("2026-10", {"acme": {1: 120}, "Acme-2": {1: 150}}, "october")
    await made.publish(BOOK)
    await made.roll_up()
    return made


async def bill(world: World, tenant: str | None, period: str = "latest"):
    aws = world.aws if tenant is None else world.cloud.tenant(tenant)
    with world.sources() as sources:
        report = await Asker(sources, aws, NOVEMBER_3).ask(get_bill, period=period)
    lacks = (report.fleet or report.tenant).nothing_committed_of
    return report.period, report.status, lacks


async def test_the_latest_bill_has_every_dataset_that_the_tenants_prices_need(world: World) -> None:
    assert await bill(world, "acme") == ("2026-09", "closed", None)
    assert await bill(world, "Acme-2") == ("2026-10", "closed", None)  # its plan is of requests alone


async def test_the_latest_bill_of_the_fleet_has_every_dataset_that_its_prices_need(world: World) -> None:
    assert await bill(world, None) == ("2026-09", "closed", None)


async def test_a_month_that_lacks_use_is_incomplete_and_says_of_what(world: World) -> None:
    lacks = ["feature_usage", "llm_usage"]
    assert await bill(world, "acme", "2026-10") == ("2026-10", "incomplete", lacks)
    assert await bill(world, None, "2026-10") == ("2026-10", "incomplete", lacks)
    assert await bill(world, None, "2026-09..2026-10") == ("2026-09..2026-10", "incomplete", lacks)
    assert await bill(world, "acme_corp") == ("2026-09", "incomplete", ["llm_usage"])  # never asked a model


def needs(month: Month) -> set[str]:
    return {"usage", "llm_usage"}


def test_a_dataset_that_is_not_used_any_more_holds_no_bill_back() -> None:
    usage = {"usage": set(MONTHS)}
    assert newest_complete({**usage, "llm_usage": {SEPTEMBER}}, MONTHS, needs) == SEPTEMBER
    assert newest_complete({**usage, "llm_usage": {AUGUST}}, MONTHS, needs) == AUGUST
    assert newest_complete({**usage, "llm_usage": {JULY}}, MONTHS, needs) == OCTOBER
    assert newest_complete({**usage, "llm_usage": set()}, MONTHS, needs) == OCTOBER


def test_where_no_month_has_all_the_latest_is_the_newest() -> None:
    assert newest_complete({"usage": {OCTOBER}, "llm_usage": {SEPTEMBER}}, MONTHS, needs) == OCTOBER
    assert newest_complete({"usage": set(), "llm_usage": set()}, (), needs) is None
