"""`forecast_costs`: what is shown adds up, says how sure it is, and is made of what its caller may see."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cost_explorer.relations import part
from fixtures.asking import Asker
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.schemas import ALLOCATED_COST, REVENUE
from tenantscope_cost_explorer.forecast_answers import ForecastReport
from tenantscope_cost_explorer.sources.open import Sources, sources_of
from tenantscope_cost_explorer.tools.forecast_costs import forecast_costs

LAST = Month(2026, 9)
MONTHS = [LAST.shift(back) for back in range(-35, 1)]
SEASON = (90, 80, 90, 100, 110, 120, 140, 150, 120, 100, 80, 120)
"""Of a hundred, January first."""
GROWTH = Decimal("1.01")
SIZES = {"large": Decimal(1000), "middle": Decimal(100), "small": Decimal(10)}
PAYS = {"large": Decimal(1500), "middle": Decimal(90)}
MOST_BYTES = 25_000


def cost_of(size: Decimal, month: Month) -> Decimal:
    """A tenant that grows by one per cent a month and has the season, with a little chance that is always the same."""
    place = MONTHS.index(month) if month in MONTHS else len(MONTHS) + (month.year - LAST.year) * 12 + month.month - 10
    chance = 1 + Decimal((place * 7919 + int(size)) % 41 - 20) / 1000
    return (size * GROWTH**place * SEASON[month.month - 1] / 100 * chance).quantize(Decimal("0.000001"))


@dataclass(frozen=True)
class Committed:
    """A bucket with three years."""

    bucket: str
    cloud: Cloud
    clock: Clock


def costs(amounts: Mapping[Any, tuple[Decimal, str]]) -> str:
    rows = ", ".join(
        f"({'NULL' if tenant is None else repr(tenant)}, {amount}::DECIMAL(38,12), '{currency}')"
        for tenant, (amount, currency) in amounts.items()
    )
    return f"(VALUES {rows}) AS t(tenant_id, EffectiveCost, BillingCurrency)"


@pytest.fixture(scope="module")
async def committed(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Committed:
    """Three years of three tenants and a residual, one new tenant, one in euros, and a month that still runs."""
    bucket, folder, clock = "forecasts", tmp_path_factory.mktemp("forecasts"), Clock()
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    writer = DatasetWriter(shared_cloud.fleet(), bucket, clock=clock)
    for month in [*MONTHS, LAST.shift(1)]:
        amounts: dict[str | None, tuple[Decimal, str]] = {
            tenant: (cost_of(size, month), "USD") for tenant, size in SIZES.items()
        }
        amounts |= {None: (Decimal(50), "USD"), "abroad": (Decimal(7), "EUR")}
        if month > LAST.shift(-5):
            amounts["late"] = (Decimal(20), "USD")
        own = {
            str(tenant): part(folder, ALLOCATED_COST, f"{month}-{tenant}", costs({tenant: amount}))
            for tenant, amount in amounts.items()
            if tenant in ("middle", "late")
        }
        fleet = part(folder, ALLOCATED_COST, f"{month}", costs(amounts))
        await writer.commit("allocated_cost", str(month), run="r", inputs="r", tenants=own, fleet=fleet)
        paid = {tenant: (pays * GROWTH ** (MONTHS.index(min(month, LAST))), "USD") for tenant, pays in PAYS.items()}
        renamed = costs(paid).replace("EffectiveCost, BillingCurrency", "amount, currency")
        revenue = part(folder, REVENUE, f"{month}-revenue", renamed)
        await writer.commit("revenue", str(month), run="r", inputs="r", tenants={}, fleet=revenue)
    return Committed(bucket, shared_cloud, clock)


@pytest.fixture
async def sources(committed: Committed, tmp_path: Path) -> AsyncIterator[Sources]:
    reader = DatasetReader(committed.bucket, clock=committed.clock)
    cache = ObjectCache(tmp_path, max_bytes=1 << 28)
    yield sources_of(reader, DuckDbEngine(reader, cache))
    cache.close()


@pytest.fixture
def provider(committed: Committed, sources: Sources) -> Asker:
    return Asker(sources, committed.cloud.fleet(), most_bytes=MOST_BYTES)


def tenant(committed: Committed, sources: Sources, name: str) -> Asker:
    return Asker(sources, committed.cloud.tenant(name), most_bytes=MOST_BYTES)


def require_sums(report: ForecastReport) -> None:
    assert report.total == sum(month.cost for month in report.months)
    if report.tenants is not None:
        base = report.total - sum((month.events or Decimal(0) for month in report.months), Decimal(0))
        others = report.other.cost if report.other is not None else Decimal(0)
        assert report.residual is not None
        assert base == sum((one.cost for one in report.tenants), others + report.residual)
    for month in report.months:
        assert month.cost_95.low <= month.cost_80.low <= month.cost <= month.cost_80.high <= month.cost_95.high
        if month.margin is not None:
            assert month.revenue is not None
            assert month.margin == month.revenue - month.cost


@pytest.mark.requirement("forecasts-own-up")
async def test_the_fleets_half_year_is_its_tenants_and_comes_near_what_comes(provider: Asker) -> None:
    report: ForecastReport = await provider.ask(forecast_costs)
    require_sums(report)
    assert (report.of, report.currency, report.other_currencies) == ("fleet", "USD", ["EUR"])
    assert (report.history, report.history_months) == ("2023-10..2026-09", 36)
    assert [month.month for month in report.months] == [
        "2026-10",
        "2026-11",
        "2026-12",
        "2027-01",
        "2027-02",
        "2027-03",
    ]
    comes = [sum(cost_of(size, LAST.shift(n)) for size in SIZES.values()) + 50 + 20 for n in range(1, 7)]
    for month, real in zip(report.months, comes, strict=True):
        assert abs(month.cost - real) < real * Decimal("0.08")
        assert month.cost_95.low <= real <= month.cost_95.high
    assert report.tenants is not None
    assert [one.tenant_id for one in report.tenants] == ["large", "middle", "late", "small"]
    assert report.back_test.forecasts == 12
    assert report.back_test.error_percent is not None
    assert report.back_test.seasonal_naive_error_percent is not None
    assert report.back_test.error_percent < report.back_test.seasonal_naive_error_percent
    assert any("2026-10" in note for note in report.notes), "the running month is left out, and said to be"


async def test_margins_come_with_it_for_the_provider_where_revenue_is_known(
    committed: Committed, sources: Sources, provider: Asker
) -> None:
    report: ForecastReport = await provider.ask(forecast_costs, months=3)
    assert all(month.margin is not None and month.margin_95 is not None for month in report.months)
    assert report.margin_total == sum((month.margin or Decimal(0) for month in report.months), Decimal(0))
    own: ForecastReport = await tenant(committed, sources, "middle").ask(forecast_costs, months=3)
    assert all(month.margin is None and month.revenue is None for month in own.months)
    assert own.margin_total is None
    assert "argin" not in " ".join(own.notes)


async def test_a_tenants_forecast_is_of_its_own_past_alone(committed: Committed, sources: Sources) -> None:
    asker = tenant(committed, sources, "middle")
    own: ForecastReport = await asker.ask(forecast_costs, months=12)
    require_sums(own)
    assert (own.of, own.tenants, own.other, own.residual, own.other_currencies) == ("middle", None, None, None, [])
    for n, month in enumerate(own.months, start=1):
        real = cost_of(SIZES["middle"], LAST.shift(n))
        assert abs(month.cost - real) < real * Decimal("0.1")
    assert "late" not in own.model_dump_json()
    assert "large" not in own.model_dump_json()


async def test_known_events_stand_apart_from_what_is_forecast(provider: Asker) -> None:
    plain: ForecastReport = await provider.ask(forecast_costs, months=3)
    events: list[dict[str, Any]] = [
        {"month": "2026-11", "kind": "price_change", "percent": 10},
        {"month": "2026-12", "kind": "contract_end", "percent": 50},
        {"month": "2026-10", "kind": "one_off", "amount": 100},
    ]
    report: ForecastReport = await provider.ask(forecast_costs, months=3, events=events)
    require_sums(report)
    first, second, third = (month.cost for month in plain.months)
    wanted = [first + 100, second * Decimal("1.1"), third * Decimal("1.1") * Decimal("0.5")]
    assert [month.cost for month in report.months] == [one.quantize(Decimal("0.01")) for one in wanted]
    assert [month.events for month in report.months] == [
        month.cost - base.cost for month, base in zip(report.months, plain.months, strict=True)
    ]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"month": "2026-09", "kind": "contract_end"}, "within 2026-10"),
        ({"month": "2026-13", "kind": "contract_end"}, "no month"),
        ({"month": "2026-10", "kind": "one_off"}, "needs an amount"),
        ({"month": "2026-10", "kind": "one_off", "amount": 1, "percent": 1}, "no percent"),
        ({"month": "2026-10", "kind": "price_change"}, "needs a percent"),
        ({"month": "2026-10", "kind": "contract_end", "amount": 5}, "no amount"),
    ],
)
async def test_an_event_that_makes_no_sense_is_refused_with_the_reason(
    provider: Asker, event: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidArgument, match=told):
        await provider.ask(forecast_costs, events=[event])


async def test_five_months_are_too_few_and_the_answer_says_how_many_there_are(
    committed: Committed, sources: Sources, provider: Asker
) -> None:
    with pytest.raises(NotFound, match="5 months of cost, and a forecast needs six"):
        await tenant(committed, sources, "late").ask(forecast_costs)
    with pytest.raises(NotFound, match="No cost is in that currency; there is EUR, USD"):
        await provider.ask(forecast_costs, currency="JPY")
    with pytest.raises(NotFound, match="No cost was ever committed for nobody"):
        await tenant(committed, sources, "nobody").ask(forecast_costs)


async def test_ten_thousand_tenants_fit_one_answer_whose_parts_sum(
    shared_cloud: Cloud, tmp_path: Path, provider: Asker
) -> None:
    bucket, clock = "forecasts-of-many", Clock()
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    writer = DatasetWriter(shared_cloud.fleet(), bucket, clock=clock)
    for place, month in enumerate(MONTHS[-24:]):
        values = f"""(SELECT CASE WHEN n > 0 THEN 't' || n END AS tenant_id, 'USD' AS BillingCurrency,
          (1 + n % 97) * (100 + (n * 31 + {place} * 17) % 13) / 7.0 AS EffectiveCost FROM range(10001) AS r(n))"""
        fleet = part(tmp_path, ALLOCATED_COST, f"many-{month}", values)
        await writer.commit("allocated_cost", str(month), run="r", inputs="r", tenants={}, fleet=fleet)
    reader = DatasetReader(bucket, clock=clock)
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 28)
    report: ForecastReport = await replace(provider, sources=sources_of(reader, DuckDbEngine(reader, cache))).ask(
        forecast_costs, months=12
    )
    cache.close()
    require_sums(report)
    assert report.other is not None
    assert report.other.tenants == 9_995
    assert report.history_months == 24
