"""The tools over a published book and committed use: what is shown adds up, and each caller sees what is its own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fixtures.asking import Asker
from fixtures.small_prices import BOOK
from fixtures.small_use import commit_use
from fixtures.stores import Cloud
from pricing.world import World
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import Month
from tenantscope_pricing.book_file import book_of
from tenantscope_pricing.plan_list import contract_row, plan_rows
from tenantscope_pricing.sources.open import Sources
from tenantscope_pricing.tools.get_bill import get_bill
from tenantscope_pricing.tools.get_plans import get_plans

OCTOBER_5 = datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def world(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> World:
    """August and September of the small company, and four days of October."""
    bucket = "pricing-tools"
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    made = World(shared_cloud, bucket, tmp_path_factory.mktemp("world"))
    await commit_use(made.aws, bucket, made.folder, made.clock, ("2026-08", "2026-09"))
    await made.use("2026-10", {"acme": dict.fromkeys(range(1, 5), 120), "Acme-2": {1: 150}}, "october")
    await made.publish(BOOK)
    await made.roll_up()
    return made


@pytest.fixture
async def sources(world: World) -> AsyncIterator[Sources]:
    with world.sources() as sources:
        yield sources


@pytest.fixture
def provider(world: World, sources: Sources) -> Asker:
    return Asker(sources, world.aws, OCTOBER_5)


def tenant(world: World, sources: Sources, name: str) -> Asker:
    return Asker(sources, world.cloud.tenant(name), OCTOBER_5)


async def test_a_bill_by_hand_line_by_line(world: World, sources: Sources) -> None:
    report = await tenant(world, sources, "acme").ask(get_bill, period="2026-09")
    assert (report.of, report.period, report.status, report.currency) == ("acme", "2026-09", "closed", "USD")
    lines = {line.line: line for line in report.tenant.lines}
    # 30 days of 120: 1,000 free, 2,000 at 0.01, 600 at 0.005 is 23.00, less 10 %; 30 x 36 bookings are 11 packages.
    assert {name: str(line.amount) for name, line in lines.items()} == {
        "fee": "100.00", "requests": "20.70", "bookings": "33.00", "seats": "8.00", "model_cost": "0.44",
    }  # fmt: skip
    assert [(str(step.quantity), str(step.amount)) for step in lines["requests"].steps] == [
        ("2000", "20.00"),
        ("600", "3.00"),
    ]
    assert (lines["requests"].quantity, lines["requests"].included, lines["requests"].discount) == (
        3600,
        1000,
        Decimal("2.30"),
    )
    assert str(lines["model_cost"].percent) == "120"
    # Of 30.00 August (120 x 31 = 3,720: 23.60 less 10 %) took 21.24.
    (credit,) = report.tenant.credits
    assert (credit.name, str(credit.paid), str(credit.left)) == ("welcome", "8.76", "0.00")
    assert str(report.total) == "153.38"
    assert report.tenant.estimate is None
    assert str(report.freshness.data_through) == "2026-09-30"


async def test_lines_and_credits_sum_to_the_total_whoever_asks_and_whenever(
    world: World, sources: Sources, provider: Asker
) -> None:
    for name in ("acme", "acme_corp", "globex", "Acme-2"):
        for period in ("2026-08", "2026-09", "latest", "running"):
            report = await tenant(world, sources, name).ask(get_bill, period=period)
            bill = report.tenant
            assert sum(line.amount for line in bill.lines) == bill.subtotal
            assert bill.subtotal - sum(credit.paid for credit in bill.credits) == report.total
            for line in bill.lines:
                if line.steps:
                    assert sum(step.amount for step in line.steps) == line.amount + (line.discount or 0)
            if bill.estimate is not None:
                estimated = sum(line.amount for line in bill.estimate.lines)
                assert estimated >= bill.estimate.total >= report.total


async def test_the_fleets_bill_is_the_sum_of_its_tenants(world: World, sources: Sources, provider: Asker) -> None:
    report = await provider.ask(get_bill, period="2026-09")
    fleet = report.fleet
    own = {
        name: (await tenant(world, sources, name).ask(get_bill, period="2026-09")).total
        for name in ("acme", "acme_corp", "globex", "Acme-2")
    }
    assert {row.tenant_id: row.amount for row in fleet.tenants} == own
    assert report.total == sum(own.values()) == sum(row.amount for row in fleet.plans)
    assert fleet.tenants == sorted(fleet.tenants, key=lambda row: -row.amount)
    quarter = await provider.ask(get_bill, period="2026-08..2026-09")
    august = await provider.ask(get_bill, period="2026-08")
    assert quarter.total == report.total + august.total


async def test_a_running_month_is_billed_so_far_and_estimated_by_its_weekdays(world: World, sources: Sources) -> None:
    report = await tenant(world, sources, "acme").ask(get_bill, period="running")
    assert (report.status, report.period) == ("running", "2026-10")
    requests = next(line for line in report.tenant.lines if line.line == "requests")
    assert requests.quantity == 480
    assert str(report.freshness.data_through) == "2026-10-04"
    estimate = {line.line: line for line in report.tenant.estimate.lines}
    assert estimate["requests"].quantity == 31 * 120  # every day of late was like the others
    assert "same weekday" in report.tenant.estimate.method
    # bookings and models are not metered in October yet: so many days as are known of September say what may come
    assert set(report.tenant.nothing_committed_of) == {"feature_usage", "llm_usage"}


async def test_a_plan_that_changes_within_a_month_is_billed_by_the_days_of_each(world: World, sources: Sources) -> None:
    report = await tenant(world, sources, "acme_corp").ask(get_bill, period="2026-09")
    assert [(one.plan, str(one.first), str(one.last)) for one in report.tenant.terms] == [
        ("starter", "2026-09-01", "2026-09-15"), ("growth", "2026-09-16", "2026-09-30"),
    ]  # fmt: skip
    fees = [str(line.amount) for line in report.tenant.lines if line.line == "fee"]
    assert fees == ["10.00", "50.00"]


async def test_a_minimum_is_topped_up_and_said(world: World, sources: Sources) -> None:
    report = await tenant(world, sources, "globex").ask(get_bill, period="2026-09")
    assert (str(report.tenant.minimum_top_up), str(report.total)) == ("7.60", "60.00")
    assert report.tenant.lines[-1].kind == "minimum"


@pytest.mark.parametrize("period", ["2026-08..2026-09", "2026-09-01", "2026-13", "2026-11", "tomorrow", "*"])
async def test_a_bill_is_of_one_month_that_has_begun(world: World, sources: Sources, period: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await tenant(world, sources, "acme").ask(get_bill, period=period)
    assert caught.value.parameter == "period"


async def test_a_month_before_the_contract_and_a_tenant_without_one_are_told_so(world: World, sources: Sources) -> None:
    with pytest.raises(NotFound, match=r"acme has no contract in 2026-07; it has one since 2026-08-01\."):
        await tenant(world, sources, "acme").ask(get_bill, period="2026-07")
    with pytest.raises(NotFound, match=r"tundra has no contract in 2026-09; .* through 2026-08-31"):
        await tenant(world, sources, "tundra").ask(get_bill, period="2026-09")
    with pytest.raises(NotFound, match="no contract in the book yet"):
        await tenant(world, sources, "initech").ask(get_bill)


async def test_a_tenant_is_shown_its_own_plan_first_with_what_it_agreed_and_what_is_coming(
    world: World, sources: Sources
) -> None:
    answer = await tenant(world, sources, "acme").ask(get_plans)
    assert [(plan.plan, plan.yours) for plan in answer.plans] == [("growth", True), ("starter", None)]
    assert answer.contract.terms[0].agreed == ["10 % off requests"]
    assert answer.plans[1].coming == ["from 2099-01: fee 20.00 → 25.00"]
    assert [(one.version, one.status) for one in answer.versions] == [("summer", "current"), ("next year", "coming")]
    words = {price.line: price.words for price in answer.plans[0].prices}
    assert words["requests"] == "first 1,000 free, then 0.01 each to 3,000, then 0.005 each"
    private = await tenant(world, sources, "globex").ask(get_plans)
    assert private.plans[0].plan == "for_globex"
    assert private.plans[0].public is False


async def test_the_provider_sees_every_plan_and_how_many_are_on_it(provider: Asker) -> None:
    answer = await provider.ask(get_plans, month="2026-09")
    assert {plan.plan: plan.tenants for plan in answer.plans} == {"starter": 2, "growth": 2, "for_globex": 1}
    later = await provider.ask(get_plans, month="2099-01", plan="starter")
    assert (later.version, str(later.plans[0].fee)) == ("next year", "25.00")


async def test_a_plan_that_does_not_exist_names_the_nearest(world: World, sources: Sources, provider: Asker) -> None:
    with pytest.raises(NotFound, match="nearest are 'growth'"):
        await provider.ask(get_plans, plan="grwth")
    with pytest.raises(NotFound) as caught:
        await tenant(world, sources, "acme").ask(get_plans, plan="for_globex")
    assert "globex" not in caught.value.sentence.partition(";")[2]
    with pytest.raises(InvalidArgument):
        await provider.ask(get_plans, month="September")


def test_a_large_book_is_shown_as_far_as_there_is_room_and_the_rest_is_named() -> None:
    prices = {f"line_{n}": {"model": "per_unit", "unit_price": "0.01", "meter": "calls"} for n in range(9)}
    book = book_of(
        {
            "format": 1,
            "currency": "USD",
            "meters": {"calls": {"dataset": "usage", "metric": "calls"}},
            "versions": [
                {"version": "v", "effective": "2026-01", "plans": {f"plan_{n}": {"prices": prices} for n in range(8)}}
            ],
        }
    )
    shown, others = plan_rows(book, Month(2026, 9), None, asked=None, fleet=True)
    assert [row.plan for row in shown] + others == [f"plan_{n}" for n in range(8)]
    assert len(shown) == 2
    ((only,), rest) = plan_rows(book, Month(2026, 9), None, asked="plan_7", fleet=True)
    assert (only.plan, len(only.prices), rest) == ("plan_7", 9, [])


def test_a_long_contract_says_how_much_of_it_is_not_shown() -> None:
    tiers = [{"up_to": 1_000, "unit_price": "0.02"}, {"up_to": 9_000, "unit_price": "0.01"}, {"unit_price": "0.001"}]
    own = {f"line_{n}": {"model": "graduated", "tiers": tiers, "meter": "calls"} for n in range(10)}
    terms = [{"plan": "basic", "since": f"202{n}-01-01", "prices": own} for n in range(9)]
    credits = [{"name": f"credit_{n}", "amount": 5, "granted": f"2026-0{n}"} for n in range(1, 9)]
    book = book_of(
        {
            "format": 1,
            "currency": "USD",
            "meters": {"calls": {"dataset": "usage", "metric": "calls"}},
            "versions": [{"version": "v", "effective": "2020-01", "plans": {"basic": {"fee": 5}}}],
            "contracts": {"acme": {"terms": terms, "credits": credits}},
        }
    )
    row = contract_row(book, book.contracts["acme"])
    assert [term.since.year for term in row.terms] == list(range(2023, 2029))
    assert (row.term_count, len(row.credits), row.credit_count) == (9, 6, 8)
    agreed = [term.agreed or [] for term in row.terms]
    assert [len(each) for each in agreed] == [1, 1, 1, 5, 10, 10]
    assert [each[-1] for each in agreed[:4]] == ["and 10 more"] * 3 + ["and 6 more"]
    assert len(row.model_dump_json(exclude_none=True)) < 10_000
