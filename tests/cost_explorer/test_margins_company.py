"""A company's margins against what its maker knows: who loses money and since when, and what each feature costs."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from cost_explorer.wayfarer import MONTHS, Wayfarer
from fixtures.asking import Asker
from fixtures.clock import Clock
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_cost_explorer.sources.open import Sources, sources_of
from tenantscope_cost_explorer.tools.get_feature_unit_costs import get_feature_unit_costs
from tenantscope_cost_explorer.tools.get_margins import get_margins

LAST = str(MONTHS[-1])
ALL_MONTHS = f"{MONTHS[0]}..{LAST}"
CENT = Decimal("0.01")
MOST_BYTES = 25_000


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
def provider(company: Wayfarer, sources: Sources) -> Asker:
    return Asker(sources, company.cloud.fleet())


async def test_the_money_losers_are_named_with_their_months(company: Wayfarer, provider: Asker) -> None:
    planted: dict[str, str] = company.truth["planted"]["money_losers"]
    report = await provider.ask(get_margins)
    losing = [row for row in report.rows if row.margin < 0]
    assert {row.name: row.loss.since for row in losing} == planted
    assert (report.losing.tenants, report.losing.inactive) == (2, 0)
    assert report.losing.loss == sum(row.margin for row in losing) < 0
    first = {row.name: row.loss for row in losing}["budgetjet"]
    assert (first.or_earlier, first.months) == (True, 12)
    harbourline = {row.name: row.loss for row in losing}["harbourline"]
    assert (harbourline.or_earlier, harbourline.months) == (None, 5)
    # Asked of the whole year, harbourline gained before it lost; the loss begins where it began.
    year = await provider.ask(get_margins, period=ALL_MONTHS, only="losing")
    assert {row.name: row.loss.since for row in year.rows}.items() <= planted.items()
    assert "budgetjet" in {row.name for row in year.rows}


@pytest.mark.requirement("margins-tie")
@pytest.mark.parametrize("month", [str(month) for month in MONTHS])
async def test_every_margin_is_the_makers_to_the_cent_and_ties_to_the_bill(
    company: Wayfarer, provider: Asker, month: str
) -> None:
    truth, revenue = company.truth["billing"][month], company.truth["revenue"][month]
    found: dict[str, Any] = {}
    page, cursor, asked = None, None, 0
    while not asked or cursor is not None:
        page = await provider.ask(get_margins, period=month, limit=9, cursor=cursor)
        found |= {row.name: row for row in page.rows}
        assert sum(row.revenue for row in page.rows) + page.other.revenue == page.revenue
        assert sum(row.cost for row in page.rows) + page.other.cost == page.cost
        assert sum(row.margin for row in page.rows) + page.other.margin - page.residual == page.margin
        cursor, asked = page.next_cursor, asked + 1
    assert page is not None
    assert asked == -(-len(found) // 9)
    assert found.keys() == truth["allocated"].keys() | revenue.keys()
    for tenant, row in found.items():
        cost = Decimal(truth["allocated"].get(tenant, {"total": "0"})["total"])
        assert row.margin == row.revenue - row.cost
        assert abs(row.margin - (Decimal(revenue.get(tenant, "0")) - cost)) < CENT, tenant
    assert page.revenue == sum(map(Decimal, revenue.values()))
    assert page.bill == Decimal(truth["effective_cost"]).quantize(CENT)
    assert page.residual + page.cost == page.bill


async def test_features_share_revenue_by_calls_as_plain_fractions_do(company: Wayfarer, provider: Asker) -> None:
    truth = company.truth
    revenue: dict[str, Fraction] = defaultdict(Fraction)
    for month in truth["months"]:
        for tenant, paid in truth["revenue"][month].items():
            calls = truth["usage"][month].get(tenant, {}).get("feature_calls", {})
            for feature, count in calls.items():
                revenue[feature] += Fraction(paid) * Fraction(count, sum(calls.values()))
            if not calls:
                revenue["(none)"] += Fraction(paid)
    report = await provider.ask(get_margins, period=ALL_MONTHS, group_by="feature", limit=40)
    assert {row.name for row in report.rows} == revenue.keys() | {"(none)"}
    for row in report.rows:
        assert abs(Fraction(row.revenue) - revenue[row.name]) <= Fraction(1, 100), row.name
        if row.name != "(none)":
            named = sum(Decimal(truth["feature_costs"][month][row.name]["total"]) for month in truth["months"]
                        if row.name in truth["feature_costs"][month])  # fmt: skip
            assert abs(row.named_cost - named) < CENT
    assert sum(row.revenue for row in report.rows) == report.revenue
    assert sum(row.cost for row in report.rows) == report.cost


@pytest.mark.parametrize("month", ["2026-01", "2026-03", "2026-06", LAST])
async def test_features_cost_what_the_maker_says_and_tie_to_the_bill(
    company: Wayfarer, provider: Asker, month: str
) -> None:
    truth: dict[str, dict[str, str]] = company.truth["feature_costs"][month]
    report = await replace(provider, most_bytes=MOST_BYTES).ask(get_feature_unit_costs, period=month, limit=25)
    assert {row.feature for row in report.rows if row.attributed.cost} == truth.keys()
    for row in report.rows:
        split = dict(truth.get(row.feature, {"total": "0"}))
        assert abs(row.attributed.cost - Decimal(split.pop("total"))) < CENT
        dearest = sorted(split.items(), key=lambda item: -Decimal(item[1]))[:3]
        assert [one.service for one in row.hosting] == [service for service, _ in dearest]
        assert sum(one.cost for one in row.hosting) + (row.other_services or 0) == row.attributed.cost
        calls = sum(one["feature_calls"].get(row.feature, 0) for one in company.truth["usage"][month].values())
        assert row.calls == calls
        per_call = (row.attributed.cost / calls).quantize(Decimal("0.000001")) if calls else None
        assert row.attributed.per_call == per_call
    bill = Decimal(company.truth["billing"][month]["effective_cost"]).quantize(CENT)
    residual = Decimal(company.truth["billing"][month]["residual"])
    assert abs(report.residual - residual) < CENT
    for view in ("attributed", "with_shared"):
        rows = sum(getattr(row, view).cost for row in report.rows)
        assert rows + getattr(report.no_feature, view) + report.residual == report.bill == bill
    assert report.no_feature.with_shared < report.no_feature.attributed


async def test_the_dearest_feature_is_the_makers(company: Wayfarer, provider: Asker) -> None:
    truth = company.truth["feature_costs"][LAST]
    report = await provider.ask(get_feature_unit_costs)
    dearest = max(truth, key=lambda name: Decimal(truth[name]["total"]))
    assert max(report.rows, key=lambda row: row.attributed.cost).feature == dearest
    for row in report.rows:
        before = Decimal(company.truth["feature_costs"]["2026-09"][row.feature]["total"])
        assert abs(row.before - before) <= CENT
        assert row.change == row.attributed.cost - row.before
    assert report.compared_with == "2026-09"
