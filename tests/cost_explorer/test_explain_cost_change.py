"""Why cost moved, asked of committed costs: everything shown sums, whoever asks and however large the fleet."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cost_explorer.world import World
from fixtures.asking import Asker
from fixtures.stores import Cloud
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.tool.outcome import MAX_ANSWER_BYTES
from tenantscope_cost_explorer.sources.moves import MAX_CELLS
from tenantscope_cost_explorer.sources.open import Sources
from tenantscope_cost_explorer.tools.explain_cost_change import explain_cost_change

pytestmark = pytest.mark.requirement("drivers-sum-to-the-change")

# Of each month: service, feature, category, frequency, class, cost, quantity, unit, tenant, currency
MONTHS = {
    "2026-07": [("Storage", None, "Usage", "Usage-Based", None, 31, 310, "GB", "acme", "USD")],
    "2026-08": [
        ("Storage", None, "Usage", "Usage-Based", None, 31, 310, "GB", "acme", "USD"),
        ("Storage", None, "Usage", "Usage-Based", None, 62, 620, "GB", "globex", "USD"),
        ("Models", "chat", "Usage", "Usage-Based", None, 20, 1000, "1K tokens", "acme", "USD"),
        ("Queue", None, "Usage", "Usage-Based", None, 4, 400, "Requests", "globex", "USD"),
        ("Tax", None, "Tax", "Recurring", None, 9, None, None, "acme", "USD"),
        ("Support", None, "Purchase", "Recurring", None, 29, None, None, None, "USD"),
        ("Storage", None, "Usage", "Usage-Based", None, 5, 50, "GB", "acme", "EUR"),
    ],
    "2026-09": [
        ("Storage", None, "Usage", "Usage-Based", None, 30, 300, "GB", "acme", "USD"),
        ("Storage", None, "Usage", "Usage-Based", None, 180, 1800, "GB", "globex", "USD"),
        ("Models", "chat", "Usage", "Usage-Based", None, "29.032258064516", "967.741935483871", "1K tokens",
         "acme", "USD"),
        ("Search", None, "Usage", "Usage-Based", None, "7.005", 70, "Hours", "acme", "USD"),
        ("Tax", None, "Tax", "Recurring", None, 11, None, None, "acme", "USD"),
        ("Support", None, "Purchase", "Recurring", None, 29, None, None, None, "USD"),
        ("Storage", None, "Credit", "One-Time", None, -15, None, None, "acme", "USD"),
        ("Models", "chat", "Usage", "Usage-Based", "Correction", "-2.5", -125, "1K tokens", "acme", "USD"),
        ("Storage", None, "Usage", "Usage-Based", None, 7, 50, "GB", "acme", "EUR"),
    ],
}  # fmt: skip


def select(month: str) -> str:
    def text(value: Any) -> str:
        return "NULL" if value is None else f"'{value}'"

    rows = ", ".join(f"({', '.join(text(value) for value in row)})" for row in MONTHS[month])
    return (
        f"SELECT DATE '{month}-01' AS \"ChargePeriodStart\", last_day(DATE '{month}-01') + 1 AS \"ChargePeriodEnd\", *"
        f' FROM (VALUES {rows}) AS rows("ServiceName", "x_Feature", "ChargeCategory", "ChargeFrequency", "ChargeClass",'
        ' "EffectiveCost", "ConsumedQuantity", "ConsumedUnit", tenant_id, "BillingCurrency")'
    )


@pytest.fixture(scope="module")
async def world(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(shared_cloud, "cost-explorer-changes", tmp_path_factory.mktemp("changes"))
    for month in MONTHS:
        await made.costs(month, select(month), ["acme"] if month == "2026-07" else ["acme", "globex"])
    return made


@pytest.fixture
async def sources(world: World, tmp_path: Path) -> AsyncGenerator[Sources]:
    async with world.sources(tmp_path) as opened:
        yield opened


@pytest.fixture
def provider(world: World, sources: Sources) -> Asker:
    return Asker(sources, world.cloud.fleet())


@pytest.fixture
def acme(world: World, sources: Sources) -> Asker:
    return Asker(sources, world.cloud.tenant("acme"))


def adds_up(change: Any) -> bool:
    lines = sum((one.change for one in change.lines), change.other.change if change.other else Decimal(0))
    drivers = sum((one.change for one in change.drivers), Decimal(0))
    return change.after - change.before == change.change == lines == drivers


async def test_the_fleets_change_is_told_by_driver(provider: Asker) -> None:
    answer = await provider.ask(explain_cost_change)
    usd, eur = answer.changes
    assert (answer.of, answer.period, answer.compared_with, answer.days, answer.days_before) == (
        "fleet", "2026-09", "2026-08", 30, 31,
    )  # fmt: skip
    assert (usd.before, usd.after, usd.change) == (Decimal("155.00"), Decimal("268.54"), Decimal("113.54"))
    # By hand, a day less at the rates of August: storage -1 and -2, models -0.645..; then globex 1,200 GB more at 0.10;
    # models at 0.03 in place of 0.02; search begins and the queue ends; a credit and a correction; tax.
    assert {one.driver: one.change for one in usd.drivers} == {
        "days": Decimal("-3.65"), "volume": Decimal("120.00"), "unit_price": Decimal("9.68"), "new": Decimal("7.01"),
        "gone": Decimal("-4.00"), "one_off": Decimal("-17.50"), "unmeasured": Decimal("2.00"),
    }  # fmt: skip
    first = usd.lines[0]
    assert (first.tenant_id, first.service, first.driver, first.change) == (
        "globex", "Storage", "volume", Decimal("120.00"),
    )  # fmt: skip
    assert (first.before, first.after, first.quantity_before, first.quantity_after, first.unit) == (
        62,
        180,
        620,
        1800,
        "GB",
    )
    assert usd.summary == (
        "Cost rose by 113.54 USD against 2026-08 (+73.2 %). The biggest driver is volume (+120.00 USD), "
        "first of all Storage of globex."
    )
    assert (usd.per_day.before, usd.per_day.after) == (Decimal("5.00"), Decimal("8.95"))
    assert {one.driver: one.change for one in eur.drivers} == {
        "days": Decimal("-0.16"), "volume": Decimal("0.16"), "unit_price": Decimal("2.00"),
    }  # fmt: skip
    assert all(adds_up(one) for one in answer.changes)


async def test_a_tenant_is_told_its_own_part_and_nothing_of_others(acme: Asker) -> None:
    answer = await acme.ask(explain_cost_change)
    usd = answer.changes[0]
    assert (answer.of, usd.before, usd.after) == ("acme", Decimal("60.00"), Decimal("59.54"))
    assert all(line.tenant_id is None for change in answer.changes for line in change.lines)
    assert "globex" not in answer.model_dump_json()
    assert all(adds_up(one) for one in answer.changes)


@pytest.mark.parametrize(
    ("period", "compared_with"),
    [
        ("2026-09-01..2026-09-10", None),
        ("2026-09-11..2026-09-17", "2026-08-01..2026-08-20"),
        ("2026-09-20..2026-09-30", "2026-09-01..2026-09-05"),
        ("2026-08..2026-09", "2026-07"),
    ],
)
async def test_whatever_the_periods_what_is_shown_adds_up(acme: Asker, period: str, compared_with: str | None) -> None:
    answer = await acme.ask(explain_cost_change, period=period, compared_with=compared_with)
    assert answer.changes
    assert all(adds_up(one) for one in answer.changes)
    assert all((one.per_day is None) is (answer.days == answer.days_before) for one in answer.changes)


async def test_part_of_a_charge_counts_for_part_of_a_period_with_its_quantity(acme: Asker) -> None:
    answer = await acme.ask(
        explain_cost_change, period="2026-08-16..2026-08-31", compared_with="2026-08-01..2026-08-15"
    )
    usd = answer.changes[0]
    assert [(one.driver, one.change) for one in usd.drivers] == [
        ("days", Decimal("1.65")), ("unmeasured", Decimal("0.29")),
    ]  # fmt: skip
    assert usd.other.change == Decimal("1.65")  # a day more moves every cell alike, and is no line


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"period": "2026-09", "compared_with": "2026-09-03"}, InvalidArgument, "in common"),
        ({"period": "2026-09", "compared_with": "soon"}, InvalidArgument, "compared_with must be"),
        ({"period": "2026-07"}, NotFound, "2026-06"),
        ({"period": "2026-09", "compared_with": "2025-01"}, NotFound, "2026-07 to 2026-09"),
    ],
)
async def test_periods_that_cannot_be_compared_are_refused(
    provider: Asker, arguments: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        await provider.ask(explain_cost_change, **arguments)
    assert getattr(raised.value, "parameter", None) == "compared_with"


CROWD = """
  SELECT DATE '{month}-01' AS "ChargePeriodStart", DATE '{month}-01' + 30 AS "ChargePeriodEnd",
    't' || lpad(t::VARCHAR, 5, '0') AS tenant_id, 'Service ' || s AS "ServiceName", 'feature ' || f AS "x_Feature",
    q AS "ConsumedQuantity", 'unit ' || s AS "ConsumedUnit", q * 0.003 + t * 0.000000000001 AS "EffectiveCost"
  FROM range(10000) tenants(t), range(6) services(s), range(5) features(f),
    LATERAL (SELECT 100 + (t * 7 + s * 31 + f * 13 + {shift}) % 211 AS q)
  WHERE (t + s + {shift}) % 50 > 0
"""


@pytest.fixture(scope="module")
async def crowd(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(shared_cloud, "cost-explorer-changes-crowd", tmp_path_factory.mktemp("crowd"))
    for shift, month in enumerate(("2026-08", "2026-09")):
        await made.costs(month, CROWD.format(month=month, shift=shift))
    return made


async def test_ten_thousand_tenants_are_one_small_answer_that_sums(crowd: World, tmp_path: Path) -> None:
    async with crowd.sources(tmp_path) as sources:
        answer = await Asker(sources, crowd.cloud.fleet(), most_bytes=MAX_ANSWER_BYTES).ask(explain_cost_change)
    (usd,) = answer.changes
    assert adds_up(usd)
    assert answer.cells == 10_000 * 6 * 5
    assert answer.cells_together == answer.cells - MAX_CELLS
    assert {"volume", "new", "gone"} <= {one.driver for one in usd.drivers}
    assert any(line.tenant_id == "(other tenants)" for line in usd.lines)


async def test_a_month_that_still_runs_is_held_against_as_many_days(world: World, provider: Asker) -> None:
    """Rolled up on the fifth of October, four days of it were over."""
    rows = """
      SELECT DATE '2026-10-01' AS "ChargePeriodStart", DATE '2026-10-05' AS "ChargePeriodEnd",
        'Storage' AS "ServiceName", 24 AS "EffectiveCost", 240 AS "ConsumedQuantity", 'GB' AS "ConsumedUnit",
        'globex' AS tenant_id"""
    await world.costs("2026-10", rows)
    answer = await provider.ask(explain_cost_change)
    assert (answer.period, answer.days, answer.days_before) == ("2026-10", 4, 30)
    drivers = {one.driver: one.change for one in answer.changes[0].drivers}
    assert drivers["days"] == Decimal("-156.00")  # globex's storage, 180 in thirty days and 24 in four
    assert "volume" not in drivers
