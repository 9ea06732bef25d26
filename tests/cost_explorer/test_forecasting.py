"""The arithmetic of forecasts: what must hold of every series, and what must be found where it is known to be there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_cost_explorer.forecasting.ahead import months_ahead, season_of
from tenantscope_cost_explorer.forecasting.backtest import rolled, score
from tenantscope_cost_explorer.forecasting.intervals import ENOUGH, widths
from tenantscope_cost_explorer.forecasting.outlook import between, of_fleet, of_row, of_series
from tenantscope_cost_explorer.forecasting.reconcile import reconciled
from tenantscope_cost_explorer.forecasting.season import YEAR, Floats, seasonal_index
from tenantscope_cost_explorer.forecasting.table import SAMPLED, Table, all_ahead, pooled

SEPTEMBER = 8
WAVE = np.sin(2 * np.pi * np.arange(YEAR) / YEAR)


def made(rows: int, months: int, seed: int, noise: float = 0.1) -> Floats:
    """Series above zero with a trend and chance, always the same for a seed."""
    chance = np.random.default_rng(seed)
    level = chance.normal(4, 1, (rows, 1)) + chance.normal(0, 0.01, (rows, 1)) * np.arange(months)
    return np.exp(level + noise * chance.normal(size=(rows, months)))


def seasonal(months: int, last_month: int = SEPTEMBER, noise: float = 0.0) -> Floats:
    """A hundred, with a season of a fifth (1 x months)."""
    at = (last_month - np.arange(months)[::-1]) % YEAR
    return 100 * np.exp(0.2 * WAVE[at] + noise * np.random.default_rng(1).normal(size=months))[None, :]


series_of = st.integers(6, 48).flatmap(
    lambda months: st.lists(
        (st.floats(-1e6, 1e6) | st.just(0.0) | st.floats(0.01, 1e9)).map(lambda one: round(one, 9)),
        min_size=months,
        max_size=months,
    )
)


@given(values=series_of, horizon=st.integers(1, 12), last_month=st.integers(0, 11))
def test_any_series_has_a_forecast_that_is_a_number(values: list[float], horizon: int, last_month: int) -> None:
    outlook = of_series(np.array([values]), horizon, last_month)
    assert outlook.ahead.shape == (horizon,)
    assert np.isfinite(outlook.ahead).all()
    assert np.isfinite(outlook.spread).all()
    assert (outlook.spread >= 0).all()
    assert (np.diff(outlook.spread, axis=1) >= 0).all(), "no later month is surer"
    assert (outlook.spread[1] >= outlook.spread[0]).all(), "95 % is no narrower than 80 %"


@given(seed=st.integers(0, 2**32 - 1), months=st.integers(6, 40), times=st.sampled_from([0.001, 7.0, 1e6]))
def test_in_cents_or_in_dollars_it_is_the_same(seed: int, months: int, times: float) -> None:
    series = made(2, months, seed)
    one, scale = months_ahead(series, 6, SEPTEMBER)
    other, other_scale = months_ahead(series * times, 6, SEPTEMBER)
    np.testing.assert_allclose(other, one * times, rtol=1e-6)
    np.testing.assert_allclose(other_scale, scale * times, rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), months=st.integers(12, 40))
def test_rows_do_not_touch_each_other(seed: int, months: int) -> None:
    series = made(5, months, seed)
    together = months_ahead(series, 4, SEPTEMBER)[0]
    alone = [months_ahead(series[row : row + 1], 4, SEPTEMBER)[0][0] for row in range(5)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), months=st.integers(12, 40), back=st.integers(1, 5))
def test_a_back_test_knows_nothing_that_came_later(seed: int, months: int, back: int) -> None:
    series, fleet = made(3, months, seed), made(1, months, seed + 1)[0]
    changed, changed_fleet = series.copy(), fleet.copy()
    changed[:, -back:] *= 5
    changed_fleet[-back:] *= 3
    before, after = rolled(series, 6, SEPTEMBER, fleet), rolled(changed, 6, SEPTEMBER, changed_fleet)
    for place in range(back - 1, before.count):
        forecast = (before.actual - before.errors)[:, place]
        np.testing.assert_allclose((after.actual - after.errors)[:, place], forecast, rtol=1e-12)


def test_a_season_is_found_in_three_years_and_repeated() -> None:
    ahead, _ = months_ahead(seasonal(36), 12, SEPTEMBER)
    np.testing.assert_allclose(ahead[0], seasonal(12)[0], rtol=0.01)
    found = season_of(seasonal(36)[0], SEPTEMBER)
    assert found is not None
    np.testing.assert_allclose(found, 0.2 * WAVE, atol=0.01)


@pytest.mark.parametrize("last_month", range(12))
def test_a_season_belongs_to_the_calendar_wherever_history_ends(last_month: int) -> None:
    ahead, _ = months_ahead(seasonal(36, last_month), 3, last_month)
    at = (last_month + 1 + np.arange(3)) % YEAR
    np.testing.assert_allclose(ahead[0], 100 * np.exp(0.2 * WAVE[at]), rtol=0.02)


def test_chance_alone_has_next_to_no_season() -> None:
    chance = np.random.default_rng(5).normal(size=(400, 36))
    found = seasonal_index(chance, SEPTEMBER)
    raw = chance.reshape(400, 3, YEAR).mean(axis=1)
    assert np.square(found).mean() < np.square(raw).mean() / 5
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-9)


def test_one_year_tells_no_season_but_takes_the_fleets() -> None:
    year = np.log(seasonal(12))
    assert (seasonal_index(year, SEPTEMBER) == 0).all()
    np.testing.assert_array_equal(seasonal_index(year, SEPTEMBER, 0.2 * WAVE)[0], 0.2 * WAVE)
    borrowed, _ = months_ahead(seasonal(12), 6, SEPTEMBER, 0.2 * WAVE)
    np.testing.assert_allclose(borrowed[0], 100 * np.exp(0.2 * WAVE[(SEPTEMBER + 1 + np.arange(6)) % YEAR]), rtol=0.01)


def test_a_tenants_short_past_borrows_the_fleets_season_in_its_table() -> None:
    long, short = seasonal(36) * 50, np.concatenate([np.zeros((1, 24)), seasonal(12)], axis=1)
    table = Table(["long", "short"], np.concatenate([long, short]), SEPTEMBER)
    ahead, _ = all_ahead(table, 6)
    np.testing.assert_allclose(ahead[1], 100 * np.exp(0.2 * WAVE[(SEPTEMBER + 1 + np.arange(6)) % YEAR]), rtol=0.05)


def test_one_month_out_of_line_moves_the_forecast_by_little() -> None:
    series = 100.0 + np.random.default_rng(2).normal(size=(1, 24))
    struck = series.copy()
    struck[0, 15] = 900.0
    calm, hit = months_ahead(series, 6, SEPTEMBER)[0], months_ahead(struck, 6, SEPTEMBER)[0]
    assert np.abs(hit - calm).max() < 2.0


def test_a_tenant_that_left_costs_nothing_more_and_a_constant_stays() -> None:
    gone = np.concatenate([np.full(20, 50.0), np.zeros(2)])[None, :]
    assert (months_ahead(gone, 6, SEPTEMBER)[0] == 0).all()
    constant = of_series(np.full((1, 24), 7.0), 6, SEPTEMBER)
    np.testing.assert_allclose(constant.ahead, 7.0)
    np.testing.assert_allclose(constant.spread, 0.0, atol=1e-9)


def test_a_line_through_logarithms_does_not_run_away() -> None:
    doubling = np.exp2(np.arange(12, dtype=np.float64))[None, :]
    ahead = months_ahead(doubling, 12, SEPTEMBER)[0]
    assert ahead.max() <= 10 * doubling.max() * (1 + 1e-9)


@given(errors=st.lists(st.floats(0, 100), min_size=ENOUGH, max_size=200), level=st.sampled_from([(0, 0.80), (1, 0.95)]))
def test_a_width_covers_its_share_of_the_errors_and_no_smaller_one_does(
    errors: list[float], level: tuple[int, float]
) -> None:
    place, share = level
    found = widths(np.array(errors)[:, None], np.array(errors))
    wanted = sorted(errors)[min(int(np.ceil((len(errors) + 1) * share)), len(errors)) - 1]
    assert found.steps[place, 0] == found.total[place] == wanted
    assert sum(one <= wanted for one in errors) >= share * len(errors)


def test_too_few_errors_tell_no_width() -> None:
    few = widths(np.ones((ENOUGH - 1, 4)), np.ones(ENOUGH - 1))
    assert few.told == 0
    np.testing.assert_allclose(few.steps[0], 1.606 * np.sqrt([1, 2, 3, 4]))
    assert few.total[0] == pytest.approx(1.606 * np.sqrt(30))
    assert widths(np.ones((ENOUGH, 4)), np.ones(ENOUGH)).told == ENOUGH


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 8))
def test_reconciled_parts_are_between_their_own_sum_and_the_wholes(seed: int, rows: int) -> None:
    chance = np.random.default_rng(seed)
    parts, whole = chance.normal(100, 20, (rows, 3)), chance.normal(100 * rows, 50, 3)
    variances, of_whole = chance.uniform(0.1, 5, rows), float(chance.uniform(0.1, 5))
    agreed = reconciled(parts, whole, variances, of_whole)
    summed = agreed.sum(axis=0)
    low, high = np.minimum(parts.sum(axis=0), whole), np.maximum(parts.sum(axis=0), whole)
    assert ((summed >= low - 1e-9) & (summed <= high + 1e-9)).all()
    moved = agreed - parts
    np.testing.assert_allclose(moved / variances[:, None], np.broadcast_to(moved[0] / variances[0], moved.shape))
    # The weighted least squares that it is the closed form of (Wickramasuriya et al. 2019).
    summing = np.vstack([np.ones(rows), np.eye(rows)])
    weights = np.diag(1 / np.concatenate([[of_whole], variances]))
    solved = np.linalg.solve(summing.T @ weights @ summing, summing.T @ weights @ np.vstack([whole, parts]))
    np.testing.assert_allclose(agreed, solved, rtol=1e-6)


def test_what_is_sure_is_left_alone() -> None:
    parts = np.array([[10.0], [20.0]])
    agreed = reconciled(parts, np.array([36.0]), np.array([0.0, 4.0]), 4.0)
    np.testing.assert_allclose(agreed, [[10.0], [23.0]])
    np.testing.assert_array_equal(reconciled(parts, np.array([36.0]), np.zeros(2), 1.0), parts)


def test_a_fleet_is_its_rows_and_the_sample_of_its_errors_is_bounded() -> None:
    table = Table([f"t{n}" for n in range(2_000)], made(2_000, 30, 3), SEPTEMBER)
    outlook, fleet = of_fleet(table, 6)
    np.testing.assert_allclose(outlook.ahead, fleet.ahead.sum(axis=0))
    assert outlook.errors <= SAMPLED * 12
    again, _ = of_fleet(table, 6)
    np.testing.assert_array_equal(again.spread, outlook.spread)
    row = of_row(fleet, "t7")
    np.testing.assert_array_equal(row.ahead, fleet.ahead[7])


def test_pooled_intervals_cover_about_what_they_say_of_series_that_they_never_saw() -> None:
    series = made(900, 42, 11)
    table = Table([f"t{n}" for n in range(900)], series[:, :36], SEPTEMBER)
    found = pooled(table, 6, 36)
    pool = widths(found.steps, found.totals)
    ahead, scale = months_ahead(series[:, :36], 6, SEPTEMBER)
    inside = np.abs(series[:, 36:] - ahead)[None] <= pool.steps[:, None, :] * scale[None, :, None]
    assert inside[0].mean() == pytest.approx(0.80, abs=0.05)
    assert inside[1].mean() == pytest.approx(0.95, abs=0.03)


def test_what_moves_revenue_and_cost_alike_widens_no_margin() -> None:
    cost = made(1, 36, 4)
    steps, total, _ = between(cost * 2, cost, 6, SEPTEMBER)
    apart, _, _ = between(made(1, 36, 9) * 2, cost, 6, SEPTEMBER)
    assert steps.shape == (2, 6)
    assert (steps <= apart + 1e-9).any()
    same, _, _ = between(cost, cost, 6, SEPTEMBER)
    np.testing.assert_allclose(same, 0.0, atol=1e-6)
    assert (total >= 0).all()


def test_a_score_is_the_mean_of_what_was_off() -> None:
    one = rolled(np.array([[10.0] * 9 + [12.0]]), 1, SEPTEMBER)
    assert one.count == 3
    assert score(one).mape == pytest.approx(2 / 12 * 100 / 3)
    assert score(one).naive_mape == pytest.approx(2 / 12 * 100 / 3)
    assert score(one).seasonal_naive_mape is None
