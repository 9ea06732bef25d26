"""The margins of a month: made from its committed cost and revenue, again where one of them changed, and only then."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from core.stores.datasets import commit
from core.stores.test_departures import Registry
from fixtures.clock import Clock
from fixtures.stores import Cloud, SignedCaller
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.datasets import DatasetReader, fetch_manifest
from tenantscope_core.stores.departures import NO_REGISTRY
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.rollup import Outcome, Request
from tenantscope_core.stores.schemas import ALLOCATED_COST, REVENUE, SEGMENTS
from tenantscope_cost_explorer.sources.margin_rollup import MarginRollup

AUGUST, SEPTEMBER = Month(2026, 8), Month(2026, 9)
COMMITTED, UNCHANGED, NOTHING, FAILED = Outcome.COMMITTED, Outcome.UNCHANGED, Outcome.NOTHING, Outcome.FAILED
Paid = tuple[str, str, str]


def cost_row(month: Month, amount: str, currency: str = "USD") -> tuple[Any, ...]:
    """A row of `allocated_cost` of which nothing matters but its cost."""
    given = {
        "ChargePeriodStart": month.first_day, "ChargePeriodEnd": date(month.year, month.month, 28),
        "ServiceName": "Service", "ChargeCategory": "Usage", "BillingCurrency": currency, "x_Method": "direct",
        "EffectiveCost": Decimal(amount), "BilledCost": Decimal(amount),
    }  # fmt: skip
    return tuple(given.get(name) for name in ALLOCATED_COST.columns)


class Books:
    """A bucket with costs and revenue, and the margins that are made of them."""

    def __init__(self, aws: SignedCaller, bucket: str, folder: Path, registry: str | None = None) -> None:
        self.aws, self.bucket, self.folder, self.registry = aws, bucket, folder, registry
        self.clock = Clock()
        self.said: list[str] = []
        self._writer = DatasetWriter(aws, bucket, clock=self.clock)
        self._reader = DatasetReader(bucket, clock=self.clock)
        self.cache = ObjectCache(folder / "cache", max_bytes=1 << 24)

    async def cost(self, month: Month, amounts: Mapping[str, Sequence[str]], run: str = "c1") -> None:
        """Commit cost by tenant: amounts, in USD unless one says otherwise (`5 EUR`)."""
        rows = {tenant: [cost_row(month, *one.split()) for one in each] for tenant, each in amounts.items()}
        await commit(self._writer, self.folder / "cost", ALLOCATED_COST, str(month), rows, run=run)

    async def revenue(self, month: Month, paid: Mapping[str, Sequence[Paid]], run: str = "r1") -> None:
        """Commit revenue by tenant: plan, amount, currency."""
        rows = {
            tenant: [(plan, "fee", Decimal(amount), currency) for plan, amount, currency in each]
            for tenant, each in paid.items()
        }
        await commit(self._writer, self.folder / "revenue", REVENUE, str(month), rows, run=run)

    async def roll_up(self, *months: Month, force: bool = False, aws: Any = None) -> dict[Month, Outcome]:
        work = MarginRollup(
            aws or self.aws,
            self.bucket,
            DuckDbEngine(self._reader, self.cache),
            registry=self.registry,
            folder=self.folder,
            clock=self.clock,
            say=self.said.append,
        )
        return await work.run(Request(months or None, force))

    async def rows(self, month: Month) -> list[tuple[Any, ...]]:
        """Committed margins: tenant, currency, revenue, cost, margin, tier, persona, plan."""
        manifest, _ = await fetch_manifest(self.aws, self.bucket, "margin", None)
        (ref,) = manifest.months[str(month)].objects
        answer = await self.aws.call("s3", "get_object", Bucket=self.bucket, Key=ref.key)
        path = self.folder / "read.parquet"
        path.write_bytes(answer["Body"])
        with duckdb.connect() as connection:
            return connection.execute(
                f"SELECT tenant_id, currency, revenue, cost, margin, tier, persona, plan FROM '{path}' ORDER BY ALL"
            ).fetchall()

    async def run_of(self, month: Month) -> str:
        manifest, _ = await fetch_manifest(self.aws, self.bucket, "margin", None)
        return manifest.months[str(month)].run


@pytest.fixture
def books(cloud: Cloud, bucket: str, tmp_path: Path) -> Iterator[Books]:
    made = Books(cloud.fleet(), bucket, tmp_path)
    yield made
    made.cache.close()


@pytest.fixture
async def two_months(books: Books) -> Books:
    for month in (AUGUST, SEPTEMBER):
        await books.cost(month, {"acme": ["3.25", "4"], "globex": ["10.000000000001"]})
        await books.revenue(month, {"acme": [("growth", "20", "USD"), ("starter", "-1.5", "USD")]})
    return books


async def test_a_month_is_revenue_less_cost_of_every_tenant_to_the_last_digit(two_months: Books) -> None:
    assert await two_months.roll_up() == {AUGUST: COMMITTED, SEPTEMBER: COMMITTED}
    assert await two_months.rows(SEPTEMBER) == [
        ("acme", "USD", Decimal("18.5"), Decimal("7.25"), Decimal("11.25"), None, None, "growth, starter"),
        ("globex", "USD", 0, Decimal("10.000000000001"), Decimal("-10.000000000001"), None, None, None),
    ]
    own, _ = await fetch_manifest(two_months.aws, two_months.bucket, "margin", "globex")
    assert own.months == {}, "what a tenant earns the company is no data of the tenant's"


async def test_a_second_run_changes_nothing_and_says_so(two_months: Books) -> None:
    await two_months.roll_up()
    run = await two_months.run_of(SEPTEMBER)
    two_months.said.clear()
    assert await two_months.roll_up() == {AUGUST: UNCHANGED, SEPTEMBER: UNCHANGED}
    assert await two_months.run_of(SEPTEMBER) == run
    said = [line for line in two_months.said if line != NO_REGISTRY]
    assert len(said) == 2
    assert all("skipped" in line for line in said)
    assert await two_months.roll_up(SEPTEMBER, force=True) == {SEPTEMBER: COMMITTED}
    assert await two_months.run_of(SEPTEMBER) != run


async def test_late_revenue_and_restated_cost_make_their_own_month_anew_and_no_other(two_months: Books) -> None:
    await two_months.roll_up()
    await two_months.revenue(AUGUST, {"acme": [("growth", "5", "USD")]}, "r2")
    assert await two_months.roll_up() == {AUGUST: COMMITTED, SEPTEMBER: UNCHANGED}
    assert [row[4] for row in await two_months.rows(AUGUST)] == [Decimal("-2.25"), Decimal("-10.000000000001")]
    await two_months.cost(SEPTEMBER, {"acme": ["1"]}, "c2")
    assert await two_months.roll_up() == {AUGUST: UNCHANGED, SEPTEMBER: COMMITTED}
    assert [row[:4] for row in await two_months.rows(SEPTEMBER)] == [("acme", "USD", Decimal("18.5"), 1)]


async def test_a_month_without_revenue_is_said_and_skipped(books: Books) -> None:
    await books.cost(AUGUST, {"acme": ["1"]})
    await books.cost(SEPTEMBER, {"acme": ["1"]})
    await books.revenue(SEPTEMBER, {"acme": [("p", "2", "USD")]})
    assert await books.roll_up() == {AUGUST: NOTHING, SEPTEMBER: COMMITTED}
    assert "2026-08: no revenue is committed, so there is no margin yet" in books.said
    assert await books.roll_up(Month(2026, 7)) == {Month(2026, 7): NOTHING}
    assert "2026-07: the allocated cost has nothing" in books.said


async def test_currencies_stand_apart_and_that_is_said(books: Books) -> None:
    await books.cost(SEPTEMBER, {"acme": ["3", "2 EUR"], "globex": ["1"]})
    await books.revenue(SEPTEMBER, {"acme": [("p", "7", "EUR")], "globex": [("p", "4", "USD")]})
    await books.roll_up()
    assert [row[:5] for row in await books.rows(SEPTEMBER)] == [
        ("acme", "EUR", 7, 2, 5),
        ("acme", "USD", 0, 3, -3),
        ("globex", "USD", 4, 1, 3),
    ]
    assert any("tenants with revenue in one currency and cost in another: 1." in line for line in books.said)


@pytest.mark.requirement("bad-object-named")
async def test_damaged_revenue_fails_its_month_alone_and_is_named(two_months: Books) -> None:
    manifest, _ = await fetch_manifest(two_months.aws, two_months.bucket, "revenue", None)
    (ref,) = manifest.months[str(AUGUST)].objects
    await two_months.aws.call("s3", "put_object", Bucket=two_months.bucket, Key=ref.key, Body=b"no parquet")
    assert await two_months.roll_up() == {AUGUST: FAILED, SEPTEMBER: COMMITTED}
    assert any(line.startswith("2026-08: failed: ") and "revenue of the fleet" in line for line in two_months.said)


async def test_margins_that_are_damaged_are_made_anew(two_months: Books) -> None:
    await two_months.roll_up()
    before = await two_months.rows(AUGUST)
    manifest, _ = await fetch_manifest(two_months.aws, two_months.bucket, "margin", None)
    (ref,) = manifest.months[str(AUGUST)].objects
    await two_months.aws.call("s3", "put_object", Bucket=two_months.bucket, Key=ref.key, Body=b"no parquet")
    assert await two_months.roll_up() == {AUGUST: COMMITTED, SEPTEMBER: UNCHANGED}
    assert "2026-08: its committed margins cannot be read and are made anew" in two_months.said
    assert await two_months.rows(AUGUST) == before


async def test_revenue_without_an_amount_is_no_zero(books: Books) -> None:
    await books.cost(SEPTEMBER, {"acme": ["1"]})
    path = books.folder / "holes"
    writer = DatasetWriter(books.aws, books.bucket, clock=books.clock)
    await commit(writer, path, REVENUE, str(SEPTEMBER), {"acme": [("p", "fee", None, "USD")]})
    assert await books.roll_up() == {SEPTEMBER: FAILED}
    assert "2026-09: failed: The revenue of 2026-09 has a line without an amount or a currency; commit it again." in (
        books.said
    )


async def test_personas_come_from_the_segments_of_the_month(two_months: Books) -> None:
    await two_months.roll_up()
    writer = DatasetWriter(two_months.aws, two_months.bucket, clock=two_months.clock)
    await commit(writer, two_months.folder / "s", SEGMENTS, str(SEPTEMBER), {"acme": [("bookers", 0.5, "[]")]})
    assert await two_months.roll_up() == {AUGUST: UNCHANGED, SEPTEMBER: COMMITTED}
    assert [(row[0], row[6]) for row in await two_months.rows(SEPTEMBER)] == [("acme", "bookers"), ("globex", None)]


async def test_a_changed_tier_makes_the_months_of_its_tenant_anew_and_one_that_left_keeps_its_own(
    books: Books, cloud: Cloud, bucket: str
) -> None:
    registry = Registry(cloud, f"tiers-{bucket}")
    books.registry = registry.name
    tiers = {"acme": "growth", "globex": "starter", "newcomer": "starter"}

    def put(tenant: str, status: str, tier: str | None) -> None:
        item = {"tenantId": tenant, "tenantName": tenant, "tenantStatus": status, **({"tier": tier} if tier else {})}
        cloud.client("dynamodb").put_item(TableName=registry.name, Item={k: {"S": v} for k, v in item.items()})

    for tenant, status in zip(tiers, ("Active", "Suspended", "trial"), strict=True):
        put(tenant, status, tiers[tenant])
    for month in (AUGUST, SEPTEMBER):
        await books.cost(month, {"acme": ["1"], **({"globex": ["1"]} if month is AUGUST else {})})
        await books.revenue(month, {"acme": [("p", "2", "USD")]})
    await books.roll_up()
    assert [(row[0], row[5]) for row in await books.rows(AUGUST)] == [("acme", "growth"), ("globex", "starter")]
    put("newcomer", "Active", "enterprise")
    assert set((await books.roll_up()).values()) == {UNCHANGED}
    put("globex", "Active", "growth")
    assert await books.roll_up() == {AUGUST: COMMITTED, SEPTEMBER: UNCHANGED}
    put("globex", "Offboarded", None)
    assert await books.roll_up() == {AUGUST: UNCHANGED, SEPTEMBER: UNCHANGED}
    assert [(row[0], row[5]) for row in await books.rows(AUGUST)] == [("acme", "growth"), ("globex", "growth")]


class Died(BaseException):
    """No failure that anything catches."""


class Dying:
    """The fleet's session of a process that dies at its nth write."""

    tenant = None

    def __init__(self, caller: SignedCaller, writes: int) -> None:
        self._caller, self._left = caller, writes

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        if operation == "put_object":
            self._left -= 1
            if self._left < 0:
                raise Died
        return await self._caller.call(service, operation, **parameters)


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
async def test_a_run_that_dies_leaves_what_was_and_is_simply_run_again(two_months: Books, writes: int) -> None:
    await two_months.roll_up(AUGUST)
    await two_months.revenue(AUGUST, {"acme": [("growth", "5", "USD")]}, "r2")
    before = await two_months.rows(AUGUST)
    with pytest.raises((Died, BaseExceptionGroup)):
        await two_months.roll_up(aws=Dying(two_months.aws, writes))
    months = (await fetch_manifest(two_months.aws, two_months.bucket, "margin", None))[0].months
    if writes < 2:  # an object and a manifest a month
        assert await two_months.rows(AUGUST) == before
    else:
        assert (await two_months.rows(AUGUST))[0][4] == Decimal("-2.25")
    assert str(SEPTEMBER) not in months
    await two_months.roll_up()
    assert [row[4] for row in await two_months.rows(AUGUST)] == [Decimal("-2.25"), Decimal("-10.000000000001")]
    assert [row[4] for row in await two_months.rows(SEPTEMBER)] == [Decimal("11.25"), Decimal("-10.000000000001")]
    assert set((await two_months.roll_up()).values()) == {UNCHANGED}
