"""The tenants' activity asked for: planted tenants of a company are found, and ten thousand tenants are no trouble."""

import json
import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fixtures.asking import Asker
from fixtures.stores import Cloud
from metrics_logs.world import clock_at, new_bucket, sources_over
from tenantscope_core.results.errors import InvalidCursor, NotFound
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.tool.outcome import MAX_ANSWER_BYTES
from tenantscope_metrics_logs.sources.open import Sources
from tenantscope_metrics_logs.tools.get_feature_usage import get_feature_usage
from tenantscope_metrics_logs.tools.get_usage import get_usage
from tenantscope_metrics_logs.tools.list_tenant_activity import list_tenant_activity
from tenantscope_sandbox.company.generate import generate

REPOSITORY = Path(__file__).parents[2]
_REQUESTS = """
  CREATE TABLE requests AS
  SELECT "tenantId" AS tenant_id, CAST("requestTime" AS DATE) AS day, 'requests' AS metric, 'Requests' AS unit,
    count(*) AS quantity
  FROM read_json('{log}/*/*.gz', format='newline_delimited',
    columns={{tenantId: 'VARCHAR', requestTime: 'TIMESTAMP'}}) GROUP BY ALL
"""
TENANTS = 10_000
MONTHS = ("2026-07", "2026-08", "2026-09")
_DAYS = """
  SELECT 't' || lpad(n::VARCHAR, 5, '0') AS tenant_id, n, day::DATE AS day
  FROM range({tenants}) tenants(n),
    range(DATE '{month}-01', DATE '{month}-01' + INTERVAL 1 MONTH, INTERVAL 1 DAY) days(day)
  WHERE NOT (n % 10 = 1 AND day > DATE '2026-08-20') AND NOT (n % 10 = 2 AND day < DATE '2026-09-10')
"""
_USAGE = """
  SELECT tenant_id, day, metric, CAST(CASE WHEN metric = 'requests' AND n % 10 = 3 AND day > DATE '2026-09-02' THEN 10
    WHEN metric = 'requests' THEN 50 WHEN metric = 'users' THEN 5 ELSE 100 + n % 7 END
    AS DECIMAL(38, 6)) AS quantity, 'x' AS unit
  FROM days, (VALUES ('requests'), ('errors'), ('users'), ('p50_ms'), ('p95_ms')) metrics(metric)
"""
_FEATURES = """
  SELECT tenant_id, day, 'feature ' || f AS feature, 'view' AS action, 2::BIGINT AS users, 0::BIGINT AS errors,
    CAST(CASE WHEN n % 10 = 3 AND day > DATE '2026-09-02' THEN 1 ELSE 10 END AS BIGINT) AS calls,
    20.0 AS p50_ms, 90.0 + n % 7 AS p95_ms, 1::BIGINT AS bytes
  FROM days, range(6) features(f)
"""


@pytest.fixture(scope="module")
async def company(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The requests in the access log of the sandbox's company, committed as usage, and what is true of it."""
    home = generate(Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or REPOSITORY / ".sandbox/test"))
    truth: dict[str, Any] = json.loads((home / "truth.json").read_text())
    bucket, folder = new_bucket(shared_cloud, "metrics-logs-company"), tmp_path_factory.mktemp("company")
    writer = DatasetWriter(shared_cloud.fleet(), bucket, clock=clock_at("2026-11-01"))
    with duckdb.connect() as connection:
        connection.execute(_REQUESTS.format(log=home / "s3/raw/access_log"))
        for month in truth["months"]:
            path = folder / f"{month}.parquet"
            connection.execute(f"COPY (FROM requests WHERE strftime(day, '%Y-%m') = '{month}') TO '{path}'")
            await writer.commit("usage", month, run=f"r-{month}", inputs="i", tenants={}, fleet=Part(path, 1))
    return bucket, truth


@pytest.fixture(scope="module")
async def crowd(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three months of ten thousand tenants: of ten, one falls silent, one is new, one fades."""
    bucket, folder = new_bucket(shared_cloud, "metrics-logs-crowd"), tmp_path_factory.mktemp("crowd")
    writer = DatasetWriter(shared_cloud.fleet(), bucket, clock=clock_at("2026-10-01"))
    for month in MONTHS:
        for dataset, select in (("usage", _USAGE), ("feature_usage", _FEATURES)):
            path = folder / f"{dataset}-{month}.parquet"
            with duckdb.connect() as connection:
                days = _DAYS.format(tenants=TENANTS, month=month)
                connection.execute(f"COPY (WITH days AS ({days}) {select}) TO '{path}' (FORMAT parquet)")
            await writer.commit(dataset, month, run=f"r-{month}", inputs="i", tenants={}, fleet=Part(path, 1))
    return bucket


@pytest.fixture
async def of_company(shared_cloud: Cloud, company: tuple[str, dict[str, Any]], tmp_path: Path) -> AsyncGenerator[Asker]:
    async with sources_over(company[0], tmp_path) as sources:
        yield Asker(sources, shared_cloud.fleet())


@pytest.fixture(scope="module")
async def crowd_sources(crowd: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Sources]:
    async with sources_over(crowd, tmp_path_factory.mktemp("cache")) as opened:
        yield opened


@pytest.fixture
def of_crowd(shared_cloud: Cloud, crowd_sources: Sources) -> Asker:
    return Asker(crowd_sources, shared_cloud.fleet())


def states_of(page: Any) -> dict[str, int]:
    return {one.state: one.tenants for one in page.states if one.tenants}


async def test_the_planted_tenants_are_dormant_at_the_end_and_nobody_fades(
    of_company: Asker, company: tuple[str, dict[str, Any]]
):
    truth = company[1]
    page = await of_company.ask(list_tenant_activity)
    gone = {name for name, one in truth["tenants"].items() if (one["last_active"] or "2026-10-31") < "2026-10-01"}
    assert truth["planted"]["churner"]["tenant"] in gone
    assert {row.tenant_id for row in page.rows if row.state == "dormant"} == gone
    assert states_of(page) == {"dormant": len(gone), "active": page.tenants - len(gone)}
    seen = {name for name, one in truth["tenants"].items() if one["last_active"] is not None}
    assert page.tenants == len(seen) < len(truth["tenants"])


async def test_the_churner_is_found_while_it_fades_and_it_alone(of_company: Asker, company: tuple[str, dict[str, Any]]):
    churner = company[1]["planted"]["churner"]["tenant"]
    for as_of in ("2026-06-01", "2026-07-15", "2026-08-20"):
        page = await of_company.ask(list_tenant_activity, as_of=as_of, state="fading")
        assert [row.tenant_id for row in page.rows] == [churner], as_of
        assert page.rows[0].rule.startswith("requests fell ")
    before = await of_company.ask(list_tenant_activity, as_of="2026-04-10", state="fading")
    assert before.rows == []


async def test_tenants_are_new_for_four_weeks_from_the_day_they_joined(
    of_company: Asker, company: tuple[str, dict[str, Any]]
):
    joined = {name: date.fromisoformat(one["first_active"]) for name, one in company[1]["tenants"].items()}
    for as_of in (date(2026, 1, 31), date(2026, 5, 15), date(2026, 8, 20)):
        page = await of_company.ask(list_tenant_activity, as_of=str(as_of), state="new", limit=60)
        assert {row.tenant_id for row in page.rows} == {
            name for name, first in joined.items() if 0 <= (as_of - first).days < 28
        }


async def test_eight_weeks_into_the_data_everybody_is_too_short_to_tell(of_company: Asker):
    page = await of_company.ask(list_tenant_activity, as_of="2025-12-20")
    assert states_of(page) == {"unclear": page.tenants}
    assert page.rows[0].rule == "too short to tell: 7 whole weeks of history, 8 are needed"


async def test_a_day_without_data_is_refused_with_the_last_that_has(of_company: Asker):
    with pytest.raises(NotFound, match="2026-10"):
        await of_company.ask(list_tenant_activity, as_of="2026-11-20")
    with pytest.raises(NotFound) as refused:
        await of_company.ask(list_tenant_activity, as_of="2020-01-01")
    assert refused.value.parameter == "as_of"


async def test_ten_thousand_tenants_are_judged_counted_and_paged(of_crowd: Asker):
    page = await of_crowd.ask(list_tenant_activity)
    assert states_of(page) == {"fading": 1_000, "dormant": 1_000, "new": 1_000, "active": 7_000}
    assert (page.tenants, page.row_count, page.truncated) == (TENANTS, TENANTS, True)
    assert {row.state for row in page.rows} == {"fading"}
    fullest = await replace(of_crowd, most_bytes=MAX_ANSWER_BYTES).ask(list_tenant_activity, limit=60)
    assert len(fullest.rows) == 60
    following = await of_crowd.ask(list_tenant_activity, cursor=page.next_cursor)
    assert not {row.tenant_id for row in page.rows} & {row.tenant_id for row in following.rows}


async def test_pages_follow_one_another_without_a_tenant_twice(of_crowd: Asker):
    seen: list[str] = []
    cursor = None
    asker = replace(of_crowd, most_bytes=MAX_ANSWER_BYTES)
    for _ in range(3):
        page = await asker.ask(list_tenant_activity, state="dormant", limit=60, cursor=cursor)
        assert page.row_count == 1_000
        seen += [row.tenant_id for row in page.rows]
        cursor = page.next_cursor
    assert len(set(seen)) == len(seen) == 180


async def test_a_cursor_is_for_its_question_alone(of_crowd: Asker):
    page = await of_crowd.ask(list_tenant_activity, state="new", limit=2)
    for other in ({"state": "fading"}, {"state": "new", "as_of": "2026-09-29"}):
        with pytest.raises(InvalidCursor):
            await of_crowd.ask(list_tenant_activity, limit=2, cursor=page.next_cursor, **other)


async def test_the_fleets_other_answers_stay_small_at_ten_thousand_tenants(of_crowd: Asker):
    usage = await of_crowd.ask(get_usage, group_by="day")
    assert (usage.total.tenants, len(usage.rows)) == (9_000, 30)
    assert 100.0 <= usage.total.p50_ms <= 106.0
    features = await of_crowd.ask(get_feature_usage)
    assert features.active_tenants == 9_000
    one = await of_crowd.ask(get_feature_usage, feature="feature 1")
    assert (one.fading.count, len(one.fading.tenants)) == (2_000, 10)
