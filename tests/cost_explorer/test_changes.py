"""Taking a change of cost apart: drivers that sum to it exactly, and each case that a textbook tells by hand."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_cost_explorer.changes.drivers import Amounts, Cell, Contribution, Driver, Lengths, by_driver, explain

pytestmark = pytest.mark.requirement("drivers-sum-to-the-change")

MONTH = Lengths(30, 30)
CELL = Cell("acme", "Amazon S3", "search")


def amounts(
    before: str, after: str, was: str = "0", now: str = "0", *, unit: str | None = "GB", cell: Cell = CELL
) -> Amounts:
    return Amounts(cell, unit, False, Decimal(before), Decimal(after), Decimal(was), Decimal(now))


def found(rows: Sequence[Amounts], lengths: Lengths = MONTH) -> dict[str, Decimal]:
    return {driver.value: change.normalize() for driver, change in by_driver(explain(rows, lengths)).items() if change}


def test_more_use_at_the_old_price_is_volume() -> None:
    assert found([amounts("10", "25", "100", "250")]) == {"volume": 15}


def test_the_same_use_at_another_price_is_unit_price() -> None:
    assert found([amounts("10", "12.50", "100", "100")]) == {"unit_price": Decimal("2.5")}


def test_both_at_once_are_told_apart() -> None:
    # 50 more at 0.10, then 150 at 0.02 more each
    assert found([amounts("10", "18", "100", "150")]) == {"volume": 5, "unit_price": 3}


def test_use_that_moves_to_a_dearer_cell_of_a_service_is_mix() -> None:
    cheap, dear = Cell("a", "S", "x"), Cell("a", "S", "y")
    rows = [amounts("10", "5", "100", "50", cell=cheap), amounts("30", "45", "100", "150", cell=dear)]
    assert found(rows) == {"mix": 10}  # 50 units from 0.10 to 0.30 each; 200 units in all, as before
    assert {(one.cell.feature, one.driver, one.change.normalize()) for one in explain(rows, MONTH)} == {
        ("x", Driver.VOLUME, -10), ("x", Driver.MIX, 5), ("y", Driver.VOLUME, 10), ("y", Driver.MIX, 5),
    }  # fmt: skip


def test_a_cell_that_did_not_change_has_no_part_in_what_others_did() -> None:
    still = Cell("quiet", "Amazon S3", "search")
    rows = [amounts("10", "10", "100", "100", cell=still), amounts("20", "90", "150", "600")]
    assert {one.cell for one in explain(rows, MONTH)} == {CELL}


def test_quantities_of_two_units_are_not_mixed() -> None:
    rows = [amounts("10", "20", "100", "200"), amounts("1", "1", "5000", "5000", unit="Requests")]
    assert found(rows) == {"volume": 10}


def test_what_was_not_there_is_new_and_what_is_no_more_is_gone() -> None:
    one, other = Cell("a", "S", "x"), Cell("a", "S", "y")
    rows = [amounts("0", "7", "0", "70", cell=one), amounts("4", "0", "40", "0", cell=other)]
    assert found(rows) == {"new": 7, "gone": -4}


def test_without_a_quantity_nothing_is_said_of_volume_or_price() -> None:
    assert found([amounts("10", "12", unit=None)]) == {"unmeasured": 2}


@pytest.mark.parametrize("swapped", [False, True])
def test_charges_that_gain_or_lose_their_quantities_are_unmeasured_and_not_new(swapped: bool) -> None:
    rows = [amounts("10", "0", "100", "0"), amounts("0", "12", unit=None)]
    if swapped:
        rows = [Amounts(one.cell, one.unit, False, one.after, one.before) for one in rows]
    assert found(rows) == {"unmeasured": -2 if swapped else 2}


def test_a_unit_that_joins_a_measured_cell_is_new() -> None:
    rows = [amounts("10", "10", "100", "100"), amounts("0", "3", "0", "30", unit="Requests")]
    assert found(rows) == {"new": 3}


def test_a_negative_quantity_prices_nothing() -> None:
    assert found([amounts("10", "12", "-5", "5")]) == {"unmeasured": 2}


def test_what_happens_once_is_no_volume() -> None:
    refund = Amounts(CELL, "GB", True, Decimal(0), Decimal(-5), Decimal(0), Decimal(-50))
    assert found([amounts("10", "10", "100", "100"), refund]) == {"one_off": -5}


def test_a_longer_month_is_days_and_not_volume() -> None:
    # 28 days at 10 a day, 31 days at 10 a day, and then 31 units more
    assert found([amounts("28", "31", "280", "310")], Lengths(28, 31, by_month=True)) == {"days": 3}
    assert found([amounts("28", "34.1", "280", "341")], Lengths(28, 31, by_month=True)) == {
        "days": 3, "volume": Decimal("3.1"),
    }  # fmt: skip


@pytest.mark.parametrize("unit", ["GB-Mo", "GB-Month", "User-Months", "month"])
def test_what_is_counted_by_the_month_does_not_grow_with_its_days(unit: str) -> None:
    rows = [amounts("10", "11", "100", "110", unit=unit)]
    assert found(rows, Lengths(28, 31, by_month=True)) == {"volume": 1}
    assert "days" in found(rows, Lengths(28, 31))


money = st.decimals(min_value=-(10**9), max_value=10**9, places=12) | st.just(Decimal(0))
cells = st.builds(Cell, st.sampled_from(["a", "b", ""]), st.sampled_from(["S", "T"]), st.sampled_from(["(none)", "f"]))
rows_of_any_kind = st.lists(
    st.builds(Amounts, cells, st.sampled_from(["GB", "Hours", "GB-Mo", None]), st.booleans(), *[money] * 4), max_size=30
)
lengths = st.builds(Lengths, st.integers(1, 366), st.integers(1, 366), st.booleans())


@given(rows_of_any_kind, lengths)
def test_drivers_sum_to_the_change_exactly(rows: list[Amounts], between: Lengths) -> None:
    contributions = explain(rows, between)
    with localcontext() as context:
        context.prec = 90
        change = sum((one.after - one.before for one in rows), Decimal(0))
        assert sum((one.change for one in contributions), Decimal(0)) == change
        assert sum(by_driver(contributions).values(), Decimal(0)) == change


@given(rows_of_any_kind, lengths, st.randoms(use_true_random=False))
def test_the_order_of_cells_changes_nothing(rows: list[Amounts], between: Lengths, random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert explain(shuffled, between) == explain(rows, between)


@given(rows_of_any_kind, lengths)
def test_each_cells_contributions_are_its_own_change(rows: list[Amounts], between: Lengths) -> None:
    def changes(of: Sequence[Amounts] | Sequence[Contribution]) -> dict[Cell, Decimal]:
        sums: dict[Cell, Decimal] = {}
        for one in of:
            change = one.change if isinstance(one, Contribution) else one.after - one.before
            sums[one.cell] = sums.get(one.cell, Decimal(0)) + change
        return {cell: change for cell, change in sums.items() if change}

    with localcontext() as context:
        context.prec = 90
        assert changes(explain(rows, between)) == changes(rows)


@given(st.lists(st.builds(Amounts, cells, st.just("GB"), st.just(False), *[money] * 2), max_size=10), lengths)
def test_no_quantity_means_no_volume_price_or_mix(rows: list[Amounts], between: Lengths) -> None:
    assert by_driver(explain(rows, between)).keys() <= {Driver.NEW, Driver.GONE, Driver.UNMEASURED}
