"""Use of features made presentable."""

from hypothesis import given
from hypothesis import strategies as st
from tenantscope_metrics_logs.features import FeatureSum, FeatureUse, fading, shown

names = st.sampled_from([f"feature_{number}" for number in range(12)])
sums = st.builds(
    FeatureSum, names, st.integers(1, 10**9), st.integers(0, 10**6), st.integers(1, 50), st.integers(50, 500)
)
periods = st.lists(sums, unique_by=lambda one: one.name, max_size=12).map(
    lambda found: {one.name: one for one in found}
)


def use(now: dict[str, FeatureSum], before: dict[str, FeatureSum] | None = None, length: float = 1.0) -> FeatureUse:
    return FeatureUse(now, before, latency={}, people={}, active_tenants=50, length=length)


@given(periods, st.none() | periods, st.integers(1, 15))
def test_rows_and_other_sum_to_all_calls_now_and_before(
    now: dict[str, FeatureSum], before: dict[str, FeatureSum] | None, limit: int
):
    rows, other = shown(use(now, before), limit, of_fleet=True)
    parts = [*rows, *([other] if other else [])]
    assert sum(part.calls for part in parts) == sum(one.calls for one in now.values())
    assert sum(part.errors for part in parts) == sum(one.errors for one in now.values())
    if before is not None:
        assert sum(part.before or 0 for part in parts) == sum(one.calls for one in before.values())
    assert len(rows) + (other.rows if other else 0) == len(set(now) | set(before or {}))
    assert [row.calls for row in rows] == sorted((row.calls for row in rows), reverse=True)


def test_adoption_is_of_the_tenants_that_used_anything_and_is_the_fleets_alone():
    now = {"search": FeatureSum("search", 100, 1, tenants=20, tenant_days=300)}
    (fleets,), _ = shown(use(now, {}), 5, of_fleet=True)
    assert (fleets.tenants, fleets.adoption_percent, fleets.tenants_before, fleets.days_used) == (20, 40.0, 0, 15.0)
    (own,), _ = shown(use(now), 5, of_fleet=False)
    assert (own.tenants, own.adoption_percent, own.tenants_before) == (None, None, None)


def test_what_is_used_no_more_is_still_told():
    (row,), _ = shown(use({}, {"fax": FeatureSum("fax", 10, 0, 1, 1)}), 5, of_fleet=False)
    assert (row.name, row.calls, row.before, row.change_percent, row.days_used) == ("fax", 0, 10, -100.0, 0.0)


def test_tenants_fade_within_a_feature_by_calls_a_day():
    changes = [("steady", 45, 100), ("half", 25, 100), ("gone", 0, 40), ("small", 0, 19)]
    assert [one.tenant_id for one in fading(changes, 1.0).tenants] == ["half", "steady", "gone"]
    running = fading(changes, 0.5)
    assert [(one.tenant_id, one.change_percent) for one in running.tenants] == [("half", -50.0), ("gone", -100.0)]
    many = fading([(f"t{number:03d}", 0, 100) for number in range(300)], 1.0)
    assert (len(many.tenants), many.count) == (10, 300)
