"""Inactive tenants' cost divided among active ones: nothing is lost, and nobody pays for what is not there."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tenantscope_cost_explorer.costs.ranking import TenantSum, inactive_cost, rank, shared_among_active

COSTS = st.decimals(min_value=-1000, max_value=10_000, places=12)
SUMS = st.lists(COSTS, min_size=1, max_size=12).map(
    lambda costs: [TenantSum(f"t{n:02}", cost, cost / 2, Decimal(0)) for n, cost in enumerate(costs)]
)


def shared(sums: list[TenantSum], active: set[str]) -> dict[str | None, TenantSum]:
    return {one.tenant: one for one in shared_among_active(sums, active=active, active_before=active)}


@given(sums=SUMS, active=st.sets(st.integers(0, 11)), residual=COSTS)
def test_the_total_stays_and_inactive_tenants_keep_nothing(
    sums: list[TenantSum], active: set[int], residual: Decimal
) -> None:
    ids = {f"t{n:02}" for n in active}
    everything = [*sums, TenantSum(None, residual, residual, Decimal(0))]
    found = shared(everything, ids)
    assert sum(one.total for one in found.values()) == sum(one.total for one in everything)
    assert found[None].total == residual
    takers = [one for one in sums if one.tenant in ids and one.total > 0]
    for one in sums:
        after = found[one.tenant].total
        if not takers or (one.tenant in ids and one.total <= 0):
            assert after == one.total
        elif one.tenant not in ids:
            assert (after, found[one.tenant].direct) == (0, 0)
        else:
            pool = sum((other.total for other in sums if other.tenant not in ids), Decimal(0))
            fair = pool * one.total / sum(other.total for other in takers)
            assert abs(after - one.total - fair) <= Decimal("1e-11")


def test_shares_go_by_cost_and_the_part_is_named() -> None:
    sums = [
        TenantSum("busy", Decimal(30), Decimal(30), Decimal(0)),
        TenantSum("calm", Decimal(10), Decimal(0), Decimal(0)),
        TenantSum("idle", Decimal("0.03"), Decimal("0.03"), Decimal(0)),
    ]
    made = shared_among_active(sums, active={"busy", "calm"}, active_before=set[str]())
    page = rank(made, active={"busy", "calm"}, order="cost", status="active", start=0, limit=9, compare=False)
    assert [(row.tenant_id, row.total, row.direct, row.shared) for row in page.rows] == [
        ("busy", Decimal("30.02"), Decimal("30.00"), Decimal("0.02")),
        ("calm", Decimal("10.01"), Decimal("0.00"), Decimal("10.01")),
    ]
    assert [row.of_inactive for row in page.rows] == [Decimal("0.02"), Decimal("0.01")]
    assert (page.bill, page.inactive, page.other.total if page.other else None) == (Decimal("40.03"), 1, 0)
    assert inactive_cost(sums, {"busy", "calm"}) == Decimal("0.03")
