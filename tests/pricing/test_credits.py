"""Credits: what they pay, in which order, how long, and that none pays more than it has."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.periods import Month
from tenantscope_pricing.book import Credit
from tenantscope_pricing.book_file import parse_book
from tenantscope_pricing.credits import consume, first_month, in_order
from tenantscope_pricing.rating import replay

JANUARY, MARCH = Month(2026, 1), Month(2026, 3)
LINES = ("fee", "requests", "bookings")
cents = st.integers(0, 100_000).map(lambda n: Decimal(n).scaleb(-2))
months = st.integers(0, 5).map(JANUARY.shift)


@st.composite
def credits(draw: st.DrawFn) -> list[Credit]:
    return [
        Credit(
            name=f"c{number}",
            amount=draw(cents.filter(bool)),
            granted=(granted := draw(months)),
            expires=draw(st.none() | st.integers(0, 4).map(granted.shift)),
            price=draw(cents),
            lines=tuple(draw(st.lists(st.sampled_from(LINES), unique=True))),
            priority=draw(st.integers(0, 2)),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


payables = st.lists(st.tuples(st.sampled_from(LINES), cents), max_size=5)


@given(payables, credits(), months)
def test_no_credit_pays_more_than_it_has_and_no_line_is_paid_more_than_it_is(
    payable: list[tuple[str, Decimal]], given_: list[Credit], month: Month
) -> None:
    uses, left = consume(payable, given_, month, {})
    assert sum(use.applied for use in uses) <= sum(amount for _, amount in payable)
    for use in uses:
        assert 0 <= use.applied <= use.before == use.credit.amount
        assert left[use.credit.name] == use.after == use.before - use.applied
        assert use.credit.granted <= month <= (use.credit.expires or month)
        may = sum(amount for name, amount in payable if not use.credit.lines or name in use.credit.lines)
        assert use.applied <= may
    assert left.keys() == {one.name for one in given_}
    for name in LINES:  # what only credits for a line can pay is paid by no more than the line
        for_it = sum(use.applied for use in uses if use.credit.lines == (name,))
        assert for_it <= sum(amount for one, amount in payable if one == name)


@given(payables, credits(), months)
def test_what_is_left_open_no_credit_with_a_balance_could_have_paid(
    payable: list[tuple[str, Decimal]], given_: list[Credit], month: Month
) -> None:
    uses, _ = consume(payable, given_, month, {})
    for use in uses:
        if use.after and not use.credit.lines:
            assert sum(one.applied for one in uses) == sum(amount for _, amount in payable)


def test_the_order_is_priority_then_expiry_then_given_before_bought_then_age_then_name() -> None:
    bought = Credit("bought", Decimal(1), JANUARY, MARCH, price=Decimal(1))
    wanted = [
        Credit("first", Decimal(1), MARCH, None, priority=0),
        replace(bought, name="sooner", expires=JANUARY, priority=1),
        Credit("given", Decimal(1), MARCH, MARCH, priority=1),
        replace(bought, priority=1),
        replace(bought, name="later", granted=JANUARY.shift(1), priority=1),
        replace(bought, name="later b", granted=JANUARY.shift(1), priority=1),
        Credit("for ever", Decimal(1), JANUARY, None, priority=1),
    ]
    assert in_order(list(reversed(wanted))) == wanted


def test_a_credit_pays_from_the_month_it_is_granted_through_the_month_it_expires() -> None:
    credit = Credit("c", Decimal(5), JANUARY.shift(1), MARCH)
    paid = [
        sum(use.applied for use in consume([("fee", Decimal(9))], [credit], JANUARY.shift(n), {})[0]) for n in range(4)
    ]
    assert paid == [0, 5, 5, 0]


def test_balances_are_replayed_from_where_the_oldest_credit_that_still_matters_begins() -> None:
    old = Credit("old", Decimal(5), JANUARY.shift(-3), JANUARY.shift(1))
    now = Credit("now", Decimal(5), JANUARY, MARCH)
    apart = Credit("apart", Decimal(5), JANUARY.shift(-9), JANUARY.shift(-6))
    assert first_month([old, now, apart], MARCH) == JANUARY.shift(-3)
    assert first_month([apart], MARCH) == MARCH
    assert first_month([], MARCH) == MARCH


BOOK = """
format: 1
currency: USD
meters: {requests: {dataset: usage, metric: requests}}
versions:
  - {version: v, effective: 2026-01, plans: {one: {fee: 10, prices: {requests: {model: per_unit, unit_price: 1}}}}}
contracts:
  acme:
    terms: [{plan: one, since: 2026-01-01}]
    credits:
      - {name: prepaid, amount: 50, price: 40, granted: 2026-02}
      - {name: welcome, amount: 15, granted: 2026-01, expires: 2026-02, lines: [requests]}
"""


def test_a_year_with_credits_month_by_month() -> None:
    book = parse_book(BOOK)
    used = {month: [{"requests": Decimal(8)}] for month in (JANUARY, JANUARY.shift(1), MARCH, JANUARY.shift(3))}
    bills = list(replay(book, book.contracts["acme"], used).values())
    # January: 18, welcome pays 8. February: 18 + 40 bought; welcome pays 7 and prepaid 11, but not its own price.
    assert [bill.subtotal for bill in bills] == [18, 58, 18, 18]
    assert [bill.total for bill in bills] == [10, 40, 0, 0]
    assert [dict(bill.balances) for bill in bills] == [
        {"prepaid": 50, "welcome": 7}, {"prepaid": 39, "welcome": 0}, {"prepaid": 21, "welcome": 0},
        {"prepaid": 3, "welcome": 0},
    ]  # fmt: skip
    assert [use.credit.name for use in bills[1].credits] == ["welcome", "prepaid"]
