"""Answers about the largest books that the format takes fit what a host may be sent, and nothing is cut silently."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import yaml
from fixtures.asking import Asker
from fixtures.stores import Cloud
from pricing.world import World
from tenantscope_core.tool.outcome import MAX_ANSWER_BYTES
from tenantscope_pricing.bill_room import fitted_bill
from tenantscope_pricing.room import ROOM_BYTES, bytes_of
from tenantscope_pricing.tools.get_bill import get_bill
from tenantscope_pricing.tools.get_plans import get_plans

OCTOBER_5 = datetime(2026, 10, 5, 12, tzinfo=UTC)
FACE = "\U0001f600"


def prices(lines: int, tiers: int) -> dict[str, Any]:
    """Graduated lines with long names."""
    rungs: list[dict[str, Any]] = [{"up_to": (n + 1) * 100, "unit_price": f"0.{12345678901 - n}"} for n in range(tiers)]
    tiered = {"model": "graduated", "meter": "requests", "tiers": [*rungs[:-1], {"unit_price": "0.1"}]}
    return {f"line_{n:02d}_{'x' * 50}": tiered for n in range(lines)}


def book(plans: Mapping[str, Any], *, unit: str = "unit", version: str = "v", **contract: Any) -> str:
    """One version of plans, and a contract of the first."""
    return yaml.safe_dump(
        {
            "format": 1,
            "currency": "USD",
            "meters": {"requests": {"dataset": "usage", "metric": "requests", "unit": unit}},
            "versions": [{"version": version, "effective": "2026-01", "plans": dict(plans)}],
            "contracts": {"acme": {"terms": [{"plan": next(iter(plans)), "since": "2026-08-01"}], **contract}},
        },
        allow_unicode=True,
    )


@pytest.fixture(scope="module")
async def world(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> World:
    bucket = "pricing-room"
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    made = World(shared_cloud, bucket, tmp_path_factory.mktemp("world"))
    await made.use("2026-09", {"acme": dict.fromkeys(range(1, 31), 1_000)}, "september")
    await made.use("2026-10", {"acme": dict.fromkeys(range(1, 5), 1_000)}, "october")
    return made


async def asked(world: World, published: str, tool: Any, **arguments: Any) -> Any:
    """A tenant's answer over a book; the asker holds it to the most that is sent."""
    await world.publish(published)
    with world.sources() as sources:
        asker = Asker(sources, world.cloud.tenant("acme"), OCTOBER_5, most_bytes=MAX_ANSWER_BYTES)
        return await asker.ask(tool, **arguments)


def test_the_room_leaves_a_margin_below_the_most_that_is_sent() -> None:
    assert ROOM_BYTES <= MAX_ANSWER_BYTES * 0.9


async def test_tiers_without_room_are_told_in_words_and_counted(world: World) -> None:
    answer = await asked(world, book({"basic": {"prices": prices(20, 20)}}), get_plans, plan="basic")
    (plan,) = answer.plans
    assert answer.truncated
    assert [(len(plan.prices), price.tiers, price.tier_count) for price in plan.prices] == [(20, None, 20)] * 20
    assert all(price.words.count(" each") == 20 for price in plan.prices)


async def test_lines_that_not_even_words_have_room_for_are_named(world: World) -> None:
    answer = await asked(world, book({"basic": {"prices": prices(30, 20)}}, unit=FACE * 80), get_plans, plan="basic")
    (plan,) = answer.plans
    assert answer.truncated
    assert [*(price.line for price in plan.prices), *plan.other_lines] == sorted(prices(30, 20))


async def test_plans_without_room_are_named_and_counted(world: World) -> None:
    plans = {
        f"plan_{n:02d}": {"name": FACE * 80, "features": [f"{n} {FACE * 70}" for n in range(5)]} for n in range(50)
    }
    answer = await asked(world, book(plans), get_plans)
    assert answer.truncated
    assert answer.plan_count == 50
    assert [*(plan.plan for plan in answer.plans), *answer.other_plans] == list(plans)
    assert "other_plans" in answer.next
    assert all(len(plan.features) == 5 for plan in answer.plans)


async def test_features_without_room_are_counted(world: World) -> None:
    plans = {f"plan_{n}": {"name": FACE * 80, "features": [f"{n} {FACE * 70}" for n in range(20)]} for n in range(5)}
    several = await asked(world, book(plans), get_plans)
    assert several.truncated
    assert len(several.plans) + len(several.other_plans) == several.plan_count == 5
    many = {"plan": {"features": [f"{n} {FACE * 70}" for n in range(200)]}}
    answer = await asked(world, book(many), get_plans, plan="plan")
    assert (answer.truncated, answer.plans[0].features, answer.plans[0].feature_count) == (True, [], 200)


async def test_steps_of_a_bill_without_room_are_counted_and_lines_still_sum_up(world: World) -> None:
    published = book({"basic": {"prices": prices(20, 20)}})
    for period in ("2026-09", "running"):
        report = await asked(world, published, get_bill, period=period)
        bill = report.tenant
        assert report.truncated
        assert len(bill.lines) == 20
        assert {(line.steps, line.step_count) for line in bill.lines} == {(None, 20)}
        assert sum(line.amount for line in bill.lines) == bill.subtotal == report.total > 0


async def test_terms_and_credits_of_a_bill_without_room_are_counted_and_summed(world: World) -> None:
    lines = sorted(prices(20, 20))
    terms = [{"plan": "basic", "since": f"2026-09-{day:02d}"} for day in range(1, 31)]
    credits = [
        {"name": f"credit_{n:02d}_{'y' * 50}", "amount": 5, "granted": "2026-09", "lines": lines} for n in range(60)
    ]
    plans = {"basic": {"prices": prices(20, 20)}}
    published = book(plans, unit=FACE * 80, version=FACE * 80, terms=terms, credits=credits)
    report = await asked(world, published, get_bill, period="2026-09")
    assert (report.truncated, report.tenant.term_count) == (True, 30)
    report = fitted_bill(report, room=6_000)
    bill = report.tenant
    assert bytes_of(report) <= 6_000
    assert bill is not None
    assert bill.other_credits is not None
    assert bill.other is not None
    assert [str(term.last) for term in bill.terms][-1] == "2026-09-30"
    assert len(bill.credits) + bill.other_credits.credits == 60
    assert sum(one.paid for one in bill.credits) + bill.other_credits.paid == bill.credits_paid
    assert sum(line.amount for line in bill.lines) + bill.other.amount == bill.subtotal
    assert len(bill.lines) + bill.other.lines == 600
    assert report.total == bill.subtotal - bill.credits_paid == Decimal(bill.subtotal) - 300


async def test_what_a_contract_agrees_apart_makes_room(world: World) -> None:
    own = prices(10, 20)
    terms = [{"plan": "basic", "since": f"2026-09-{day:02d}", "prices": own} for day in range(1, 7)]
    answer = await asked(world, book({"basic": {"prices": prices(20, 20)}}, terms=terms), get_plans)
    assert answer.truncated
    assert {(term.agreed, term.agreed_apart) for term in answer.contract.terms} == {(None, True)}
    assert len(answer.plans[0].prices) + len(answer.plans[0].other_lines or []) == 20


async def test_an_answer_with_room_leaves_nothing_out(world: World) -> None:
    answer = await asked(world, book({"basic": {"features": ["one"], "prices": prices(2, 3)}}), get_plans)
    (plan,) = answer.plans
    assert (answer.truncated, plan.features, plan.feature_count) == (False, ["one"], None)
    assert [len(price.tiers) for price in plan.prices] == [3, 3]
