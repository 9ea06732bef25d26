"""Unusual spend, asked of committed costs: found once, with its rows, its margin, and what was not looked at."""

from collections.abc import AsyncGenerator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cost_explorer.world import World
from fixtures.asking import Asker
from fixtures.stores import Cloud
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.tool.outcome import MAX_ANSWER_BYTES
from tenantscope_cost_explorer.sources.open import Sources
from tenantscope_cost_explorer.tools.find_cost_anomalies import find_cost_anomalies

pytestmark = pytest.mark.requirement("one-excess-once")

MONTHS = [f"{2025 + (n + 8) // 12}-{(n + 8) % 12 + 1:02d}" for n in range(13)]  # September to September
LOOP, OUTAGE = ("2026-09-08", "2026-09-11"), ("2026-09-20", "2026-09-21")

# acme's transfer is eight times its usual for four days, and cheap storage doubles in three tenants and two features on
# two days; backups of everybody's double in September; one tenant is new; there is a credit, tax and a monthly fee.
DAILY = f"""
  SELECT day::DATE AS "ChargePeriodStart", day::DATE + 1 AS "ChargePeriodEnd", tenant_id, service AS "ServiceName",
    feature AS "x_Feature", 'Usage' AS "ChargeCategory", 'Usage-Based' AS "ChargeFrequency", unit AS "ConsumedUnit",
    CAST(quantity * CASE isodow(day) WHEN 6 THEN 0.7 WHEN 7 THEN 0.6 ELSE 1 END
      * (1 + 0.02 * ((dayofyear(day) * 7) % 5))
      * CASE WHEN service = 'Transfer' AND tenant_id = 'acme' AND day BETWEEN '{LOOP[0]}' AND '{LOOP[1]}' THEN 8
             WHEN service = 'Storage' AND day BETWEEN '{OUTAGE[0]}' AND '{OUTAGE[1]}' THEN 2.5 ELSE 1 END
      AS DECIMAL(18, 4)) AS "ConsumedQuantity",
    CAST("ConsumedQuantity" * 0.09 AS DECIMAL(38, 12)) AS "EffectiveCost"
  FROM (VALUES ('acme', 'Transfer', NULL, 50, 'GB'), ('globex', 'Transfer', NULL, 80, 'GB'),
      ('acme', 'Storage', 'search', 300, 'GB-Hours'), ('globex', 'Storage', 'search', 200, 'GB-Hours'),
      ('umbra', 'Storage', 'search', 100, 'GB-Hours'), ('umbra', 'Storage', 'booking', 100, 'GB-Hours'),
      ('newcomer', 'Storage', 'search', 400, 'GB-Hours')
    ) AS series(tenant_id, service, feature, quantity, unit),
    range(DATE '{{month}}-01', DATE '{{month}}-01' + INTERVAL 1 MONTH, INTERVAL 1 DAY) AS days(day)
  WHERE (tenant_id <> 'newcomer' OR day >= '2026-09-04')"""
ONCE = """
  SELECT DATE '{month}-01' + start AS "ChargePeriodStart", DATE '{month}-01' + stop AS "ChargePeriodEnd", tenant_id,
    service AS "ServiceName", NULL AS "x_Feature", category AS "ChargeCategory", frequency AS "ChargeFrequency",
    NULL AS "ConsumedUnit", NULL AS "ConsumedQuantity",
    CAST(cost * CASE WHEN service = 'Backup' AND '{month}' = '2026-09' THEN 2 WHEN service = 'Backup' THEN 1
      WHEN service = 'Promotion' AND '{month}' <> '2026-09' THEN 0 ELSE 1 END AS DECIMAL(38, 12)) AS "EffectiveCost"
  FROM (VALUES ('acme', 'Backup', 'Usage', 'Usage-Based', 20, 0, 28), 
      ('globex', 'Backup', 'Usage', 'Usage-Based', 10, 0, 28),
      ('acme', 'Tax', 'Tax', 'Recurring', 90, 0, 28), ('acme', 'Promotion', 'Credit', 'One-Time', -12.5, 4, 5),
      ('acme', 'Support', 'Purchase', 'Recurring', 500, 0, 28), ('globex', 'Licence', 'Usage', 'Usage-Based', 70, 0, 1)
    ) AS charges(tenant_id, service, category, frequency, cost, start, stop)"""


@pytest.fixture(scope="module")
async def world(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(shared_cloud, "cost-explorer-anomalies", tmp_path_factory.mktemp("anomalies"))
    for month in MONTHS:
        tenants = ["acme", "globex", "umbra"] + (["newcomer"] if month == "2026-09" else [])
        await made.costs(month, f"{DAILY} UNION ALL BY NAME {ONCE}".replace("{month}", month), tenants)
    await made.revenue(
        "2026-09", "SELECT 'acme' AS tenant_id, 'growth' AS plan, 'fee' AS line, 2000 AS amount, 'USD' AS currency"
    )
    return made


@pytest.fixture
async def sources(world: World, tmp_path: Path) -> AsyncGenerator[Sources]:
    async with world.sources(tmp_path) as opened:
        yield opened


@pytest.fixture
def provider(world: World, sources: Sources) -> Asker:
    return Asker(sources, world.cloud.fleet())


async def test_each_event_is_one_anomaly_with_its_excess_its_rows_and_its_margin(provider: Asker) -> None:
    answer = await provider.ask(find_cost_anomalies)
    assert (answer.period, answer.judged_through, answer.history_from) == (
        "2026-09", date(2026, 9, 30), date(2026, 7, 7),
    )  # fmt: skip
    found = {(one.kind, one.service): one for one in answer.anomalies}
    assert list(found) == [("daily", "Storage"), ("daily", "Transfer"), ("monthly", "Backup"), ("one_off", "Promotion")]
    assert (answer.count, answer.truncated) == (4, False)

    loop = found["daily", "Transfer"]
    assert (loop.tenant_id, loop.tenants, loop.series, loop.direction) == ("acme", 1, 1, "up")
    assert (str(loop.first_day), str(loop.last_day), loop.ongoing) == (*LOOP, False)
    usual = 4 * 50 * Decimal("0.09")
    assert float(loop.excess) == pytest.approx(float(7 * usual), rel=0.06)
    assert loop.actual - loop.expected == loop.excess
    assert loop.deviation > 4
    assert float(loop.margin_points) == pytest.approx(float(-loop.excess) / 20, abs=0.06)
    assert len(loop.rows) == loop.row_count == 4
    assert {(row.tenant_id, row.unit) for row in loop.rows} == {("acme", "GB")}
    assert loop.rows[0].cost == (loop.rows[0].quantity * Decimal("0.09")).quantize(Decimal("0.01"))
    assert loop.next == ("get_costs with tenant_id=acme, service=Transfer, period=2026-09-08..2026-09-11, group_by=day")

    storage = found["daily", "Storage"]
    assert (storage.tenant_id, storage.tenants, storage.series, storage.row_count) == (None, 3, 4, 8)
    assert (storage.revenue, storage.margin_points) == (None, None)  # two of the three have no revenue

    backup = found["monthly", "Backup"]
    # Thirty days at August's rate by the day
    assert (backup.tenants, backup.series, backup.actual, backup.expected) == (2, 2, Decimal(60), Decimal("29.03"))
    assert backup.margin_points is None  # globex has no revenue
    credit = found["one_off", "Promotion"]
    assert (credit.direction, credit.excess, credit.tenant_id) == ("down", Decimal("-12.50"), "acme")


async def test_what_is_not_judged_is_said(provider: Asker) -> None:
    answer = await provider.ask(find_cost_anomalies, period="2026-09")
    assert (answer.unseen.series, answer.unseen.looked_at, answer.unseen.new_tenants) == (8, 8, 1)
    assert answer.unseen.largest_departure is None
    assert answer.unseen.notes == ["Tax, support and other recurring purchases are not judged."]
    early = await provider.ask(find_cost_anomalies, period="2025-09")
    assert [one.kind for one in early.anomalies] == []
    assert any("21 days" in note for note in early.unseen.notes)
    assert any("shared by the month" in note for note in early.unseen.notes)


async def test_a_tenant_sees_its_own_anomalies_and_nothing_of_others(world: World, sources: Sources) -> None:
    answer = await Asker(sources, world.cloud.tenant("acme")).ask(find_cost_anomalies)
    assert [(one.kind, one.service, one.series) for one in answer.anomalies] == [
        ("daily", "Transfer", 1), ("daily", "Storage", 1), ("monthly", "Backup", 1), ("one_off", "Promotion", 1),
    ]  # fmt: skip
    for one in answer.anomalies:
        assert (one.tenant_id, one.tenants, one.revenue, one.margin_points) == (None, None, None, None)
        assert all(row.tenant_id is None for row in one.rows)
    told = answer.model_dump_json()
    assert not any(other in told for other in ("globex", "umbra", "newcomer"))
    newcomer = await Asker(sources, world.cloud.tenant("newcomer")).ask(find_cost_anomalies)
    assert newcomer.count == 0


async def test_sensitivity_least_cost_and_limit_narrow_what_is_listed(provider: Asker) -> None:
    counts = {level: (await provider.ask(find_cost_anomalies, sensitivity=level)).count for level in ("low", "high")}
    assert counts["low"] <= 4 <= counts["high"]
    large = await provider.ask(find_cost_anomalies, min_cost=100.0)
    assert [one.service for one in large.anomalies] == ["Storage", "Transfer"]
    first = await provider.ask(find_cost_anomalies, limit=1)
    assert (len(first.anomalies), first.count, first.truncated) == (1, 4, True)


@pytest.mark.parametrize("period", ["2026-09-07..2026-09-10", "2026-09-09", "2026-08", "2026-07..2026-09"])
async def test_days_may_be_asked_about_by_themselves(provider: Asker, period: str) -> None:
    answer = await provider.ask(find_cost_anomalies, period=period)
    loops = [one for one in answer.anomalies if one.service == "Transfer"]
    assert bool(loops) is (period != "2026-08")
    for one in loops:
        assert one.began_before is (period == "2026-09-09")


async def test_a_year_is_too_long(provider: Asker) -> None:
    with pytest.raises(InvalidArgument, match="three months"):
        await provider.ask(find_cost_anomalies, period="2025-10..2026-09")


async def test_of_a_month_that_still_runs_only_complete_days_are_judged(world: World, provider: Asker) -> None:
    """Rolled up on the fifth with charges up to the fourth; without a period, the last complete month is meant."""
    four_days = DAILY.replace("{month}", "2026-10") + " AND day < '2026-10-05'"
    await world.costs("2026-10", four_days)
    assert (await provider.ask(find_cost_anomalies)).period == "2026-09"
    answer = await provider.ask(find_cost_anomalies, period="latest")
    assert (answer.period, answer.judged_through, answer.count) == ("2026-10", date(2026, 10, 3), 0)
    assert any("not complete" in note for note in answer.unseen.notes)


async def test_a_month_that_is_missing_is_no_month_without_cost(shared_cloud: Cloud, tmp_path: Path) -> None:
    gap = World(shared_cloud, "cost-explorer-anomalies-gap", tmp_path)
    for month in ("2026-06", "2026-07", "2026-09"):
        await gap.costs(month, DAILY.replace("{month}", month))
    async with gap.sources(tmp_path) as sources:
        answer = await Asker(sources, gap.cloud.fleet()).ask(find_cost_anomalies, period="2026-07..2026-09")
    assert answer.freshness.missing_months == ["2026-08"]
    assert answer.history_from == date(2026, 9, 1)
    assert {one.service for one in answer.anomalies} <= {"Storage"}  # from the 22nd on there is a past
    assert all(one.direction == "up" for one in answer.anomalies)


CROWD = """
  SELECT day::DATE AS "ChargePeriodStart", 't' || lpad(t::VARCHAR, 5, '0') AS tenant_id, 'Compute' AS "ServiceName",
    'Hours' AS "ConsumedUnit", q AS "ConsumedQuantity", CAST(q * 0.05 AS DECIMAL(38, 12)) AS "EffectiveCost"
  FROM range(10000) tenants(t),
    range(DATE '{month}-01', DATE '{month}-01' + INTERVAL 1 MONTH, INTERVAL 1 DAY) AS days(day),
    LATERAL (SELECT (20 + t % 50) * (1 + 0.01 * (hash(t, day) % 20)::INTEGER)
      * CASE WHEN t = 4321 AND day BETWEEN '2026-09-08' AND '2026-09-09' THEN 20
             WHEN day BETWEEN '2026-09-23' AND '2026-09-25' THEN 1.6 ELSE 1 END AS q)
"""


@pytest.fixture(scope="module")
async def crowd(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(shared_cloud, "cost-explorer-anomalies-crowd", tmp_path_factory.mktemp("crowd"))
    for month in ("2026-07", "2026-08", "2026-09"):
        await made.costs(month, CROWD.format(month=month))
    return made


async def test_ten_thousand_tenants_are_one_small_answer(crowd: World, tmp_path: Path) -> None:
    """One tenant's spike is found among them, and a rise of all that no single tenant would show is found as one."""
    async with crowd.sources(tmp_path) as sources:
        asker = Asker(sources, crowd.cloud.fleet(), most_bytes=MAX_ANSWER_BYTES)
        answer: Any = await asker.ask(find_cost_anomalies, limit=10)
    everyone, one = answer.anomalies
    assert (everyone.tenants, str(everyone.first_day), str(everyone.last_day)) == (None, "2026-09-23", "2026-09-25")
    assert float(everyone.excess) == pytest.approx(10_000 * 44.5 * 1.095 * 0.05 * 0.6 * 3, rel=0.03)
    assert (one.tenant_id, str(one.first_day), one.row_count) == ("t04321", "2026-09-08", 2)
    assert answer.unseen.series == 10_000
    assert answer.unseen.looked_at < 500
    assert answer.unseen.largest_departure > 0
