"""What a new book may change: what is to come, and nothing that a closed month was billed by."""

import pytest
from pricing.test_book_file import GOOD
from tenantscope_core.results.periods import Month
from tenantscope_pricing.book_file import parse_book
from tenantscope_pricing.revisions import compare

MAY = Month(2026, 5)
"""The running month: v1 has rated closed months, v2 comes in June."""


def revised(*changes: tuple[str, str]):
    text = GOOD
    for find, put in changes:
        assert text.count(find) == 1, find
        text = text.replace(find, put)
    return compare(parse_book(GOOD), parse_book(text), MAY)


def test_the_first_book_binds_nobody() -> None:
    revision = compare(None, parse_book(GOOD), MAY)
    assert revision.changes == ("first book: 2 versions, 2 plans, 2 contracts",)
    assert not revision.faults


def test_the_same_book_changes_nothing() -> None:
    assert revised() == compare(parse_book(GOOD), parse_book("# a comment" + GOOD), MAY)
    assert revised().changes == revised().faults == ()


@pytest.mark.parametrize(
    ("find", "put", "said"),
    [
        ("fee: 1}", "fee: 9}", "secret: fee 1 → 9"),
        ("effective: 2026-06", "effective: 2026-07", "version v2: changed, effective 2026-06 → 2026-07"),
        ("\ncontracts:", "\n  - {version: v3, effective: 2026-09, plans: {growth: {}, secret: {fee: 1}}}\ncontracts:",
         "version v3: new, effective 2026-09"),
        ("  globex: {terms: [{plan: growth, since: 2026-01-01}]}",
         "  globex: {terms: [{plan: growth, since: 2026-01-01, through: 2026-05-31}]}", "changed contract (1): globex"),
        ("  globex:", "  initech: {terms: [{plan: growth, since: 2026-05-02}]}\n  globex:", "new contract (1)"),
        ("since: 2026-07-01, fee: 2", "since: 2026-08-01, fee: 3", "changed contract (1): acme"),
        ("lines: [fee]}]", "lines: [fee]}, {name: sorry, amount: 9, granted: 2026-05}]", "changed contract (1): acme"),
        ("measure: cost}", "measure: cost}\n  errors: {dataset: usage, metric: errors}", None),
    ],
)  # fmt: skip
def test_what_is_to_come_may_change_and_is_said(find: str, put: str, said: str | None) -> None:
    revision = revised((find, put))
    assert revision.faults == ()
    assert said is None or any(said in change for change in revision.changes), revision.changes


@pytest.mark.parametrize(
    ("find", "put", "said"),
    [
        ('"10.00"', '"10.01"', "version v1 rated closed months and cannot change"),
        ("version: v1\n", "version: v0\n", None),
        ("currency: USD", "currency: EUR", "currency and rounding"),
        ("currency: USD", "currency: USD\nrounding: half_even", "currency and rounding"),
        ("metric: requests", "metric: errors", "version v1 rated closed months"),
        ("since: 2026-01-10", "since: 2026-01-11", "contract (1): acme would change bills of closed months"),
        ("since: 2026-01-01}", "since: 2026-01-01, through: 2026-04-29}", "contract (1): globex"),
        ("\n  globex: {terms: [{plan: growth, since: 2026-01-01}]}", "", "contract (1): globex"),
        ("  globex:", "  initech: {terms: [{plan: growth, since: 2026-04-30}]}\n  globex:", "contract (1): initech"),
        ("amount: 3", "amount: 4", "contract (1): acme"),
        ("lines: [fee]}]", "lines: [fee]}, {name: sorry, amount: 9, granted: 2026-04}]", "contract (1): acme"),
        ("percent: 5}", "percent: 6}", "contract (1): acme"),
        ("effective: 2026-06", "effective: 2026-04", "version v2 would be effective 2026-04, in a closed month"),
    ],
)  # fmt: skip
def test_what_billed_a_closed_month_may_not(find: str, put: str, said: str | None) -> None:
    changes = [(find, put)] if find != "version: v1\n" else [(find, put), ("version: v1,", "version: v0,")]
    revision = revised(*changes)
    assert revision.faults
    assert said is None or any(said in fault for fault in revision.faults), revision.faults


def test_a_meter_that_a_contract_alone_was_rated_by_is_held_too() -> None:
    own = ("since: 2026-01-01}", "since: 2026-01-01, prices: {slow: {model: per_unit, unit_price: 1}}}")
    meter = ("measure: cost}", "measure: cost}\n  slow: {dataset: usage, metric: p95_ms, aggregate: max}")
    text = GOOD
    for find, put in (own, meter):
        text = text.replace(find, put)
    revision = compare(parse_book(text), parse_book(text.replace("p95_ms", "p50_ms")), MAY)
    assert any("meter slow" in fault for fault in revision.faults)
