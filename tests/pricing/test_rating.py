"""Bills against a second way of working them out, and what holds of every bill."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pricing.books import DAYS, MONTH, books, metered_models, quantities, text, tiers, use
from pricing.reference import bill as bill_by_fractions
from tenantscope_core.results.periods import Month
from tenantscope_pricing.book import Tier, Tiered
from tenantscope_pricing.book_file import book_of
from tenantscope_pricing.charging import charge
from tenantscope_pricing.price_file import parse_prices
from tenantscope_pricing.rating import Bill, rate
from tenantscope_pricing.segments import by_segment

SEPTEMBER = Month(2026, 9)
Use = dict[date, dict[str, Decimal]]


def billed(document: dict[str, Any], used: Use) -> Bill:
    book = book_of(document)
    contract = book.contracts["acme"]
    return rate(book, contract, SEPTEMBER, by_segment(book, contract, SEPTEMBER, used))


@settings(max_examples=200, deadline=None)
@given(books(), use())
def test_every_line_is_what_a_second_way_of_working_it_out_says(document: dict[str, Any], used: Use) -> None:
    theirs = bill_by_fractions(
        document, "acme", MONTH, {day: {m: Fraction(q) for m, q in each.items()} for day, each in used.items()}
    )
    ours = {(line.segment, line.name): Fraction(line.amount) for line in billed(document, used).lines if line.amount}
    assert ours == theirs


@settings(max_examples=75, deadline=None)
@given(books(), use())
def test_lines_sum_to_the_bill_in_whole_cents_and_none_is_below_zero(document: dict[str, Any], used: Use) -> None:
    bill = billed(document, used)
    assert bill.total == bill.subtotal == sum(line.amount for line in bill.lines)
    for line in bill.lines:
        assert line.amount >= 0
        assert line.amount == line.amount.quantize(Decimal("0.01"))
        if line.charge is not None:
            assert line.charge.included + line.charge.billable == line.charge.quantity
            assert line.charge.included >= 0 <= line.charge.billable
        if line.charge is not None and line.charge.steps:
            assert sum(step.amount for step in line.charge.steps) == line.charge.amount


def priced(document: dict[str, Any]) -> tuple[Any, Decimal]:
    """The model and the allowance of a price as the file writes it."""
    meters = book_of({"format": 1, "currency": "USD", "meters": METERS_OF_CALLS, "versions": NO_VERSION}).meters
    (price,) = parse_prices({"line": document}, meters, 2, "a test")
    return price.model, price.included


METERS_OF_CALLS = {"calls": {"dataset": "usage", "metric": "calls"}}
NO_VERSION: list[dict[str, Any]] = [{"version": "v", "effective": "2026-01", "plans": {}}]
amounts = quantities.filter(lambda quantity: quantity >= 0)


@given(metered_models("calls").filter(lambda price: price["model"] != "volume"), amounts, amounts)
def test_more_use_never_costs_less_but_for_volume(price: dict[str, Any], some: Decimal, more: Decimal) -> None:
    model, included = priced(price)
    assert charge(model, some, included).amount <= charge(model, some + more, included).amount


def test_volume_has_a_cliff_at_the_end_of_a_tier_which_graduated_has_not() -> None:
    steps = (Tier(Decimal(100), Decimal("1.00")), Tier(None, Decimal("0.50")))
    graduated, volume = Tiered("graduated", steps), Tiered("volume", steps)
    assert [charge(volume, Decimal(n)).amount for n in (99, 100, 101)] == [99, 100, Decimal("50.50")]
    assert [charge(graduated, Decimal(n)).amount for n in (99, 100, 101)] == [99, 100, Decimal("100.50")]
    assert charge(graduated, Decimal("100.000001")).amount == Decimal("100.0000005")
    assert charge(volume, Decimal("100.000001")).amount == Decimal("50.0000005")


@given(tiers(), amounts)
def test_with_falling_prices_and_no_fees_volume_never_costs_more_than_graduated(
    steps: list[dict[str, Any]], quantity: Decimal
) -> None:
    prices = sorted((Decimal(step["unit_price"]) for step in steps), reverse=True)
    falling = tuple(
        Tier(Decimal(step["up_to"]) if "up_to" in step else None, price)
        for step, price in zip(steps, prices, strict=True)
    )
    rising = tuple(Tier(tier.up_to, price) for tier, price in zip(falling, reversed(prices), strict=True))
    assert charge(Tiered("volume", falling), quantity).amount <= charge(Tiered("graduated", falling), quantity).amount
    assert charge(Tiered("volume", rising), quantity).amount >= charge(Tiered("graduated", rising), quantity).amount


@given(metered_models("calls"), amounts)
def test_an_allowance_is_free_and_never_below_zero(price: dict[str, Any], quantity: Decimal) -> None:
    model, included = priced(price)
    charged = charge(model, quantity, included)
    assert charged.included == min(quantity, included)
    assert charged.amount >= 0
    if quantity <= included:
        assert charged.amount == 0
    assert charge(model, -quantity, included).amount == 0


@given(st.integers(1, 29), st.integers(0, 99_999), st.integers(0, 99_999))
def test_a_month_cut_in_two_has_the_same_fee_and_allowance_as_a_whole_one(day: int, fee: int, included: int) -> None:
    price = {"model": "per_unit", "unit_price": "0", "included": text(Decimal(included).scaleb(-2)), "meter": "calls"}
    plan = {"fee": text(Decimal(fee).scaleb(-2)), "prices": {"line": price}}
    document: dict[str, Any] = {
        "format": 1, "currency": "USD", "meters": METERS_OF_CALLS,
        "versions": [{"version": "v", "effective": "2026-01", "plans": {"one": plan}}],
        "contracts": {"acme": {"terms": [{"plan": "one", "since": since} for since in (date(2026, 1, 1), DAYS[day])]}},
    }  # fmt: skip
    much = {each: {"calls": Decimal(10**6)} for each in DAYS}
    bill = billed(document, much)
    assert sum(line.amount for line in bill.lines if line.name == "fee") == Decimal(fee).scaleb(-2)
    free = [line.charge.included for line in bill.lines if line.name == "line" and line.charge is not None]
    assert sum(free) == Decimal(included).scaleb(-2)
    assert len(free) == 2


@given(tiers(), st.sampled_from([1, 2, 3, 5, 6, 10, 15, 29]), st.integers(0, 20_000))
def test_use_that_is_even_over_the_days_costs_the_same_when_a_term_changes_within_the_month(
    steps: list[dict[str, Any]], day: int, a_day: int
) -> None:
    """Graduated tiers shrink with the days, so cutting a month does not move use to cheaper or dearer tiers."""
    for step in steps:
        step.pop("fee", None)
        if "up_to" in step:
            step["up_to"] = step["up_to"] * 30  # so that a day's part is exact
    plan = {"prices": {"line": {"model": "graduated", "tiers": steps, "meter": "calls"}}}
    versions = [{"version": "v", "effective": "2026-01", "plans": {"one": plan}}]
    whole: dict[str, Any] = {"format": 1, "currency": "USD", "meters": METERS_OF_CALLS, "versions": versions}
    started = {"plan": "one", "since": date(2026, 1, 1)}
    used = {each: {"calls": Decimal(a_day).scaleb(-1)} for each in DAYS}
    cut = {**whole, "contracts": {"acme": {"terms": [started, {"plan": "one", "since": DAYS[day]}]}}}
    whole["contracts"] = {"acme": {"terms": [started]}}
    exact = [sum(line.charge.amount for line in billed(each, used).lines if line.charge) for each in (whole, cut)]
    assert exact[0] == exact[1]


def test_halves_of_a_cent_go_where_the_book_says() -> None:
    """A price of half a cent: one, two and three units under each way of rounding."""
    came: dict[str, list[str]] = {}
    for rounding in ("half_up", "half_even"):
        plan = {"prices": {"line": {"model": "per_unit", "unit_price": "0.005", "meter": "calls"}}}
        document: dict[str, Any] = {
            "format": 1, "currency": "USD", "rounding": rounding, "meters": METERS_OF_CALLS,
            "versions": [{"version": "v", "effective": "2026-01", "plans": {"one": plan}}],
            "contracts": {"acme": {"terms": [{"plan": "one", "since": date(2026, 1, 1)}]}},
        }  # fmt: skip
        came[rounding] = [str(billed(document, {DAYS[0]: {"calls": Decimal(n)}}).total) for n in (1, 2, 3)]
    assert came == {"half_up": ["0.01", "0.01", "0.02"], "half_even": ["0.00", "0.01", "0.02"]}


def test_a_currency_without_cents_is_charged_in_whole_units() -> None:
    plan = {"fee": 1000, "prices": {"line": {"model": "per_unit", "unit_price": "0.5", "meter": "calls"}}}
    document: dict[str, Any] = {
        "format": 1, "currency": "JPY", "meters": METERS_OF_CALLS,
        "versions": [{"version": "v", "effective": "2026-01", "plans": {"one": plan}}],
        "contracts": {"acme": {"terms": [{"plan": "one", "since": date(2026, 9, 16)}]}},
    }  # fmt: skip
    assert [str(line.amount) for line in billed(document, {DAYS[20]: {"calls": Decimal(3)}}).lines] == ["500", "2"]


def test_amounts_stay_exact_beyond_twenty_eight_digits() -> None:
    price = {"model": "per_unit", "unit_price": "0.123456789012", "meter": "calls"}
    plan = {"prices": {"line": price}}
    document: dict[str, Any] = {
        "format": 1, "currency": "USD", "meters": METERS_OF_CALLS,
        "versions": [{"version": "v", "effective": "2026-01", "plans": {"one": plan}}],
        "contracts": {"acme": {"terms": [{"plan": "one", "since": date(2026, 1, 1)}]}},
    }  # fmt: skip
    (line,) = billed(document, {DAYS[0]: {"calls": Decimal("987654321012345678901.123457")}}).lines
    assert line.charge is not None
    assert Fraction(line.charge.amount) == Fraction("0.123456789012") * Fraction("987654321012345678901.123457")
