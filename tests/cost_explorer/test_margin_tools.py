"""The tools over committed margins and features' costs, on figures that can be worked out by hand."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from core.stores.datasets import commit
from core.stores.test_departures import Registry
from cost_explorer.test_margin_rollup import Books, cost_row
from fixtures.asking import Asker
from fixtures.stores import Cloud, write_parquet
from tenantscope_core.results.errors import InvalidArgument, InvalidCursor, NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.schemas import ALLOCATED_COST, FEATURE_USAGE, MARGIN, SEGMENTS, USAGE
from tenantscope_cost_explorer.sources.open import Sources, sources_of
from tenantscope_cost_explorer.tools.get_feature_unit_costs import get_feature_unit_costs
from tenantscope_cost_explorer.tools.get_margins import get_margins
from tenantscope_cost_explorer.tools.rank_tenants_by_cost import rank_tenants_by_cost

JULY, AUGUST, SEPTEMBER = (Month(2026, month) for month in (7, 8, 9))
MONTHS = (JULY, AUGUST, SEPTEMBER)
PAID = {"acme": ("growth", "100"), "globex": ("starter", "20"), "idle": ("starter", "10"), "spender": ("growth", "40")}
MOST_BYTES = 25_000
COST = {
    JULY: {"acme": "50", "globex": "30", "idle": "4", "spender": "60"},
    AUGUST: {"acme": "50", "globex": "15", "idle": "4", "spender": "30"},
    SEPTEMBER: {"acme": "50", "globex": "32.5", "idle": "4", "spender": "44.44"},
}
CALLS = {"acme": {"search": 30, "book": 10}, "globex": {"search": 5}, "spender": {"book": 2}}
FEATURE_COST = {"search": "12", "book": "3.5"}


def costs_of(month: Month) -> list[tuple[Any, ...]]:
    """The month's rows with their tenants: each one's cost of no feature, the features', and 5 of nobody's."""
    feature, service = (list(ALLOCATED_COST.columns).index(name) for name in ("x_Feature", "ServiceName"))

    def row(tenant: str | None, amount: str, of: str | None = None, by: str = "Compute") -> tuple[Any, ...]:
        made = list(cost_row(month, *amount.split()))
        made[feature], made[service] = of, by
        return (*made, tenant)

    rows = [row(tenant, amount) for tenant, amount in COST[month].items()]
    rows += [row("acme", amount, of) for of, amount in FEATURE_COST.items()]
    rows += [row(None, "1.25", "search", "Cache"), row(None, "5")]
    return rows + ([row("idle", "1 GBP")] if month is JULY else [])


@pytest.fixture(scope="module")
async def books(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Three months of four tenants, one of which does nothing; acme costs 15.5 more than `COST` says."""
    bucket = "margin-tools"
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    registry = Registry(shared_cloud, "margin-tools")
    for tenant, (plan, _) in PAID.items():
        names = {"tenantId": tenant, "tenantName": tenant, "tenantStatus": "Active", "tier": plan}
        item = {name: {"S": value} for name, value in names.items()}
        shared_cloud.client("dynamodb").put_item(TableName=registry.name, Item=item)
    made = Books(shared_cloud.fleet(), bucket, tmp_path_factory.mktemp("books"), registry.name)
    writer = DatasetWriter(made.aws, bucket, clock=made.clock)
    columns = {**ALLOCATED_COST.columns, "tenant_id": "VARCHAR"}
    for month in MONTHS:
        rows = costs_of(month)
        fleet = Part(write_parquet(made.folder / f"cost-{month}.parquet", columns, rows), len(rows))
        await writer.commit("allocated_cost", str(month), run="c", inputs="c", tenants={}, fleet=fleet)
        euros = {"spender": ("growth", "7", "EUR")} if month is SEPTEMBER else {}
        paid = {tenant: [(*each, "USD")] for tenant, each in PAID.items()}
        paid = {tenant: [*each, *([euros[tenant]] if tenant in euros else [])] for tenant, each in paid.items()}
        await made.revenue(month, paid)
        day = month.first_day
        used = {one: [(day, "requests", Decimal(9), "Requests")] for one in CALLS}
        await commit(writer, made.folder / "usage", USAGE, str(month), used)
        personas = {"acme": [("bookers", 0.1, "[]")], "globex": [("searchers", 0.2, "[]")]}
        await commit(writer, made.folder / "segments", SEGMENTS, str(month), personas)
        await commit(writer, made.folder / "features", FEATURE_USAGE, str(month), features(day, month))
    await made.roll_up()
    made.cache.close()
    return made


def features(day: date, month: Month) -> dict[str, list[tuple[Any, ...]]]:
    """Use of features; in July nobody's."""
    return {
        tenant: [(day, name, "do", calls, 3, 0, 1.0, 2.0, 10) for name, calls in own.items() if month is not JULY]
        for tenant, own in CALLS.items()
    }


@pytest.fixture
async def provider(books: Books, tmp_path: Path) -> AsyncIterator[Asker]:
    reader = DatasetReader(books.bucket, clock=books.clock)
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 24)
    made: Sources = sources_of(reader, DuckDbEngine(reader, cache))
    yield Asker(made, books.aws)
    cache.close()


async def test_who_loses_money_since_when_and_what_would_end_it(provider: Asker) -> None:
    report = await provider.ask(get_margins, currency="USD")
    told = [(row.name, row.margin, row.margin_percent, row.tier, row.active) for row in report.rows]
    assert told == [
        ("globex", Decimal("-12.50"), -62.5, "starter", True),
        ("spender", Decimal("-4.44"), -11.1, "growth", True),
        ("idle", Decimal("6.00"), 60.0, "starter", False),
        ("acme", Decimal("34.50"), 34.5, "growth", True),
    ]
    globex, spender = report.rows[0].loss, report.rows[1].loss
    # Lost 10, gained 5, lost 12.50: one good month does not end a row.
    assert (globex.since, globex.or_earlier, globex.months, globex.lost) == ("2026-07", True, 2, Decimal("-17.50"))
    assert (globex.revenue_up_percent, globex.cost_down_percent) == (62.5, 38.5)
    assert (spender.since, spender.months, spender.lost) == ("2026-07", 2, Decimal("-14.44"))
    assert (report.losing.tenants, report.losing.loss, report.losing.inactive) == (2, Decimal("-16.94"), 0)
    assert (report.active_tenants, report.inactive_tenants) == (3, 1)
    assert report.residual == Decimal("6.25")
    assert report.cost == Decimal("146.44")
    assert report.bill == Decimal("152.69")
    assert report.revenue == Decimal("170.00")
    assert report.margin == Decimal("17.31")
    assert report.since_rule is not None
    assert str(report.freshness.data_through) == "2026-09-30"


async def test_a_loss_that_ended_says_until_when(provider: Asker) -> None:
    report = await provider.ask(get_margins, period="2026-07..2026-08", only="losing", currency="USD")
    (row,) = [row for row in report.rows if row.name == "globex"]
    assert row.margin == Decimal("-5.00")
    assert (row.loss.since, row.loss.until, row.loss.months) == ("2026-07", "2026-07", 1)
    assert {one.name for one in report.rows} == {"globex", "spender"}
    assert report.filters == {"only": "losing"}


async def test_currencies_stand_apart_and_the_answer_says_so(provider: Asker) -> None:
    report = await provider.ask(get_margins)
    assert (report.currency, report.other_currencies) == ("USD", ["EUR"])
    assert {row.name: row.also_in for row in report.rows if row.also_in} == {"spender": ["EUR"]}
    assert report.notes == [
        "Tenants with revenue or cost in several currencies: 1. Nothing is converted, so their margin in USD is not "
        "all of it."
    ]
    euros = await provider.ask(get_margins, currency="EUR")
    assert [(row.name, row.revenue, row.cost) for row in euros.rows] == [("spender", Decimal("7.00"), Decimal("0.00"))]
    with pytest.raises(NotFound, match="EUR, USD"):
        await provider.ask(get_margins, currency="JPY")


async def test_tiers_and_personas_are_the_sums_of_their_tenants(provider: Asker) -> None:
    tiers = await provider.ask(get_margins, group_by="tier", currency="USD")
    told = [(row.name, row.tenants, row.losing_tenants, row.revenue, row.cost, row.margin) for row in tiers.rows]
    assert told == [
        ("starter", 2, 1, Decimal("30.00"), Decimal("36.50"), Decimal("-6.50")),
        ("growth", 2, 1, Decimal("140.00"), Decimal("109.94"), Decimal("30.06")),
    ]
    personas = await provider.ask(get_margins, group_by="persona", currency="USD")
    assert {row.name: row.tenants for row in personas.rows} == {"bookers": 1, "searchers": 1, "(none)": 2}
    of_growth = await provider.ask(get_margins, group_by="persona", tier="growth", currency="USD")
    assert {row.name: row.margin for row in of_growth.rows} == {"bookers": Decimal("34.50"), "(none)": Decimal("-4.44")}
    assert of_growth.other.margin == tiers.rows[0].margin
    assert of_growth.losing.tenants == 1
    with pytest.raises(NotFound, match="'growth'"):
        await provider.ask(get_margins, tier="Growth")
    with pytest.raises(InvalidArgument, match="Features"):
        await provider.ask(get_margins, tier="growth", group_by="feature")


async def test_features_share_revenue_and_unnamed_cost_by_calls(provider: Asker) -> None:
    report = await provider.ask(get_margins, group_by="feature", currency="USD", order_by="revenue")
    told = [(row.name, row.revenue, row.cost, row.named_cost, row.calls) for row in report.rows]
    # search: 3/4 of acme's 100 and all of globex's 20; its cost 12 + 3/4 of 50 + 32.5.
    assert told == [
        ("search", Decimal("95.00"), Decimal("82.00"), Decimal("12.00"), 35),
        ("book", Decimal("65.00"), Decimal("60.44"), Decimal("3.50"), 12),
        ("(none)", Decimal("10.00"), Decimal("4.00"), None, None),
    ]
    assert report.residual == Decimal("6.25")
    july = await provider.ask(get_margins, group_by="feature", currency="USD", period="2026-07")
    assert {row.name: row.revenue for row in july.rows} == {"search": 0, "book": 0, "(none)": Decimal("170.00")}


async def test_features_are_of_the_months_that_have_margins_and_later_costs_are_told(
    books: Books, bucket: str, tmp_path: Path
) -> None:
    """A month without revenue is in no margin; a cost restated after the margins were made is not hidden."""
    other = Books(books.aws, bucket, tmp_path)
    for month in (AUGUST, SEPTEMBER):
        await other.cost(month, {"acme": ["5"]})
    await other.revenue(SEPTEMBER, {"acme": [("p", "8", "USD")]})
    await other.roll_up()
    reader = DatasetReader(bucket, clock=other.clock)
    asker = Asker(sources_of(reader, DuckDbEngine(reader, other.cache)), books.aws)
    question = {"group_by": "feature", "period": "2026-08..2026-09"}
    report = await asker.ask(get_margins, **question)
    assert [(row.name, row.revenue, row.cost) for row in report.rows] == [("(none)", Decimal(8), Decimal(5))]
    assert report.freshness.missing_months == ["2026-08"]
    assert report.notes == ["No feature_usage is committed for 2026-09: it is all (none)."]
    await other.cost(SEPTEMBER, {"acme": ["6"]}, "c2")
    other.clock.advance(60)
    report = await asker.ask(get_margins, **question)
    assert report.rows[0].cost == Decimal(5)
    assert any("have changed since" in note for note in report.notes)
    other.cache.close()


async def test_pages_hold_everyone_once_and_a_cursor_is_for_its_question_alone(provider: Asker) -> None:
    seen: list[str] = []
    cursor, first = None, None
    while not seen or cursor is not None:
        page = await provider.ask(get_margins, currency="USD", limit=1, cursor=cursor, order_by="margin_percent")
        others = page.other.margin if page.other else 0
        assert sum(row.margin for row in page.rows) + others - page.residual == page.margin
        seen += [row.name for row in page.rows]
        cursor = page.next_cursor
        first = first or cursor
    assert seen == ["globex", "spender", "acme", "idle"]
    with pytest.raises(InvalidCursor):
        await provider.ask(get_margins, currency="USD", limit=1, cursor=first)


@pytest.mark.parametrize("tool", [get_margins, get_feature_unit_costs], ids=lambda tool: tool.name)
async def test_a_part_of_a_month_is_refused_and_what_is_missing_is_named(provider: Asker, tool: Any) -> None:
    with pytest.raises(InvalidArgument, match="whole months"):
        await provider.ask(tool, period="2026-09-01..2026-09-10")
    with pytest.raises(NotFound, match="2026-07 to 2026-09"):
        await provider.ask(tool, period="2025-01")
    partly = await provider.ask(tool, period="2026-09..2026-10")
    assert partly.freshness.missing_months == ["2026-10"]


async def test_a_feature_costs_what_names_it_and_with_its_part_of_the_rest(provider: Asker) -> None:
    report = await provider.ask(get_feature_unit_costs)
    search, book = report.rows
    assert (search.feature, book.feature) == ("search", "book")
    # 12 of acme's and 1.25 of nobody's; 3/4 of acme's 50 and globex's 32.5 besides.
    assert (search.attributed.cost, search.with_shared.cost) == (Decimal("13.25"), Decimal("83.25"))
    assert (book.attributed.cost, book.with_shared.cost) == (Decimal("3.50"), Decimal("60.44"))
    assert search.attributed.per_call == Decimal("0.378571")
    assert search.with_shared.per_active_tenant == Decimal("41.62")
    assert (search.calls, search.active_tenants, search.users_at_least) == (35, 2, 6)
    hosting = [(one.service, one.cost) for one in search.hosting]
    assert hosting == [("Compute", Decimal("12.00")), ("Cache", Decimal("1.25"))]
    assert (search.before, search.change, report.compared_with) == (Decimal("13.25"), 0, "2026-08")
    assert (report.no_feature.attributed, report.no_feature.with_shared) == (Decimal("130.94"), Decimal("4.00"))
    assert (report.residual, report.bill) == (Decimal("5.00"), Decimal("152.69"))
    one = await provider.ask(get_feature_unit_costs, limit=1, order_by="per_call")
    assert [row.feature for row in one.rows] == ["book"]
    assert (one.other.features, one.other.with_shared, one.truncated) == (1, Decimal("83.25"), True)


async def test_without_any_use_of_features_nothing_is_divided(provider: Asker) -> None:
    july = await provider.ask(get_feature_unit_costs, period="2026-07")
    assert [(row.feature, row.attributed == row.with_shared, row.calls) for row in july.rows] == [
        ("search", True, 0),
        ("book", True, 0),
    ]
    assert july.rows[0].attributed.per_call is None
    assert july.no_feature.attributed == july.no_feature.with_shared == Decimal("144.00")
    with pytest.raises(NotFound, match="2026-06"):
        await provider.ask(get_feature_unit_costs, period="2026-07", order_by="change")


async def test_cost_is_not_shared_where_nobody_active_has_any(provider: Asker) -> None:
    with pytest.raises(NotFound, match="nobody to divide among") as refused:
        await provider.ask(rank_tenants_by_cost, period="2026-07", currency="GBP", inactive="shared_among_active")
    assert refused.value.parameter == "inactive"


@pytest.mark.parametrize("group_by", ["tenant", "tier", "persona"])
async def test_ten_thousand_tenants_fit_one_answer_exactly(
    shared_cloud: Cloud, tmp_path: Path, bucket: str, group_by: str
) -> None:
    """A year of 10,000 losing tenants with the longest names there are."""
    books = Books(shared_cloud.fleet(), bucket, tmp_path)
    writer = DatasetWriter(books.aws, bucket, clock=books.clock)
    columns = {**MARGIN.columns, "tenant_id": "VARCHAR"}
    for n in range(12):
        rows: list[tuple[Any, ...]] = []
        for number in range(10_000):
            revenue, cost = Decimal(number) + Decimal("0.333333333333"), Decimal(number) + Decimal("12345.678912345678")
            labels = (f"tier-{number % 50:02d}" * 5, f"persona-{number % 30}", "a plan, another plan")
            rows.append(("USD", revenue, cost, revenue - cost, *labels, f"tenant-{number:05d}-{'x' * 50}"))
        rows.append(("USD", Decimal(0), Decimal("0.01"), Decimal("-0.01"), None, None, None, None))
        fleet = Part(write_parquet(tmp_path / f"{n}.parquet", columns, rows), len(rows))
        month = str(Month(2025, 10).shift(n))
        await writer.commit("margin", month, run="r", inputs="r", tenants={}, fleet=fleet)
    reader = DatasetReader(bucket, clock=books.clock)
    asker = Asker(sources_of(reader, DuckDbEngine(reader, books.cache)), books.aws)
    report = await asker.ask(get_margins, period="2025-10..2026-09", group_by=group_by)
    assert sum(row.margin for row in report.rows) + report.other.margin - report.residual == report.margin
    # 12 x (10,000 x 0.333333333333 + 0 + 1 + ... + 9,999)
    assert report.revenue == Decimal("599980000.00")
    assert report.losing.tenants == 10_000
    assert report.losing.loss == report.margin + report.residual
    most = await replace(asker, most_bytes=MOST_BYTES).ask(get_margins, group_by=group_by, limit=40)
    assert len(most.rows) == min(40, {"tenant": 10_000, "tier": 50, "persona": 30}[group_by])
    books.cache.close()
