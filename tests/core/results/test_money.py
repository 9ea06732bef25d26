"""Rounding that keeps sums."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tenantscope_core.results.money import CENT, Amount, round_half_even, round_to_total

amounts = st.lists(st.decimals(-(10**9), 10**9, places=12), max_size=40)


@given(amounts)
def test_rounded_parts_sum_to_the_rounded_total_and_move_by_less_than_a_cent(parts: list[Decimal]):
    rounded = round_to_total(parts)
    assert sum(rounded) == round_half_even(sum(parts, Decimal(0)))
    assert all(abs(r - p) < CENT for r, p in zip(rounded, parts, strict=True))


@given(amounts)
def test_a_part_that_is_whole_cents_already_stays(parts: list[Decimal]):
    cents = [round_half_even(part) for part in parts]
    assert round_to_total(cents) == cents


def test_a_total_that_is_not_the_sum_is_refused():
    with pytest.raises(ValueError):
        round_to_total([Decimal("1.00")], total=Decimal("2.00"))


def test_an_amount_leaves_as_a_plain_decimal_string():
    class Answer(BaseModel):
        cost: Amount

    assert Answer(cost=Decimal("1E+3")).model_dump_json() == '{"cost":"1000"}'
    assert Answer(cost=Decimal("0.0000000001")).model_dump(mode="json") == {"cost": "0.0000000001"}
