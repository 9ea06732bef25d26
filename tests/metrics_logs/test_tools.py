"""The tools over committed use: what is shown adds up, and each caller sees what is its own."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from core.stores.datasets import commit
from fixtures.asking import Asker
from fixtures.small_use import DAILY, commit_use, days_of, requests_of, usage
from fixtures.stores import Cloud
from metrics_logs.world import clock_at, new_bucket, sources_over
from tenantscope_core.identity.caller import Audience
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.schemas import USAGE
from tenantscope_metrics_logs.sources.open import Sources
from tenantscope_metrics_logs.tools import TOOLS
from tenantscope_metrics_logs.tools.get_feature_usage import get_feature_usage
from tenantscope_metrics_logs.tools.get_usage import get_usage

MONTHS = ("2026-08", "2026-09")
OCTOBER = "2026-10"
OTHERS = {"acme_corp", "globex", "Acme-2"}


@pytest.fixture(scope="module")
async def bucket_of_use(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two whole months of four tenants, and of October what the rollup knew on the sixth."""
    bucket, folder = new_bucket(shared_cloud, "metrics-logs-tools"), tmp_path_factory.mktemp("use")
    await commit_use(shared_cloud.fleet(), bucket, folder, clock_at("2026-10-01"), MONTHS)
    writer = DatasetWriter(shared_cloud.fleet(), bucket, clock=clock_at("2026-10-06"))
    days = list(days_of(OCTOBER))[:5]
    rows = {tenant: [row for day in days for row in usage(tenant, day)] for tenant in DAILY}
    await commit(writer, folder / "october", USAGE, OCTOBER, rows)
    return bucket


@pytest.fixture
async def sources(bucket_of_use: str, tmp_path: Path) -> AsyncGenerator[Sources]:
    async with sources_over(bucket_of_use, tmp_path) as opened:
        yield opened


@pytest.fixture
def provider(shared_cloud: Cloud, sources: Sources) -> Asker:
    return Asker(sources, shared_cloud.fleet())


@pytest.fixture
def acme(shared_cloud: Cloud, sources: Sources) -> Asker:
    return Asker(sources, shared_cloud.tenant("acme"))


def requests_in(month: str, *tenants: str) -> int:
    return sum(requests_of(tenant, day) for tenant in tenants for day in days_of(month))


async def test_a_tenants_month_is_what_it_did(acme: Asker):
    report = await acme.ask(get_usage, period="2026-09")
    total = report.total
    assert (report.of, report.period, report.compared_with) == ("acme", "2026-09", "2026-08")
    assert (total.requests, total.errors, total.error_percent) == (3_600, 180, 5.0)
    assert (total.throttled, total.bytes, total.mean_ms) == (30, 3_600_000, 150.0)
    assert (total.users, total.users_busiest_day, total.users_mean_day) == (5, 4, 3.5)
    assert (total.tokens_in, total.tokens_out, total.tokens_cached, total.model_requests) == (
        30_000, 6_000, 15_000, 300,
    )  # fmt: skip
    assert total.tenants is None
    assert report.before.requests == 3_720
    assert report.requests_change_percent == 0.0
    assert [(one.metric, one.quantity, one.before) for one in report.further] == [("storage_gb_hours", 75.0, 77.5)]


async def test_percentiles_are_medians_by_requests_and_the_worst_stands_beside(acme: Asker, provider: Asker):
    own = (await acme.ask(get_usage, period="2026-09")).total
    assert (own.p50_ms, own.p95_ms, own.p95_ms_worst) == (100.0, 450.0, 600.0)
    both = (await provider.ask(get_usage, period="2026-08..2026-09")).total
    days = [(300 + 10 * day.day, requests_of(t, day)) for t in DAILY for month in MONTHS for day in days_of(month)]
    each = sorted(ms for ms, weight in days for _ in range(weight))
    assert both.p95_ms == each[(len(each) - 1) // 2]
    report = await provider.ask(get_usage, period="2026-09")
    assert "median" in report.how.latency
    assert "never added up" in report.how.users


async def test_the_fleet_is_the_sum_of_its_tenants(provider: Asker, shared_cloud: Cloud, sources: Sources):
    fleet = await provider.ask(get_usage, period="2026-09")
    each = [await Asker(sources, shared_cloud.tenant(tenant)).ask(get_usage, period="2026-09") for tenant in DAILY]
    for name in ("requests", "errors", "throttled", "bytes", "users", "tokens_in", "model_requests"):
        assert getattr(fleet.total, name) == sum(getattr(one.total, name) or 0 for one in each), name
    assert (fleet.of, fleet.total.tenants) == ("fleet", 4)
    assert fleet.requests_change_percent == pytest.approx(
        (requests_in("2026-09", *DAILY) / 30 / (requests_in("2026-08", *DAILY) / 31) - 1) * 100, abs=0.05
    )


@pytest.mark.parametrize("group_by", ["day", "month"])
@pytest.mark.parametrize("period", ["2026-08..2026-09", "2026-09-03..2026-09-20", "2026-09-05"])
async def test_rows_and_other_add_up(provider: Asker, acme: Asker, group_by: str, period: str):
    for asker in (provider, acme):
        report = await asker.ask(get_usage, period=period, group_by=group_by, limit=6)
        parts = [*report.rows, *([report.other] if report.other else [])]
        for name in ("requests", "errors", "throttled", "bytes", "tokens_in", "tokens_out"):
            assert sum(getattr(part, name) for part in parts) == getattr(report.total, name), name
        assert report.row_count == len(report.rows) + (report.other.rows if report.other else 0)
        assert report.truncated == (report.other is not None)
        assert [row.name for row in report.rows] == sorted(row.name for row in report.rows)


async def test_a_month_by_day_is_no_longer_than_a_model_reads_at_once(provider: Asker):
    report = await provider.ask(get_usage, period="2026-08", group_by="day")
    assert (len(report.rows), report.truncated) == (31, False)
    assert report.rows[0].users == 16
    assert report.rows[0].p95_ms == 310.0


async def test_a_running_month_is_compared_by_the_day(provider: Asker):
    report = await provider.ask(get_usage)
    assert (report.period, str(report.freshness.data_through)) == ("2026-10", "2026-10-05")
    assert report.total.requests == 5 * sum(DAILY.values())
    assert report.requests_change_percent == pytest.approx((507 / 467 - 1) * 100, abs=0.05)
    assert report.tokens_missing_months == ["2026-10"]
    assert report.total.tokens_in is None


async def test_hours_and_days_have_their_sources(acme: Asker):
    for arguments, parameter in (
        ({"group_by": "hour"}, "group_by"),
        ({"hours": 3}, "hours"),
        ({"source": "cloudwatch", "period": "2026-09"}, "period"),
        ({"source": "cloudwatch", "group_by": "month"}, "group_by"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await acme.ask(get_usage, **arguments)
        assert refused.value.parameter == parameter
    with pytest.raises(NotFound, match="source=rollup"):
        await acme.ask(get_usage, source="cloudwatch")


async def test_a_month_that_is_not_there_names_those_that_are(acme: Asker):
    for tool in (get_usage, get_feature_usage):
        with pytest.raises(NotFound, match="2026-08 to 2026-"):
            await acme.ask(tool, period="2025-01")


async def test_a_tenant_without_any_use_is_told_so(shared_cloud: Cloud, sources: Sources):
    for tool in (get_usage, get_feature_usage):
        with pytest.raises(NotFound, match="nobody"):
            await Asker(sources, shared_cloud.tenant("nobody")).ask(tool)


async def test_a_tenants_features_are_its_own(acme: Asker):
    report = await acme.ask(get_feature_usage, period="2026-09")
    assert [(row.name, row.calls, row.percent) for row in report.rows] == [
        ("search", 2_520, 70.0), ("booking", 1_080, 30.0),
    ]  # fmt: skip
    assert report.calls == 3_600
    assert (report.rows[0].days_used, report.days, report.rows[0].users_at_least) == (30.0, 30, 2)
    assert (report.rows[0].p95_ms, report.rows[0].p95_ms_worst) == (450.0, 600.0)
    assert (report.active_tenants, report.rows[0].tenants, report.fading) == (None, None, None)
    assert not OTHERS & set(json.dumps(report.model_dump(mode="json")).split('"'))


async def test_the_fleet_knows_how_many_tenants_use_a_feature(provider: Asker):
    report = await provider.ask(get_feature_usage, period="2026-09", limit=1)
    (search,) = report.rows
    assert (search.name, search.tenants, search.adoption_percent, search.tenants_before) == ("search", 4, 100.0, 4)
    assert report.other.rows == 1
    assert search.calls + report.other.calls == report.calls
    booking = (await provider.ask(get_feature_usage, period="2026-09")).rows[1]
    assert (booking.tenants, booking.adoption_percent) == (3, 75.0)


async def test_one_feature_is_told_by_its_actions_and_by_who_fades_in_it(provider: Asker, acme: Asker):
    report = await provider.ask(get_feature_usage, period="2026-09", feature="search")
    assert [row.name for row in report.rows] == ["view", "save"]
    assert [(one.tenant_id, one.calls, one.before) for one in report.fading.tenants] == [("globex", 840, 1_736)]
    assert "50 %" in report.fading.rule
    own = await acme.ask(get_feature_usage, period="2026-09", feature="search")
    assert (own.calls, own.fading) == (2_520, None)


async def test_a_feature_that_is_not_there_names_the_nearest_of_the_callers_own(
    provider: Asker, shared_cloud: Cloud, sources: Sources
):
    with pytest.raises(NotFound, match="'booking'") as refused:
        await provider.ask(get_feature_usage, feature="bookin", period="2026-09")
    assert refused.value.parameter == "feature"
    weekend = Asker(sources, shared_cloud.tenant("Acme-2"))
    with pytest.raises(NotFound) as refused:
        await weekend.ask(get_feature_usage, feature="booking", period="2026-09")
    assert "'booking'" not in refused.value.sentence


async def test_files_of_one_ending_are_a_feature_that_can_be_asked_for(acme: Asker):
    with pytest.raises(NotFound):
        await acme.ask(get_feature_usage, feature="*.png", period="2026-09")


@pytest.mark.parametrize("value", ["*", "search%", "s*", "*.*", "a*.png"])
async def test_a_wildcard_is_no_feature(acme: Asker, value: str):
    with pytest.raises(InvalidArgument, match="wildcards"):
        await acme.ask(get_feature_usage, feature=value)


async def test_a_quote_in_a_feature_is_only_a_quote(acme: Asker):
    with pytest.raises(NotFound):
        await acme.ask(get_feature_usage, feature="' OR 1=1 --")


def test_what_a_model_must_read_of_the_tools_is_short():
    for tool in TOOLS:
        listed = tool.listed(Audience.PROVIDER)
        read: dict[str, Any] = {
            "name": listed.name, "description": listed.description, "inputSchema": listed.input_schema,
        }  # fmt: skip
        assert len(json.dumps(read, separators=(",", ":"))) < 1_300
