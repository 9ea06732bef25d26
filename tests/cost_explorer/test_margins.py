"""Margins in cents, since when somebody loses, and features' parts: for any numbers, all adds up."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.periods import Month
from tenantscope_cost_explorer.cents import deal
from tenantscope_cost_explorer.features.costs import FeatureBill, Use, list_features
from tenantscope_cost_explorer.margins.lines import (
    MarginSum,
    Only,
    Order,
    Total,
    feature_lines,
    grouped,
    in_cents,
    losers,
    page,
    rest_of,
    tenant_line,
)
from tenantscope_cost_explorer.margins.losing import cost_down_percent, losing_run, revenue_up_percent
from tenantscope_cost_explorer.margins.rows import Cost, Revenue, in_two_currencies, margin_rows

ZERO, CENT = Decimal(0), Decimal("0.01")
MONEY = st.decimals(min_value=-100, max_value=5_000, places=12)
FIRST = Month(2026, 1)
SUMS = st.lists(
    st.tuples(MONEY, MONEY, st.sampled_from([None, "starter", "growth"]), st.sampled_from([None, "bookers"])),
    max_size=20,
).map(lambda rows: [MarginSum(f"t{n:02}", *row) for n, row in enumerate(rows)])


def past(text: str) -> dict[Month, Decimal]:
    """Margins of months from January on: `-` lost one, `+` gained one, `.` neither revenue nor cost."""
    signs = {"-": Decimal(-1), "+": Decimal(1)}
    return {FIRST.shift(n): signs[mark] for n, mark in enumerate(text) if mark in signs}


def since(text: str, *, known: str | None = None) -> str | None:
    """When the loss began, as the number of the month; `?` in `known` is a month that is not committed."""
    committed = {FIRST.shift(n) for n, mark in enumerate(known or text) if mark != "?"}
    run = losing_run(past(text), known=committed, last=FIRST.shift(len(text) - 1))
    return (
        None
        if run is None
        else f"{run.since.month} to {run.last.month}, {run.months}, {run.total}"
        + (" or earlier" if run.from_the_first else "")
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("++--", "3 to 4, 2, -2"),
        ("----", "1 to 4, 4, -4 or earlier"),
        ("++++", None),
        ("+-+-", "2 to 4, 2, -1"),  # one good month within the row
        ("-++-", "4 to 4, 1, -1"),  # two end it
        ("-+-+-", "3 to 5, 2, -1"),  # the second good month ends it, wherever it stands
        ("+--+", "2 to 3, 2, -2"),  # the newest losing month is not the newest month
        ("+-.-", "2 to 4, 2, -2"),  # a month of nothing is a month without a loss
        ("-..-", "4 to 4, 1, -1"),
        ("-+", "1 to 1, 1, -1 or earlier"),
        ("+", None),
    ],
)
def test_a_loss_lasts_since_the_first_month_of_its_row(text: str, told: str | None) -> None:
    assert since(text) == told


def test_nothing_is_said_across_a_month_that_is_not_known() -> None:
    assert since("-+--", known="??--") == "3 to 4, 2, -2 or earlier"
    assert since("--.-", known="--?-") == "4 to 4, 1, -1 or earlier"


@given(st.text(alphabet="+-.", min_size=1, max_size=11))
def test_a_row_begins_and_ends_with_a_loss_and_holds_at_most_one_other_month(text: str) -> None:
    run = losing_run(past(text), known=[FIRST.shift(n) for n in range(len(text))], last=FIRST.shift(len(text) - 1))
    if run is None:
        assert "-" not in text
        return
    row = text[run.since.month - 1 : run.last.month]
    assert row[0] == row[-1] == "-"
    assert text.rfind("-") == run.last.month - 1
    assert len(row) - row.count("-") <= 1
    assert run.months == row.count("-")
    assert run.total == row.count("+") - row.count("-")
    # It is the longest: one month more with a loss in it would hold two months without.
    before = text[: run.since.month - 1]
    assert all(len(longer) - longer.count("-") > 1 for n, mark in enumerate(before) if mark == "-"
               for longer in [text[n : run.last.month]])  # fmt: skip


@pytest.mark.parametrize(
    ("revenue", "cost", "up", "down"),
    [("100", "125", 25.0, 20.0), ("0", "5", None, 100.0), ("-3", "5", None, None), ("9", "8", None, None)],
)
def test_what_breaks_even_is_plain_arithmetic(revenue: str, cost: str, up: float | None, down: float | None) -> None:
    assert revenue_up_percent(Decimal(revenue), Decimal(cost)) == up
    assert cost_down_percent(Decimal(revenue), Decimal(cost)) == down


@pytest.mark.requirement("margins-tie")
@given(
    sums=SUMS,
    residual=MONEY,
    order=st.sampled_from(["margin", "margin_percent", "revenue", "cost"]),
    only=st.sampled_from(["all", "losing"]),
    limit=st.integers(1, 7),
)
def test_every_page_its_rest_and_the_residual_are_revenue_and_bill(
    sums: list[MarginSum], residual: Decimal, order: Order, only: Only, limit: int
) -> None:
    ledger = in_cents(sums, residual)
    lines, rest = ledger.lines, ledger.residual
    assert ledger.margin == sum((line.margin for line in lines), -rest)
    bill = sum((one.cost for one in sums), residual)
    assert abs(sum((line.revenue for line in lines), ZERO) - sum((one.revenue for one in sums), ZERO)) <= CENT / 2
    assert abs(sum((line.cost for line in lines), rest) - bill) <= CENT / 2
    for line, one in zip(lines, sums, strict=True):
        assert abs(line.margin - (one.revenue - one.cost)) < 2 * CENT
    seen: list[str] = []
    for start in range(0, len(lines) + 1, limit):
        shown = page(lines, lines, order=order, only=only, start=start, limit=limit)
        assert shown.more == (start + limit < shown.count)
        for what in ("revenue", "cost", "margin"):
            other = getattr(shown.other, what) if shown.other else ZERO
            parts = sum((getattr(line, what) for line in shown.lines), ZERO) + other
            assert parts == sum((getattr(line, what) for line in lines), ZERO)
        seen += [line.name for line in shown.lines]
    wanted = {one.tenant for one in sums if only == "all" or one.cost > one.revenue}
    assert len(seen) == len(set(seen))
    assert set(seen) == wanted


@given(sums=SUMS, by=st.sampled_from(["tier", "persona"]))
def test_groups_are_the_cents_of_their_tenants(sums: list[MarginSum], by: str) -> None:
    lines = in_cents(sums, ZERO).lines
    groups = grouped(lines, "tier" if by == "tier" else "persona")
    assert sum((group.cost for group in groups), ZERO) == sum((line.cost for line in lines), ZERO)
    for group in groups:
        own = [line for line in lines if (getattr(line.tenants[0], by) or "(none)") == group.name]
        assert (len(group.tenants), group.revenue) == (len(own), sum((line.revenue for line in own), ZERO))
    some = lines[::2]
    left = rest_of(lines, some)
    assert sum((line.margin for line in [*some, *left]), ZERO) == sum((line.margin for line in lines), ZERO)


def test_losers_are_those_that_cost_more_however_little() -> None:
    tenants = [MarginSum("a", Decimal(1), Decimal("1.001")), MarginSum("b", Decimal(1), Decimal(1))]
    lines = in_cents(tenants, ZERO).lines
    found = losers(lines, {"b"})
    assert (found.tenants, found.inactive) == (1, 1)
    run = losing_run({FIRST: Decimal("-0.001")}, known=[FIRST], last=FIRST)
    told = tenant_line(lines[0], run, last=str(FIRST), active={"b"}, also_in=["EUR"])
    assert told.loss is not None
    assert (told.active, told.also_in, told.loss.until, told.loss.or_earlier) == (False, ["EUR"], None, True)


PARTS = st.dictionaries(st.sampled_from("abcdef"), st.decimals(min_value=0, max_value=900, places=6), max_size=6)


@given(parts=st.lists(MONEY, max_size=9), left=MONEY, off=st.sampled_from([-1, 0, 1]))
def test_cents_are_dealt_to_a_total_that_was_fixed(parts: list[Decimal], left: Decimal, off: int) -> None:
    exact = sum(parts, left)
    cents = exact.quantize(CENT) + off * CENT
    dealt = deal(parts, exact=exact, cents=cents)
    assert sum(dealt, ZERO) == cents
    assert len(dealt) == len(parts) + 1
    assert all(abs(one - part) < 3 * CENT for one, part in zip(dealt, [*parts, left], strict=True))


@given(revenue=PARTS, named=PARTS, shared=PARTS, unused=MONEY, nothing=MONEY)
def test_features_and_what_has_none_are_the_tenants_revenue_and_cost(
    revenue: Mapping[str, Decimal], named: Mapping[str, Decimal], shared: Mapping[str, Decimal], unused: Decimal,
    nothing: Decimal,
) -> None:  # fmt: skip
    paid = sum(revenue.values(), unused)
    spent = sum(named.values(), sum(shared.values(), nothing))
    totals = [Total(exact, exact.quantize(CENT)) for exact in (paid, spent)]
    lines = feature_lines(
        revenue=revenue, revenue_total=totals[0], named=named, shared=shared, cost_total=totals[1], calls={"a": 3}
    )
    assert sum((line.revenue for line in lines), ZERO) == totals[0].cents
    assert sum((line.cost for line in lines), ZERO) == totals[1].cents
    assert {line.name for line in lines} - {"(none)"} == {*revenue, *named, *shared, "a"}


@given(
    services=st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.sampled_from("vwxyz"), MONEY)),
    shared=PARTS,
    no_feature=MONEY,
    residual=MONEY,
    limit=st.integers(1, 6),
)
def test_both_views_of_features_are_the_bill(
    services: dict[str, dict[str, Decimal]], shared: dict[str, Decimal], no_feature: Decimal, residual: Decimal,
    limit: int,
) -> None:  # fmt: skip
    bill = FeatureBill(services, shared, no_feature, residual)
    listed = list_features(bill, {"a": Use(7, 2, None)}, order="cost", limit=limit)
    assert listed.bill == bill.total.quantize(CENT)
    for view in ("attributed", "with_shared"):
        rows = sum((getattr(row, view).cost for row in listed.rows), ZERO)
        other = getattr(listed.other, view) if listed.other else ZERO
        assert rows + other + getattr(listed.no_feature, view) + listed.residual == listed.bill
    for row in listed.rows:
        assert sum((one.cost for one in row.hosting), row.other_services or ZERO) == row.attributed.cost
        assert row.calls == (7 if row.feature == "a" else 0)
        assert (row.attributed.per_call is None) == (row.feature != "a")
    costs = [row.with_shared.cost for row in listed.rows]
    assert costs == sorted(costs, reverse=True)


def test_currencies_are_never_added_up() -> None:
    rows = margin_rows(
        [Cost("a", "USD", Decimal(3)), Cost("b", "EUR", Decimal(1)), Cost(None, "USD", Decimal(5))],
        [Revenue("a", "EUR", "p", Decimal(9)), Revenue("b", "EUR", None, Decimal(4))],
        tiers={"a": "growth"},
        personas={},
    )
    told = [(row.tenant, row.currency, row.revenue, row.cost, row.margin, row.tier, row.plan) for row in rows]
    assert told == [
        ("a", "EUR", 9, 0, 9, "growth", "p"),
        ("a", "USD", 0, 3, -3, "growth", None),
        ("b", "EUR", 4, 1, 3, None, None),
        (None, "USD", 0, 5, -5, None, None),
    ]
    assert in_two_currencies(rows) == ["a"]
