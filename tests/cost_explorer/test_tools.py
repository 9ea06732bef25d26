"""The tools over committed costs: what is shown adds up, and each caller sees what is its own."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cost_explorer.test_rollup import Company
from fixtures.asking import NOW, Asker
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.identity.caller import Audience
from tenantscope_core.results.errors import InvalidArgument, InvalidCursor, NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_cost_explorer.sources.open import Sources, sources_of
from tenantscope_cost_explorer.tools import TOOLS
from tenantscope_cost_explorer.tools.get_allocation_report import get_allocation_report
from tenantscope_cost_explorer.tools.get_costs import get_costs
from tenantscope_cost_explorer.tools.rank_tenants_by_cost import rank_tenants_by_cost

AUGUST, SEPTEMBER = Month(2026, 8), Month(2026, 9)
CENT = Decimal("0.01")
HEADER = (
    "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,ChargePeriodStart,ChargePeriodEnd,"
    "ServiceName,ChargeCategory,Tags"
)
RULES = """
format: 1
feature: {tag: feature}
environment: {tag: environment}
rules:
  - {name: own, match: {tag: {tenant: "*"}}, allocate: {method: direct, tenant: {tag: tenant}}}
  - {name: shared, match: {tag: {shared: "*"}}, allocate: {method: driver, metric: usage.requests, fallback: [even]}}
  - {name: tax, match: {charge_category: Tax}, allocate: {method: proxy}}
"""


def row(cost: str, day: datetime, service: str, currency: str = "USD", category: str = "Usage", **tags: str) -> str:
    stamps = ",".join(str(at)[:19] for at in (day.replace(day=1), day, day + timedelta(days=1)))
    tag = json.dumps(tags).replace('"', '""')
    return f'{cost},{cost},{currency},payer,{stamps},{service},{category},"{tag}"'


def a_month(first: datetime, factor: int) -> list[str]:
    """Thirty days: three tenants' own, a shared platform, tax, and something of nobody's."""
    rows: list[str] = []
    for number in range(30):
        day = first + timedelta(days=number)
        rows += [row(f"0.{factor}37", day, f"Service {n}", tenant=f"t{n % 3}", feature="f") for n in range(14)]
        rows.append(row(f"{factor}.005", day, "Platform", shared="yes", environment="prod"))
        rows.append(row("0.333", day, "Unknown"))
    rows.append(row("10.10", first, "Tax", category="Tax"))
    rows.append(row("100", first, "Elsewhere", currency="EUR", tenant="t0"))
    return rows


@pytest.fixture(scope="module")
async def company(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """August and September rolled up; of four tenants one did nothing."""
    bucket = "cost-explorer-tools"
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    made = Company(shared_cloud.fleet(), bucket, tmp_path_factory.mktemp("company"))
    bill = made.folder / "bill.csv"
    months = [(datetime(2026, 8, 1, tzinfo=UTC), 1), (datetime(2026, 9, 1, tzinfo=UTC), 2)]
    bill.write_text("\n".join([HEADER, *(line for first, n in months for line in a_month(first, n))]) + "\n")
    for month in (AUGUST, SEPTEMBER):
        await made.use(month, {"t0": 5, "t1": 2, "idle-not": 1}, f"u-{month}")
    await made.roll_up(RULES, url=str(bill))
    return made


@pytest.fixture
async def sources(company: Company, tmp_path: Path) -> AsyncIterator[Sources]:
    reader = DatasetReader(company.bucket, clock=Clock())
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 24)
    yield sources_of(reader, DuckDbEngine(reader, cache))
    cache.close()


@pytest.fixture
def provider(company: Company, sources: Sources) -> Asker:
    return Asker(sources, company.aws)


@pytest.fixture
def tenant(shared_cloud: Cloud, sources: Sources) -> Asker:
    return Asker(sources, shared_cloud.tenant("t0"))


def adds_up(costs: Any) -> bool:
    """Whether the rows and the rest are the total, for now, before and the change."""
    parts = [*costs.rows, *([costs.other] if costs.other else [])]
    sums = [
        sum((getattr(part, name) or Decimal(0) for part in parts), Decimal(0)) for name in ("cost", "before", "change")
    ]
    wanted = [costs.total, costs.before, costs.change]
    compared = any(part.before is not None for part in parts)
    return sums == wanted if compared else sums[0] == costs.total


@pytest.mark.parametrize("group_by", ["service", "feature", "environment", "charge_category", "day", "month"])
@pytest.mark.parametrize("period", ["latest", "2026-08..2026-09", "2026-09-03..2026-09-09", "2026-09-05"])
async def test_what_is_shown_adds_up_to_the_total(provider: Asker, tenant: Asker, group_by: str, period: str) -> None:
    for asker in (provider, tenant):
        report = await asker.ask(get_costs, period=period, group_by=group_by, limit=4)
        assert report.of == (asker.aws.tenant or "fleet")
        assert all(adds_up(costs) for costs in report.costs)
        for costs in report.costs:
            assert costs.truncated == (costs.row_count > len(costs.rows)) == (costs.other is not None)
            assert sum(method.cost for method in costs.methods) == costs.total


async def test_the_fleet_costs_its_bill_and_currencies_stand_apart(provider: Asker) -> None:
    report = await provider.ask(get_costs)
    usd, eur = report.costs
    # 30 x (14 x 0.237 + 2.005 + 0.333) + 10.10
    assert (usd.currency, usd.total, eur.currency, eur.total) == ("USD", Decimal("179.78"), "EUR", Decimal("100.00"))
    assert usd.before == Decimal("107.78")
    assert usd.change == Decimal("72.00")
    assert report.compared_with == "2026-08"
    assert {method.method for method in usd.methods} == {"direct", "driver", "proxy", "residual"}
    assert str(report.freshness.data_through) == "2026-09-30"
    assert report.freshness.may_be_restated


async def test_a_tenant_sees_its_own_part_and_the_provider_the_same(
    company: Company, sources: Sources, tenant: Asker, shared_cloud: Cloud
) -> None:
    own = await tenant.ask(get_costs)
    named = await Asker(sources, shared_cloud.tenant("t0")).ask(get_costs)
    assert own.costs == named.costs
    (total,) = await company.rows(
        SEPTEMBER, "SELECT sum(\"EffectiveCost\") FROM rows WHERE tenant_id = 't0' AND \"BillingCurrency\" = 'USD'"
    )
    assert own.costs[1].total == total[0].quantize(CENT)
    assert all(method.method != "residual" for costs in own.costs for method in costs.methods)


async def test_the_weeks_of_a_month_add_up_to_it(provider: Asker) -> None:
    """Shared cost, kept by the month, is spread over its days."""
    weeks = ["2026-09-01..2026-09-10", "2026-09-11..2026-09-20", "2026-09-21..2026-09-30"]
    totals = [(await provider.ask(get_costs, period=week)).costs for week in weeks]
    month = (await provider.ask(get_costs)).costs[0].total
    usd = [costs.total for found in totals for costs in found if costs.currency == "USD"]
    assert abs(sum(usd) - month) <= CENT  # each week is rounded by itself


async def test_a_day_is_one_of_thirty_of_what_is_kept_by_the_month(tenant: Asker) -> None:
    by_day = await tenant.ask(get_costs, group_by="day", service="Platform")
    month = by_day.costs[0]
    assert month.row_count == 30
    assert {cost.cost for cost in month.rows} <= {
        month.rows[0].cost,
        month.rows[0].cost + CENT,
        month.rows[0].cost - CENT,
    }


async def test_filters_narrow_and_an_unknown_value_names_the_nearest(provider: Asker) -> None:
    report = await provider.ask(get_costs, group_by="feature", service="Platform", environment="prod")
    assert [cost.name for cost in report.costs[0].rows] == ["(none)"]
    assert report.costs[0].total == Decimal("60.15")
    with pytest.raises(NotFound, match="'Platform'") as raised:
        await provider.ask(get_costs, service="platfrom")
    assert raised.value.parameter == "service"


async def test_a_tenant_is_told_nearest_values_of_its_own_only(tenant: Asker) -> None:
    with pytest.raises(NotFound) as raised:
        await tenant.ask(get_costs, service="Unknow")
    assert "Unknown" not in raised.value.sentence


@pytest.mark.parametrize("value", ["*", "Service%", "Service*"])
async def test_a_wildcard_in_a_filter_is_refused(tenant: Asker, value: str) -> None:
    with pytest.raises(InvalidArgument, match="wildcards"):
        await tenant.ask(get_costs, service=value)


async def test_a_quote_in_a_filter_is_only_a_quote(tenant: Asker) -> None:
    with pytest.raises(NotFound):
        await tenant.ask(get_costs, service="' OR 1=1 --")


async def test_a_month_that_is_not_there_names_those_that_are(provider: Asker) -> None:
    with pytest.raises(NotFound, match="2026-08 to 2026-09"):
        await provider.ask(get_costs, period="2025-01")
    partly = await provider.ask(get_costs, period="2026-09..2026-10")
    assert partly.freshness.missing_months == ["2026-10"]
    assert partly.compared_with is None


async def test_a_tenant_without_any_cost_is_told_so_whatever_the_period(shared_cloud: Cloud, sources: Sources) -> None:
    nobody = Asker(sources, shared_cloud.tenant("nobody"))
    for period in ("latest", "2026-09"):
        with pytest.raises(NotFound) as refused:
            await nobody.ask(get_costs, period=period)
        assert "nobody" in refused.value.sentence


async def test_a_month_is_final_once_the_cloud_has_closed_its_bill(provider: Asker) -> None:
    later = replace(provider, now=NOW + timedelta(days=30))
    assert not (await later.ask(get_costs)).freshness.may_be_restated


@pytest.mark.parametrize("period", ["latest", "2026-09-01..2026-09-10"])
@pytest.mark.parametrize("order_by", ["cost", "change"])
async def test_a_page_the_others_and_the_residual_are_the_bill(provider: Asker, period: str, order_by: str) -> None:
    seen: list[str] = []
    cursor = None
    while not seen or cursor is not None:
        page = await provider.ask(
            rank_tenants_by_cost, period=period, order_by=order_by, limit=1, cursor=cursor, currency="USD"
        )
        others = page.other.total if page.other else Decimal(0)
        assert sum(one.total for one in page.rows) + others + page.residual == page.bill
        assert all(one.direct + one.shared == one.total for one in page.rows)
        seen += [one.tenant_id for one in page.rows]
        cursor = page.next_cursor
        assert page.truncated == (cursor is not None)
    assert sorted(seen) == ["idle-not", "t0", "t1", "t2"]


async def test_active_and_inactive_tenants_are_told_apart(provider: Asker) -> None:
    everyone = await provider.ask(rank_tenants_by_cost, currency="USD")
    assert [(one.tenant_id, one.active) for one in everyone.rows] == [
        ("t0", True),
        ("t1", True),
        ("t2", False),
        ("idle-not", True),
    ]
    assert everyone.residual == Decimal("9.99")
    idle = await provider.ask(rank_tenants_by_cost, currency="USD", status="inactive")
    assert [one.tenant_id for one in idle.rows] == ["t2"]
    assert (idle.tenant_count, idle.active_tenants, idle.inactive_tenants) == (1, 3, 1)
    assert idle.rows[0].total + idle.other.total + idle.residual == idle.bill == everyone.bill


async def test_inactive_tenants_are_kept_apart_or_shared_among_active_ones(provider: Asker) -> None:
    apart = await provider.ask(rank_tenants_by_cost, currency="USD")
    (idle,) = [one for one in apart.rows if one.active is False]
    assert (apart.inactive, apart.inactive_cost, apart.inactive_tenants) == ("apart", idle.total, 1)
    shared = await provider.ask(rank_tenants_by_cost, currency="USD", inactive="shared_among_active")
    assert (shared.inactive, shared.inactive_cost, shared.inactive_tenants) == ("shared_among_active", idle.total, 1)
    assert (shared.bill, shared.residual) == (apart.bill, apart.residual)
    assert {one.tenant_id for one in shared.rows} == {one.tenant_id for one in apart.rows} - {"t2"}
    assert sum(one.total for one in shared.rows) + shared.residual == shared.bill
    assert shared.other.total == 0
    own = {one.tenant_id: one.total for one in apart.rows if one.active}
    for one in shared.rows:
        part = idle.total * own[one.tenant_id] / sum(own.values())
        assert abs(one.total - own[one.tenant_id] - part) <= CENT
        assert abs(one.of_inactive - part) <= CENT
        assert one.direct + one.shared == one.total
    assert shared.compared_with == "2026-08"
    with pytest.raises(InvalidArgument, match="no cost to list"):
        await provider.ask(rank_tenants_by_cost, inactive="shared_among_active", status="inactive")


async def test_a_cursor_is_for_its_question_alone(provider: Asker) -> None:
    page = await provider.ask(rank_tenants_by_cost, currency="USD", limit=2)
    with pytest.raises(InvalidCursor):
        await provider.ask(rank_tenants_by_cost, currency="USD", limit=2, order_by="change", cursor=page.next_cursor)


async def test_the_dearest_currency_is_ranked_and_the_others_are_named(provider: Asker) -> None:
    page = await provider.ask(rank_tenants_by_cost)
    assert (page.currency, page.other_currencies) == ("USD", ["EUR"])
    with pytest.raises(NotFound, match="EUR, USD"):
        await provider.ask(rank_tenants_by_cost, currency="JPY")


async def test_the_report_ties_every_invoice_and_counts_every_charge(provider: Asker) -> None:
    report = await provider.ask(get_allocation_report)
    assert report.reconciles
    assert report.charges == 30 * 16 + 2
    assert [(one.invoice, one.currency, one.difference) for one in report.invoices] == [
        ("payer 2026-09", "EUR", Decimal("0.00")),
        ("payer 2026-09", "USD", Decimal("0.00")),
    ]
    assert [(one.rule, one.currency, one.charges) for one in report.rules] == [
        ("own", "EUR", 1),
        ("own", "USD", 30 * 14),
        ("shared", "USD", 30),
        ("tax", "USD", 1),
        ("(no rule)", "USD", 30),
    ]
    assert [(one.service, one.cost) for one in report.residual_services] == [("Unknown", Decimal("9.99"))]
    assert sum(one.cost for one in report.coverage if one.currency == "USD") == Decimal("179.78")
    both = await provider.ask(get_allocation_report, period="2026-08..2026-09")
    assert both.invoice_count == 4
    assert len(both.rules_versions) == 1


async def test_the_report_is_of_whole_months(provider: Asker) -> None:
    with pytest.raises(InvalidArgument, match="whole months"):
        await provider.ask(get_allocation_report, period="2026-09-01..2026-09-10")


def test_what_a_model_must_read_of_the_tools_is_short() -> None:
    listed = [tool.listed(Audience.PROVIDER) for tool in TOOLS]
    read = [{"name": one.name, "description": one.description, "inputSchema": one.input_schema} for one in listed]
    assert len(json.dumps(read, separators=(",", ":"))) < 1_333 * len(TOOLS)  # nine of them are 12 KB
