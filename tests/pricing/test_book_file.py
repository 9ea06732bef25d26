"""What the price book may say, and the sentence for what it may not."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from pricing.books import books
from tenantscope_core.results.periods import Month
from tenantscope_pricing.book import Flat, Package, Percentage, PerUnit, Tier, Tiered
from tenantscope_pricing.book_file import BookError, book_of, parse_book
from tenantscope_pricing.price_file import kind_of
from tenantscope_pricing.views import read_stored, stored, stored_for
from tenantscope_sandbox.company import PRICE_BOOK

GOOD = """
format: 1
currency: USD
meters:
  requests: {dataset: usage, metric: requests, unit: request}
  models: {dataset: llm_usage, measure: cost}
versions:
  - version: v1
    effective: 2026-01
    plans:
      growth:
        fee: "10.00"
        prices:
          requests:
            model: graduated
            included: 10
            tiers: [{up_to: 100, unit_price: "0.10"}, {unit_price: "0.05", fee: 3}]
          packs: {model: package, meter: requests, package_size: 10, package_price: "1.50"}
          models: {model: percentage, percent: 130}
          support: {model: percentage, percent: "7.5", of: [fee, requests], minimum: 5, maximum: 50}
          phone: {model: flat, amount: 4}
  - {version: v2, effective: 2026-06, plans: {growth: {}, secret: {public: false, fee: 1}}}
contracts:
  acme:
    terms:
      - {plan: growth, since: 2026-01-10, version: v1, discount: {percent: 5}}
      - {plan: secret, since: 2026-07-01, fee: 2, prices: {requests: {model: per_unit, unit_price: 1}}}
    credits: [{name: gift, amount: 3, granted: 2026-01, lines: [fee]}]
  globex: {terms: [{plan: growth, since: 2026-01-01}]}
"""


def changed(find: str, put: str) -> str:
    assert GOOD.count(find) == 1, find
    return GOOD.replace(find, put)


def test_every_kind_of_price_comes_out_typed() -> None:
    book = parse_book(GOOD)
    plan = book.versions[0].plans["growth"]
    assert [price.model for price in plan.prices] == [
        Tiered("graduated", (Tier(Decimal(100), Decimal("0.10")), Tier(None, Decimal("0.05"), Decimal(3)))),
        Package(Decimal(10), Decimal("1.50")),
        Percentage(Decimal(130)),
        Percentage(Decimal("7.5"), ("fee", "requests")),
        Flat(Decimal(4)),
    ]
    assert plan.prices[0].included == 10
    assert (plan.prices[3].minimum, plan.prices[3].maximum) == (5, 50)
    first, second = book.contracts["acme"].terms
    assert (first.pinned, first.through, second.since, second.fee) == ("v1", date(2026, 6, 30), date(2026, 7, 1), 2)
    assert second.prices[0].model == PerUnit(Decimal(1))
    assert book.version_in(Month(2026, 5)) is book.versions[0]
    assert book.version_in(Month(2025, 12)) is None


def test_a_hash_changes_with_what_is_charged_for_and_with_nothing_else() -> None:
    first, second = [version.hash for version in parse_book(GOOD).versions]
    assert parse_book("# a comment\n" + GOOD).versions[0].hash == first
    assert parse_book(changed("fee: 1}", "fee: 7}")).versions[0].hash == first
    assert parse_book(changed("fee: 1}", "fee: 7}")).versions[1].hash != second
    assert parse_book(changed("metric: requests", "metric: errors")).versions[0].hash != first
    assert parse_book(changed('"10.00"', '"10.01"')).versions[0].hash != first


FAULTS = {
    "format: 1\n": ("", "must say `format: 1`"),
    "currency: USD": ("currency: dollars", "`currency` of the price book is 'dollars'"),
    "dataset: llm_usage": ("dataset: bills", "`dataset` of meter `models` is 'bills'"),
    "metric: requests, ": ("", "Meter `requests` needs `metric`"),
    "measure: cost": ("measure: users", "`measure` of meter `models` is 'users'"),
    "effective: 2026-06": ("effective: 2026-01", "Version 'v2' is not effective after the one before it"),
    "effective: 2026-01": ("effective: 2026-01-15", "must be a month such as 2026-09"),
    '"10.00"': ("10.5", "`fee` of plan `growth` of version 'v1' is the float 10.5; put numbers with a decimal point"),
    '"0.10"': ('"-0.10"', "`unit_price` of tier 1 of `requests` in plan `growth` of version 'v1' is -0.10"),
    "up_to: 100, ": ("", "Tier 1 of `requests` in plan `growth` of version 'v1' needs `up_to`"),
    "fee: 3}": ("up_to: 200}", "is the last and must have no `up_to`"),
    "package_size: 10": ("package_size: 0", "`package_size` of `packs` in plan `growth` of version 'v1' must be above"),
    "meter: requests,": ("meter: calls,", "is of the meter 'calls'; `meters` has `requests`, `models`"),
    "of: [fee, requests]": ("of: [phone]", "in plan `growth` of version 'v1' is of `phone`, which is no line before"),
    "minimum: 5": ("minimum: 500", "has a `maximum` below its `minimum`"),
    "amount: 4}": ("amount: 4, colour: red}", "does not know the key `colour`"),
    "models: {model: percentage, percent: 130}": (
        "models: {model: percentage, percent: 130, meter: requests}", "a percentage of `requests`, which is no cost"),
    "plans: {growth: {}, secret": ("plans: {secret", "needs the plan `growth`, and version 'v2' does not have it"),
    "since: 2026-01-10": ("since: 2025-12-31", "begins on 2025-12-31, before any version"),
    "since: 2026-07-01": ("since: 2026-01-10", "has a term since 2026-01-10, when the one before still runs"),
    "version: v1, discount": ("version: v9, discount", "is of the version 'v9', which the book does not have"),
    "discount: {percent: 5}": ("discount: {percent: 5, lines: [sms]}", "is of `sms`; the plan has `fee`"),
    "percent: 5}": ("percent: 101}", "is more than 100 percent"),
    "lines: [fee]": ("lines: [sms]", "pays for `sms`; the lines are"),
    "granted: 2026-01,": ("granted: 2025-01,", "has the credit `gift` from a month without a term"),
    "  globex:": ("  glo/bex:", "`contracts` has 'glo/bex', which is no tenant id"),
    "\ncontracts:": ("\ncontracts: {}\ncontracts:", "the key 'contracts' stands twice"),
    "secret: {public: false,": ("Secret: {public: false,", "the key of plan `Secret` of version 'v2' is 'Secret'"),
    "public: false": ("public: 'no'", "must be true or false"),
    "version: v2": ("version: v1", "Two versions are named 'v1'"),
}  # fmt: skip


@pytest.mark.parametrize("find", FAULTS)
def test_a_fault_is_one_sentence_that_names_its_place(find: str) -> None:
    put, sentence = FAULTS[find]
    with pytest.raises(BookError) as caught:
        parse_book(changed(find, put))
    said = str(caught.value)
    assert sentence.casefold() in said.casefold()
    assert said.endswith(".")
    assert said[0].isupper() or said[0] == "`"
    assert "\n" not in said


@pytest.mark.parametrize("text", ["", "[]", "7", "format: 1", "a: [", "format: 1\ncurrency: USD\nversions: []"])
def test_what_is_no_book_is_refused(text: str) -> None:
    with pytest.raises(BookError):
        parse_book(text)


@settings(max_examples=50, deadline=None)
@given(books())
def test_a_stored_book_is_the_same_book(document: dict[str, Any]) -> None:
    book = book_of(document)
    assert read_stored(stored(document, book)) == book
    own = read_stored(stored_for(document, book, "acme"))
    assert own.contracts == book.contracts
    assert [(one.name, one.hash) for one in own.versions] == [(one.name, one.hash) for one in book.versions]


def test_a_tenant_is_given_public_plans_its_own_and_its_contract_and_nothing_of_others() -> None:
    document: dict[str, Any] = yaml.safe_load(GOOD)
    book = book_of(document)
    acme, globex, stranger = [stored_for(document, book, tenant) for tenant in ("acme", "globex", "initech")]
    assert "globex" not in acme
    assert set(read_stored(acme).versions[1].plans) == {"growth", "secret"}
    assert "secret" not in globex
    assert "acme" not in globex
    assert read_stored(stranger).contracts == {}
    assert json.loads(stranger)["book"]["contracts"] == {}


def test_the_sandboxs_book_is_valid() -> None:
    assert len(parse_book(PRICE_BOOK.read_text()).contracts) == 39


def test_the_example_of_the_readme_is_a_book_with_every_model() -> None:
    readme = (Path(__file__).parents[2] / "servers/pricing/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    plan = parse_book(example).versions[0].plans["growth"]
    kinds = ("graduated", "volume", "per_unit", "package", "per_unit", "percentage", "percentage", "flat")
    assert tuple(kind_of(price.model) for price in plan.prices) == kinds
