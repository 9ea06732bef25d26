"""What the company's bill has planted in it is found, with the figures that its maker worked out."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cost_explorer.saving_company import MONTHS, REPOSITORY, SavingCompany, committed
from fixtures.asking import ABOUT_2000_TOKENS, Asker
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.results.money import round_half_even
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_cost_explorer.sources.open import sources_of
from tenantscope_cost_explorer.tools.suggest_savings import suggest_savings
from tenantscope_sandbox.company.generate import generate


@pytest.fixture(scope="module")
async def company(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> SavingCompany:
    made = generate(Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or REPOSITORY / ".sandbox/test"))
    return await committed(shared_cloud, "savings-company", tmp_path_factory.mktemp("company"), made)


@pytest.fixture
async def provider(company: SavingCompany, tmp_path: Path) -> AsyncIterator[Asker]:
    reader = DatasetReader(company.rolled.bucket, clock=Clock())
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 26)
    yield Asker(sources_of(reader, DuckDbEngine(reader, cache)), company.rolled.aws, most_bytes=25_000)
    cache.close()


def cents(amount: str | Decimal) -> Decimal:
    return round_half_even(Decimal(amount))


def of_kind(report: Any, kind: str) -> list[Any]:
    return [one for one in report.findings if one.kind == kind]


def shown(finding: Any, what: str) -> Decimal:
    return next(row.value for row in finding.evidence if row.what == what)


@pytest.mark.parametrize("month", MONTHS)
async def test_the_churners_storage_is_found_once_it_is_gone(
    company: SavingCompany, provider: Asker, month: str
) -> None:
    left: dict[str, str] = company.truth["savings"][month]["left_behind"]
    report = await provider.ask(suggest_savings, period=month, kind="idle", limit=25)
    found = {one.tenant_id: one.saving for one in of_kind(report, "idle") if one.tenant_id}
    assert found == {tenant: cents(cost) for tenant, cost in left.items()}
    assert found.keys() == ({company.truth["planted"]["churner"]["tenant"]} if month > "2026-08" else set())


@pytest.mark.parametrize("month", MONTHS)
async def test_staging_around_the_clock_is_found_with_what_its_weekends_cost(
    company: SavingCompany, provider: Asker, month: str
) -> None:
    staging: dict[str, dict[str, str]] = company.truth["savings"][month]["staging"]
    report = await provider.ask(suggest_savings, period=month, kind="idle")
    found = [one for one in report.findings if "staging" in one.title]
    services = {row.what: row.value for one in found for row in one.evidence}
    assert services == {service: cents(one["cost"]) for service, one in staging.items()}
    weekends = sum(Decimal(one["weekends"]) for one in staging.values())
    assert abs(sum(one.low for one in found) - weekends) <= Decimal("0.01")
    whole = sum(Decimal(one["cost"]) for one in staging.values())
    assert abs(sum(one.saving for one in found) - whole * 108 / 168) <= Decimal("0.01")


@pytest.mark.parametrize("month", MONTHS)
async def test_the_unused_commitment_is_found_beside_fargate_on_demand(
    company: SavingCompany, provider: Asker, month: str
) -> None:
    truth: dict[str, str] = company.truth["savings"][month]["commitment"]
    report = await provider.ask(suggest_savings, period=month, kind="commitment", limit=25)
    (one,) = [one for one in report.findings if "unused" in one.title]
    assert one.saving == cents(truth["could_cover"])
    assert one.cost == shown(one, "on demand beside it") == cents(truth["on_demand"])
    assert shown(one, "unused") == round(Decimal(truth["unused"]), 3)
    used = Decimal(truth["used"]) / (Decimal(truth["used"]) + Decimal(truth["unused"])) * 100
    assert shown(one, "used") == round(used, 3)


@pytest.mark.parametrize("month", MONTHS)
async def test_the_money_losers_on_unlimited_plans_are_mis_tiered(
    company: SavingCompany, provider: Asker, month: str
) -> None:
    costs: dict[str, dict[str, str]] = company.truth["billing"][month]["allocated"]
    revenue: dict[str, str] = company.truth["revenue"][month]
    losses = {
        tenant: Decimal(cost["total"]) - Decimal(revenue[tenant])
        for tenant, cost in costs.items()
        if tenant in revenue and Decimal(cost["total"]) > Decimal(revenue[tenant])
    }
    report = await provider.ask(suggest_savings, period=month, kind="tier_mismatch")
    assert {one.tenant_id: one.saving for one in report.findings} == {
        tenant: cents(loss) for tenant, loss in losses.items()
    }
    assert set(losses) == set(company.truth["planted"]["money_losers"])
    assert all(one.tenant_margin_percent < 0 == one.tenant_margin_then for one in report.findings)


@pytest.mark.parametrize("month", MONTHS)
async def test_the_noisy_neighbours_bursts_are_found_with_its_share(
    company: SavingCompany, provider: Asker, month: str
) -> None:
    truth: dict[str, int] = company.truth["savings"][month]["bursts"]
    tenant = company.truth["planted"]["noisy_neighbour"]["tenant"]
    report = await provider.ask(suggest_savings, period=month, kind="noisy_share", tenant_id=tenant)
    (one,) = report.findings
    driver = Decimal(company.truth["billing"][month]["allocated"][tenant]["driver"])
    assert one.saving == cents(driver * truth["beyond"] / truth["requests"])
    assert (shown(one, "requests"), shown(one, "requests beyond the quota")) == (
        truth["requests"],
        truth["beyond"],
    )
    assert f"{truth['busiest'] / truth['middle']:.1f} times its usual" in one.title


async def test_the_default_answer_is_short_and_adds_up(provider: Asker) -> None:
    report = await replace(provider, most_bytes=ABOUT_2000_TOKENS).ask(suggest_savings)
    assert len(report.findings) == 10
    assert report.truncated
    assert sum(one.saving for one in report.findings) + report.other.saving == report.gross
    assert report.finding_count == 10 + report.other.findings == sum(kind.findings for kind in report.kinds)
    assert report.gross - report.overlap == report.net < report.gross
    assert report.not_looked_at == []
    savings = [one.saving for one in report.findings]
    assert savings == sorted(savings, reverse=True)
    assert {kind.kind for kind in report.kinds} == {
        "idle", "tier_mismatch", "commitment", "storage_class", "noisy_share",
    }  # fmt: skip


async def test_three_months_are_a_months_savings_on_average(provider: Asker) -> None:
    each = [(await provider.ask(suggest_savings, period=month, kind="tier_mismatch")).gross for month in MONTHS]
    whole = await provider.ask(suggest_savings, period=f"{MONTHS[0]}..{MONTHS[-1]}", kind="tier_mismatch")
    assert abs(whole.gross - sum(each) / 3) <= Decimal("0.02")


async def test_the_churners_database_costs_far_more_a_request_in_its_last_month(
    company: SavingCompany, provider: Asker
) -> None:
    report = await provider.ask(suggest_savings, period="2026-08", kind="over_provisioned")
    (one,) = report.findings
    churner = company.truth["planted"]["churner"]["tenant"]
    assert (one.tenant_id, one.certainty, one.low) == (churner, "rank", 0)
    assert (one.cost, one.saving) == (Decimal("34.32"), Decimal("17.16"))  # 24 hours at 0.065 on 22 days of use
    requests = company.truth["usage"]["2026-08"][churner]["requests"]
    assert shown(one, "capacity a thousand requests") == round(Decimal(34_320) / requests, 3)


async def test_the_evidence_is_the_bill_of_the_month(company: SavingCompany) -> None:
    for month in MONTHS:
        ((total, rows),) = await company.rolled.rows(
            Month.parse(month),
            'SELECT sum("EffectiveCost") FILTER ("Section" <> \'day\'), count(*) FROM rows',
            "saving_evidence",
        )
        assert total == Decimal(company.truth["billing"][month]["effective_cost"])
        assert rows < 1200
