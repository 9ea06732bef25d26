"""A company's planted spike against what its maker knows: found on its days, with its cost, and explained as volume."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from cost_explorer.wayfarer import Wayfarer
from fixtures.asking import Asker
from fixtures.clock import Clock
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_cost_explorer.sources.open import Sources, sources_of
from tenantscope_cost_explorer.tools.explain_cost_change import explain_cost_change
from tenantscope_cost_explorer.tools.find_cost_anomalies import find_cost_anomalies

MONTH = "2026-09"
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def company(wayfarer: Wayfarer) -> Wayfarer:
    return wayfarer


@pytest.fixture(scope="module")
async def sources(company: Wayfarer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sources]:
    reader = DatasetReader(company.bucket, clock=Clock())
    cache = ObjectCache(tmp_path_factory.mktemp("cache"), max_bytes=1 << 28)
    yield sources_of(reader, DuckDbEngine(reader, cache))
    cache.close()


@pytest.fixture
def spike(company: Wayfarer) -> dict[str, Any]:
    return company.truth["planted"]["cost_spike"]


@pytest.fixture
def provider(company: Wayfarer, sources: Sources) -> Asker:
    return Asker(sources, company.cloud.fleet())


@pytest.fixture
def spiking(company: Wayfarer, sources: Sources, spike: dict[str, Any]) -> Asker:
    return Asker(sources, company.cloud.tenant(spike["tenant"]))


async def test_the_spike_is_found_on_its_days_with_its_cost(
    company: Wayfarer, provider: Asker, spiking: Asker, spike: dict[str, Any]
) -> None:
    for asker in (provider, spiking):
        answer = await asker.ask(find_cost_anomalies, period=MONTH)
        one = answer.anomalies[0]
        assert (one.service, one.series, one.direction) == (spike["service"], 1, "up")
        assert (one.first_day.isoformat(), one.last_day.isoformat()) == (spike["days"][0], spike["days"][-1])
        assert one.actual == Decimal(spike["cost"]).quantize(CENT)
        assert float(one.excess) == pytest.approx(float(spike["excess_cost"]), rel=0.05)
        assert sum(row.quantity for row in one.rows) == Decimal(spike["quantity"])
        assert {row.unit for row in one.rows} == {spike["unit"]}
        if asker is spiking:
            assert (answer.count, one.tenant_id, one.margin_points) == (1, None, None)
        else:
            revenue = Decimal(company.truth["revenue"][MONTH][spike["tenant"]])
            assert (one.tenant_id, one.revenue) == (spike["tenant"], revenue.quantize(CENT))
            assert one.margin_points == round(float(-one.excess / revenue * 100), 1)


@pytest.mark.parametrize("month", ["2026-07", "2026-08", MONTH])
async def test_what_rises_for_days_is_what_was_planted_and_nothing_else(
    company: Wayfarer, provider: Asker, month: str, spike: dict[str, Any]
) -> None:
    """Over three hundred series of forty tenants: the spike and the noisy neighbour's bursts, each one anomaly."""
    noisy = company.truth["planted"]["noisy_neighbour"]
    planted = {(noisy["tenant"], day, day) for day in noisy["days"] if day.startswith(month)}
    if month == MONTH:
        planted.add((spike["tenant"], spike["days"][0], spike["days"][-1]))
    answer = await provider.ask(find_cost_anomalies, period=month, limit=10)
    assert not answer.truncated
    rises = [one for one in answer.anomalies if one.direction == "up"]
    assert {(one.tenant_id, str(one.first_day), str(one.last_day)) for one in rises} == planted
    assert len(rises) == len(planted)


async def test_a_tenant_that_costs_five_times_as_much_from_a_month_on_is_one_monthly_anomaly(
    company: Wayfarer, provider: Asker
) -> None:
    """What it uses of the shared platform is known by the month; eleven services are one event."""
    tenant, since = next(
        (name, since) for name, since in company.truth["planted"]["money_losers"].items() if since != "2025-11"
    )
    answer = await provider.ask(find_cost_anomalies, period=since)
    one = answer.anomalies[0]
    assert (one.kind, one.tenant_id, one.direction, str(one.first_day)[:7]) == ("monthly", tenant, "up", since)
    assert one.services > 5
    assert 4 < one.actual / one.expected < 7
    assert one.margin_points < -30


async def test_the_spike_is_explained_as_volume_of_its_service(
    company: Wayfarer, provider: Asker, spiking: Asker, spike: dict[str, Any]
) -> None:
    own = (await spiking.ask(explain_cost_change, period=MONTH)).changes[0]
    first = own.lines[0]
    assert (first.service, first.driver, first.unit) == (spike["service"], "volume", spike["unit"])
    assert float(first.change) == pytest.approx(float(spike["excess_cost"]), rel=0.15)
    fleet = (await provider.ask(explain_cost_change, period=MONTH)).changes[0]
    truth = company.truth["billing"]
    for change, sums in (
        (own, [Decimal(truth[month]["allocated"][spike["tenant"]]["total"]) for month in ("2026-08", MONTH)]),
        (fleet, [Decimal(truth[month]["effective_cost"]) for month in ("2026-08", MONTH)]),
    ):
        assert (change.before, change.after) == tuple(one.quantize(CENT) for one in sums)
        assert sum(one.change for one in change.drivers) == change.change
        assert sum(one.change for one in change.lines) + change.other.change == change.change
    same = next(line for line in fleet.lines if line.tenant_id == spike["tenant"] and line.service == spike["service"])
    assert (same.driver, same.quantity_before, same.quantity_after) == (
        "volume", first.quantity_before, first.quantity_after,
    )  # fmt: skip
    assert abs(same.change - first.change) <= CENT
