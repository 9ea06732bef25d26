"""Savings from plain facts: what is found and what is not, and that no money is saved twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenantscope_cost_explorer.commitments import spend_on_demand
from tenantscope_cost_explorer.robust import Spread, low_percentile, median
from tenantscope_cost_explorer.saving_assumptions import INFREQUENT_PRICE, READING_PRICE
from tenantscope_cost_explorer.saving_report import by_kind, savings
from tenantscope_cost_explorer.saving_total import Found, find, net_saving
from tenantscope_cost_explorer.savings import (
    ZERO,
    Burst,
    DaySpend,
    Facts,
    Finding,
    Kind,
    Line,
    MonthOfUse,
    TenantFacts,
    own_of,
    shared_by,
)

DAYS = [date(2026, 9, 1) + timedelta(days=n) for n in range(30)]
SEPTEMBER = Facts(currency="USD", months=("2026-09",), days=30, weekend_days=8, bill=Decimal(1000))
RDS, S3, ECS = "Amazon Relational Database Service", "Amazon Simple Storage Service", "Amazon Elastic Container Service"
CACHE = "Amazon ElastiCache"


def capacity(cost: str, tenant: str | None = None, **other: object) -> Line:
    """A database that is charged on each day of September, a fourth of it on weekends."""
    plain = Line(
        kind="capacity", service=RDS, unit="Hours", cost=Decimal(cost), quantity=Decimal(720), tenant=tenant,
        method="direct" if tenant else "driver", payer="payer", resource=f"db/{tenant}", days=30, weekend_days=8,
        weekend_cost=Decimal(cost) * 8 / 30,
    )  # fmt: skip
    return replace(plain, **other)  # type: ignore[arg-type]


def bucket(cost: str, tenant: str, gigabytes: int = 100, description: str = "$0.023 per GB of storage used") -> Line:
    """Storage of a tenant on each day of September."""
    return capacity(
        cost, tenant, kind="storage", service=S3, unit="GB-Hours", quantity=Decimal(gigabytes) * 720,
        resource=f"bucket/{tenant}", description=description,
    )  # fmt: skip


def tenant(name: str, cost: str = "100", **known: object) -> TenantFacts:
    plain = TenantFacts(tenant=name, cost=Decimal(cost), direct=Decimal(cost), active=True, requests=Decimal(1000))
    return replace(plain, **known)  # type: ignore[arg-type]


def facts(*tenants: TenantFacts, **known: object) -> Facts:
    return replace(SEPTEMBER, tenants={one.tenant: one for one in tenants}, **known)  # type: ignore[arg-type]


def on_days(kind: str, cost: str, days: Sequence[date] = DAYS, **other: object) -> list[DaySpend]:
    plain = DaySpend(
        kind=kind, day=DAYS[0], service=ECS, unit="vCPU-Hours", payer="payer", region="us-east-1",
        commitment=None if kind == "on_demand" else "arn:aws:savingsplans::1:savingsplan/a", cost=Decimal(cost),
        listed=ZERO,
    )  # fmt: skip
    return [replace(plain, day=day, **other) for day in days]  # type: ignore[arg-type]


def found(known: Facts, *kinds: Kind) -> list[Finding]:
    return find(known, kinds or list(Kind), tenant=None, least=ZERO).findings


def test_what_an_inactive_tenant_left_behind_is_idle_and_an_active_ones_is_not() -> None:
    known = facts(
        tenant(
            "gone",
            active=False,
            history=(
                MonthOfUse(month="2026-07", requests=Decimal(9), capacity=ZERO),
                MonthOfUse(month="2026-08", requests=ZERO, capacity=ZERO),
                MonthOfUse(month="2026-09", requests=ZERO, capacity=ZERO),
            ),
        ),
        tenant("here"),
        tenant("unknown", active=None),
        lines=[bucket("46", "gone"), capacity("10", "gone"), bucket("46", "here"), bucket("46", "unknown")],
    )
    (one,) = found(known, Kind.IDLE)
    assert (one.tenant, one.cost, one.saving, one.high) == ("gone", 56, 56, 56)
    assert one.low == 56 - 46 * INFREQUENT_PRICE  # kept, in a cheaper class
    assert one.title == "Kept for a tenant without any use since 2026-07"
    assert [(row.what, row.value) for row in one.evidence] == [(S3, 46), (RDS, 10)]


def test_staging_that_never_rests_is_idle_outside_working_hours() -> None:
    staging = capacity("300", environment="Staging")
    weekdays = capacity("300", environment="staging", days=22, weekend_days=0, weekend_cost=ZERO)
    rested = capacity("300", environment="staging", weekend_cost=Decimal(20))
    made_anew = capacity("70", environment="Staging", service=CACHE)
    production = capacity("300", environment="prod")
    known = facts(lines=[staging, weekdays, rested, production, made_anew])
    stoppable, other = found(known, Kind.IDLE)
    assert (stoppable.cost, stoppable.low) == (300, 80)
    assert stoppable.saving == 300 * (1 - Decimal(60) / 168)
    assert (stoppable.effort, other.effort, other.service) == ("low", "medium", CACHE)


def test_staging_whose_nights_the_bill_does_not_tell_saves_its_weekends_alone() -> None:
    partly = capacity("300", environment="dev", quantity=Decimal(30 * 17))  # 17 hours a day
    (one,) = found(facts(lines=[partly]), Kind.IDLE)
    assert (one.saving, one.low, one.high) == (80, 80, 80)


def test_what_the_bill_calls_idle_is() -> None:
    line = capacity("3.6", description="$0.005 per Idle public IPv4 address per hour", service="Amazon VPC")
    (one,) = found(facts(lines=[line, capacity("9")]), Kind.IDLE)
    assert (one.saving, one.low, one.service) == (Decimal("3.6"), Decimal("3.6"), "Amazon VPC")


def test_capacity_far_above_the_peers_of_a_tier_is_a_rank_with_nothing_at_the_low_end() -> None:
    peers = [tenant(f"t{n}", tier="growth", requests=Decimal(1000 + n)) for n in range(9)]
    quiet = tenant("quiet", tier="growth", requests=Decimal(50))
    elsewhere = tenant("large", tier="enterprise", requests=Decimal(50))
    lines = [capacity("60", one.tenant) for one in [*peers, quiet, elsewhere]]
    (one,) = found(facts(*peers, quiet, elsewhere, lines=lines), Kind.OVER_PROVISIONED)
    assert (one.tenant, one.certainty, one.cost, one.saving, one.low) == ("quiet", "rank", 60, 30, 0)
    assert Decimal(56) < one.high < Decimal(58)  # at the peers' cost a request


def test_too_few_peers_tell_nothing() -> None:
    few = [tenant(f"t{n}", tier="growth") for n in range(4)] + [tenant("quiet", tier="growth", requests=Decimal(1))]
    assert found(facts(*few, lines=[capacity("60", one.tenant) for one in few]), Kind.OVER_PROVISIONED) == []


@pytest.mark.parametrize(
    ("requests", "costs", "fell"),
    [
        ((900, 500, 300), (60, 60, 60), True),
        ((900, 500, 600), (60, 60, 60), False),
        ((900, 500, 300), (60, 40, 20), False),
        ((900, 800, 700), (60, 60, 60), False),
    ],
    ids=["flat capacity", "use came back", "capacity followed", "fell a little"],
)  # fmt: skip
def test_capacity_that_stays_while_use_falls_three_months_is_found(
    requests: tuple[int, ...], costs: tuple[int, ...], fell: bool
) -> None:
    months = ("2026-07", "2026-08", "2026-09")
    history = tuple(
        MonthOfUse(month=month, requests=Decimal(count), capacity=Decimal(cost))
        for month, count, cost in zip(months, requests, costs, strict=True)
    )
    fading = tenant("fading", history=history, requests=Decimal(requests[-1]))
    one = found(facts(fading, lines=[capacity("60", "fading")]), Kind.OVER_PROVISIONED)
    assert bool(one) is fell
    if fell:
        assert (one[0].saving, one[0].high) == (30, 40)  # one size down, and two thirds of the use are gone


def _tiers() -> list[TenantFacts]:
    small = [tenant(f"s{n}", "50", tier="starter", revenue=Decimal(120)) for n in range(4)]
    large = [tenant(f"l{n}", "500", tier="enterprise", revenue=Decimal(1500)) for n in range(4)]
    return small + large


def test_a_tenant_that_loses_money_far_above_its_tier_would_fit_another() -> None:
    loser = tenant("loser", "450", tier="starter", revenue=Decimal(130))
    (one,) = found(facts(*_tiers(), loser), Kind.TIER_MISMATCH)
    assert (one.tenant, one.cost, one.saving, one.earns) == ("loser", 450, 320, True)
    assert (one.low, one.high) == (320, 450)  # the quota would save 400, the other tier's price earn 1370
    assert "tier enterprise fits" in one.title


def test_a_loss_that_its_tier_does_not_explain_is_no_mismatch() -> None:
    alike = tenant("alike", "60", tier="starter", revenue=Decimal(30))
    unpaid = tenant("unpaid", "450", tier="starter", revenue=None)
    nowhere = tenant("nowhere", "450", revenue=Decimal(30))
    assert found(facts(*_tiers(), alike, unpaid, nowhere), Kind.TIER_MISMATCH) == []


def fargate(cost: str) -> Line:
    return capacity(cost, service=ECS, unit="vCPU-Hours")


def test_an_unused_commitment_covers_what_is_on_demand_day_by_day() -> None:
    used = on_days("used", "7.2", listed=Decimal(10))
    unused = on_days("unused", "3.6", DAYS[:10])  # covers 5.00 of list price
    on_demand = on_days("on_demand", "4", DAYS[:5]) + on_days("on_demand", "50", DAYS[5:20])
    known = facts(lines=[fargate("770")], day_spend=[*used, *unused, *on_demand])
    (one,) = found(known, Kind.COMMITMENT)
    assert one.saving == 5 * 4 + 5 * 5
    assert (one.low, one.cost, one.certainty) == (0, 770, "measured")
    values = {row.what: row.value for row in one.evidence}
    assert (values["unused"], values["on demand beside it"]) == (36, 770)
    assert round(values["used"], 2) == round(Decimal(216) / 252 * 100, 2)


def test_a_commitment_covers_its_own_payer_and_what_it_is_for_alone() -> None:
    used, unused = on_days("used", "7.2", listed=Decimal(10)), on_days("unused", "3.6")
    elsewhere = on_days("on_demand", "4", payer="other") + on_days("on_demand", "4", service="Amazon Redshift")
    known = facts(lines=[fargate("120")], day_spend=[*used, *unused, *elsewhere])
    smaller = [one for one in found(known, Kind.COMMITMENT) if "larger than" in one.title]
    assert [(one.saving, one.high, one.low) for one in smaller] == [(108, 108, 0)]
    assert not [one for one in found(known, Kind.COMMITMENT) if "on demand" in one.title]


def test_a_reservation_covers_its_own_region_and_a_savings_plan_any() -> None:
    abroad = on_days("on_demand", "4", region="eu-west-1")

    def covered(commitment: str) -> list[Decimal]:
        own = on_days("used", "7.2", listed=Decimal(10), commitment=commitment) + on_days(
            "unused", "3.6", commitment=commitment
        )
        known = facts(lines=[fargate("120")], day_spend=[*own, *abroad])
        return [one.saving for one in found(known, Kind.COMMITMENT) if "also paid on demand" in one.title]

    assert covered("arn:aws:savingsplans::1:savingsplan/a") == [120]
    assert covered("arn:aws:ecs:us-east-1:1:reserved/a") == []


def test_the_steady_base_is_what_nine_in_ten_days_reach_in_the_lowest_month() -> None:
    august = [day.replace(month=8) for day in DAYS]
    days = [*on_days("on_demand", "10"), *on_days("on_demand", "8", august)]
    days[0] = replace(days[0], cost=Decimal(1))
    known = facts(lines=[fargate("291")], day_spend=days)
    (one,) = found(known, Kind.COMMITMENT)
    assert (one.cost, one.saving) == (240, 48)  # 8 a day, 20 % off
    assert (one.low, one.high) == (24, 108)  # a tenth less use; three years
    assert "commit 0.267 USD an hour" in one.title  # 8 x 0.8 / 24
    assert "pays while 80% of the steady use stays" in one.title


def test_the_bills_own_savings_plan_tells_the_discount() -> None:
    days = [*on_days("on_demand", "10"), *on_days("used", "7.2", listed=Decimal(10))]
    (one,) = found(facts(lines=[fargate("300")], day_spend=days), Kind.COMMITMENT)
    assert one.saving == Decimal("84.00")
    assert "50% covered now" in one.title


def test_use_that_stops_on_weekends_has_no_steady_base() -> None:
    weekdays = [day for day in DAYS if day.isoweekday() < 6]
    known = facts(lines=[fargate("220")], day_spend=on_days("on_demand", "10", weekdays))
    assert found(known, Kind.COMMITMENT) == []


def test_standard_storage_that_is_hardly_read_goes_to_a_cheaper_class() -> None:
    known = facts(
        tenant("rare", served_gb=Decimal(5)),
        tenant("busy", served_gb=Decimal(50)),
        tenant("cold", served_gb=Decimal(5)),
        lines=[
            bucket("2.30", "rare"),
            bucket("2.30", "busy"),
            bucket("1.25", "cold", description="$0.0125 per GB-Month of storage used in Standard-Infrequent Access"),
        ],
    )
    (one,) = found(known, Kind.STORAGE_CLASS)
    price = Decimal("1.25") / Decimal("2.30")  # the bill has both classes
    assert one.saving == pytest.approx(Decimal("2.30") * (1 - price) - Decimal("0.115") * READING_PRICE)
    assert (one.tenant, one.cost, one.high) == ("rare", Decimal("2.30"), pytest.approx(Decimal("1.05")))
    assert "as this bill says" in one.title


def test_a_tenants_bursts_beyond_a_quota_are_its_noisy_share() -> None:
    noisy = tenant("noisy", "200", direct=Decimal(80), driver=Decimal(100))
    burst = Burst(tenant="noisy", middle=Decimal(100), peak=Decimal(900), requests=Decimal(4000), excess=Decimal(1000))
    (one,) = found(facts(noisy, bursts=[burst]), Kind.NOISY_SHARE)
    assert (one.saving, one.low, one.cost, one.certainty) == (25, 0, 100, "rank")
    assert one.claims == {shared_by("noisy"): 25}


def test_a_share_of_shared_cost_far_above_that_of_revenue_is_told() -> None:
    greedy = tenant("greedy", "60", direct=ZERO, driver=Decimal(60), revenue=Decimal(100))
    others = [tenant(f"t{n}", "10", direct=ZERO, driver=Decimal(10), revenue=Decimal(300)) for n in range(4)]
    (one,) = found(facts(greedy, *others, revenue=Decimal(1300)), Kind.NOISY_SHARE)
    assert one.saving == 60 - Decimal(100) * 100 / 1300
    assert one.earns


def test_findings_on_the_same_spend_are_linked_and_saved_once() -> None:
    known = facts(tenant("gone", active=False, served_gb=ZERO), lines=[bucket("23", "gone")])
    both = find(known, list(Kind), tenant=None, least=ZERO)
    assert [one.kind for one in both.findings] == [Kind.IDLE, Kind.STORAGE_CLASS]
    assert both.overlapping(2) == [[1], [0]]
    assert both.gross > 23
    assert both.net == 23


def test_two_prices_for_one_tenant_are_one_price() -> None:
    loser = tenant("loser", "450", direct=ZERO, driver=Decimal(450), tier="starter", revenue=Decimal(130))
    known = facts(*_tiers(), loser, revenue=Decimal(6610))
    both = find(known, list(Kind), tenant="loser", least=ZERO)
    assert {one.kind for one in both.findings} == {Kind.TIER_MISMATCH, Kind.NOISY_SHARE}
    assert both.net == max(one.saving for one in both.findings)


money = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(10_000), places=4)
names = st.sampled_from(["t0", "t1", "t2", "t3"])
services = st.sampled_from([(RDS, "Hours"), (CACHE, "Hours"), (ECS, "vCPU-Hours"), ("AWS Lambda", "GB-Seconds")])


@st.composite
def some_lines(draw: st.DrawFn) -> Line:
    service, unit = draw(services)
    owner = draw(names | st.none())
    cost = draw(money)
    if owner is not None and draw(st.booleans()):
        return bucket(str(cost), owner, draw(st.integers(1, 500)))
    return capacity(
        str(cost), owner, service=service, unit=unit, environment=draw(st.sampled_from(["prod", "staging", None])),
        quantity=Decimal(draw(st.integers(1, 3000))),
        method="direct" if owner else draw(st.sampled_from(["driver", "residual"])),
        description=draw(st.sampled_from(["", "Idle address"])),
    )  # fmt: skip


@st.composite
def some_facts(draw: st.DrawFn) -> Facts:
    lines = draw(st.lists(some_lines(), max_size=8))
    direct = {name: sum((one.cost for one in lines if one.tenant == name), ZERO) for name in ("t0", "t1", "t2", "t3")}
    tenants = [
        tenant(
            name, str(own + (shared := draw(money))), direct=own, driver=shared, active=draw(st.booleans() | st.none()),
            revenue=draw(money | st.none()), tier=draw(st.sampled_from(["a", "b"])), served_gb=draw(money),
            requests=draw(money),
        )
        for name, own in direct.items()
    ]  # fmt: skip
    peers = [tenant(f"p{n}", "10", direct=ZERO, driver=Decimal(10), tier="a", revenue=Decimal(30)) for n in range(4)]
    days: list[DaySpend] = []
    for service, unit in [(RDS, "Hours"), (ECS, "vCPU-Hours")]:
        for kind in ("on_demand", "used", "unused"):
            cost = draw(money | st.none())
            if cost is not None:
                days += on_days(kind, str(cost), DAYS[:5], service=service, unit=unit, listed=cost * 2)
    excess = Decimal(draw(st.integers(0, 900)))
    bursts = [Burst(tenant="t0", middle=Decimal(10), peak=Decimal(90), requests=Decimal(900), excess=excess)]
    revenue = draw(st.none() | money)
    return facts(*tenants, *peers, lines=lines, day_spend=days, bursts=bursts, revenue=revenue)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@given(some_facts())
@settings(max_examples=200, deadline=None)
def test_no_saving_is_above_its_cost_and_none_is_counted_twice(known: Facts) -> None:
    all_found = find(known, list(Kind), tenant=None, least=ZERO)
    costs = dict[object, Decimal](enumerate(line.cost for line in known.lines))
    for one in known.tenants.values():
        own = sum((line.cost for line in known.lines if line.tenant == one.tenant), ZERO)
        costs |= {shared_by(one.tenant): one.shared, own_of(one.tenant): one.direct - own}
    for of_service in spend_on_demand(known).values():
        costs |= of_service
    unused = sum((one.cost for one in known.day_spend if one.kind == "unused"), ZERO)
    costs |= {spend: unused for one in all_found.findings for spend in one.claims if str(spend).startswith("('unused'")}
    tiny = Decimal("1e-15")
    for one in all_found.findings:
        assert 0 <= one.low <= one.saving <= one.high + tiny
        assert one.saving <= one.cost + tiny
        assert abs(sum(one.claims.values()) - one.saving) < tiny
        assert all(0 < saving <= costs[spend] + tiny for spend, saving in one.claims.items())
        told = [row.value for row in one.evidence if row.unit == "USD"]
        assert abs(sum(told) - one.cost) < tiny
        assert len(one.evidence) <= 3
    largest = max((one.saving for one in all_found.findings), default=ZERO)
    claimed = sum((costs[spend] for spend in {spend for one in all_found.findings for spend in one.claims}), ZERO)
    assert largest - tiny <= all_found.net <= min(all_found.gross, claimed) + tiny
    reordered = net_saving(known, all_found.findings[::-1])
    assert abs(reordered - all_found.net) < tiny
    for less in range(len(all_found.findings)):
        assert net_saving(known, all_found.findings[:less]) <= all_found.net + tiny
    _is_shown_in_cents_that_add_up(all_found, known)


def _is_shown_in_cents_that_add_up(all_found: Found, known: Facts) -> None:
    shown, other, gross, net = savings(all_found, known, 3)
    assert sum(one.saving for one in shown) + (other.saving if other else 0) == gross
    assert net <= gross
    kinds = by_kind(all_found, known)
    assert sum(kind.saving for kind in kinds) == gross
    assert sum(kind.findings for kind in kinds) == len(all_found.findings)


@given(st.lists(money, min_size=1, max_size=20))
def test_half_of_the_values_lie_on_either_side_of_the_median(values: list[Decimal]) -> None:
    middle = median(values)
    assert sum(value <= middle for value in values) * 2 >= len(values)
    assert sum(value >= middle for value in values) * 2 >= len(values)
    assert sum(value < low_percentile(values, 10) for value in values) <= len(values) / 10
    assert Spread.of(values).score(middle) == pytest.approx(0)
