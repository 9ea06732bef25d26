"""The tiers' file: what it may say, and for each thing that it may not one sentence that names the place."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.documents import DocumentFault
from tenantscope_tenant_management.sources.tier_table import tiers_item
from tenantscope_tenant_management.tiers import Tier
from tenantscope_tenant_management.tiers_file import MAX_FEATURES, MAX_QUOTA, MAX_QUOTAS, MAX_TIERS, parse_tiers

WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
tiers = st.builds(
    Tier,
    name=st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,9}", fullmatch=True),
    title=st.text("abc é", max_size=20),
    description=st.text("abc: #'\"", max_size=40),
    features=st.lists(WORDS, unique=True, max_size=4).map(tuple),
    quotas=st.dictionaries(WORDS, st.integers(0, MAX_QUOTA), max_size=4),
)


@given(st.lists(tiers, min_size=1, max_size=4, unique_by=lambda tier: tier.name))
def test_what_a_file_says_is_read_in_its_order(listed: list[Tier]):
    document: dict[str, Any] = {
        "format": 1,
        "tiers": {
            tier.name: {
                "title": tier.title, "description": tier.description, "features": list(tier.features),
                "quotas": dict(tier.quotas),
            }
            for tier in listed
        },
    }  # fmt: skip
    assert parse_tiers(yaml.safe_dump(document, sort_keys=False, allow_unicode=True)) == listed
    assert tiers_item(listed)["tenantId"] == ":tiers"


def test_the_least_tier_has_a_title_of_its_name_and_nothing_else():
    assert parse_tiers("format: 1\ntiers: {free_trial: {}}") == [Tier("free_trial", "Free trial", "", (), {})]


def file(of_tier: str = "{}", *, name: str = "growth", head: str = "format: 1") -> str:
    return f"{head}\ntiers:\n  {name}: {of_tier}\n"


MANY_TIERS = "format: 1\ntiers: {" + ", ".join(f"t{number}: {{}}" for number in range(MAX_TIERS + 1)) + "}"
MANY_FEATURES = ", ".join(f"f{number}" for number in range(MAX_FEATURES + 1))
MANY_QUOTAS = ", ".join(f"q{number}: 1" for number in range(MAX_QUOTAS + 1))
FAULTS: list[tuple[str, str]] = [
    ("", "The tiers file must be a mapping"),
    ("- a", "The tiers file must be a mapping"),
    ("a: [", "The tiers file is not valid YAML at line 1"),
    ("format: 1\nformat: 1", "The tiers file is not valid YAML at line 2: the key 'format' stands twice"),
    ("when: 2026-02-30", "The tiers file is not valid YAML"),
    ("tiers: {}", "The tiers file must say `format: 1`"),
    (file(head="format: 2"), "The tiers file must say `format: 1`"),
    (file(head="format: '1'"), "The tiers file must say `format: 1`"),
    (file(head="format: true"), "The tiers file must say `format: 1`"),
    (file(head="format: 1\nmore: 1"), "The tiers file does not know the key `more`; it knows `format`, `tiers`"),
    ("format: 1", "`tiers` must be a mapping"),
    ("format: 1\ntiers: [a]", "`tiers` must be a mapping"),
    ("format: 1\ntiers: {}", "`tiers` has 0 entries; it must have 1 to 20"),
    (MANY_TIERS, "`tiers` has 21 entries; it must have 1 to 20"),
    ("format: 1\ntiers: {1: {}}", "`tiers` has the key 1, which is not text; put it in quotes"),
    ("format: 1\ntiers: {yes: {}}", "`tiers` has the key True, which is not text; put it in quotes"),
    (file(name="'a b'"), "The name of tier 'a b' must be 1 to 63 letters"),
    (file(name="'" + "a" * 64 + "'"), "must be 1 to 63 letters"),
    (file(name='"growth\\n"'), "must be 1 to 63 letters"),
    (file("[]"), "Tier 'growth' must be a mapping"),
    (file("null"), "Tier 'growth' must be a mapping"),
    (file("{price: 1}"), "Tier 'growth' does not know the key `price`; it knows `description`, `features`, `quotas`"),
    (file("{title: 5}"), "`title` of tier 'growth' must be a text of one line and at most 60 characters"),
    (file('{title: "a\\nb"}'), "`title` of tier 'growth' must be a text of one line"),
    (file(f"{{title: {'a' * 61}}}"), "`title` of tier 'growth' must be a text of one line and at most 60"),
    (file(f"{{description: {'a' * 301}}}"), "`description` of tier 'growth' must be a text of one line"),
    (file("{features: {a: 1}}"), "`features` of tier 'growth' must be a list"),
    (file("{features: [a, a]}"), "`features` of tier 'growth' must list each feature once"),
    (file("{features: [A]}"), "`features` of tier 'growth' must list each feature once, in small letters"),
    (file("{features: [1]}"), "`features` of tier 'growth' must list each feature once, in small letters"),
    (file(f"{{features: [{MANY_FEATURES}]}}"), "`features` of tier 'growth' has more than 100 entries"),
    (file("{quotas: [a]}"), "`quotas` of tier 'growth' must be a mapping"),
    (file("{quotas: {Users: 1}}"), "`quotas` of tier 'growth' has 'Users'; a quota's name has small letters"),
    (file("{quotas: {users: -1}}"), "`users` in `quotas` of tier 'growth' must be a whole number from 0 to"),
    (file("{quotas: {users: 1.0}}"), "`users` in `quotas` of tier 'growth' must be a whole number"),
    (file("{quotas: {users: yes}}"), "`users` in `quotas` of tier 'growth' must be a whole number"),
    (file("{quotas: {users: '5'}}"), "`users` in `quotas` of tier 'growth' must be a whole number"),
    (file("{quotas: {users: .inf}}"), "`users` in `quotas` of tier 'growth' must be a whole number"),
    (file("{quotas: {users: null}}"), "`users` in `quotas` of tier 'growth' must be a whole number"),
    (file(f"{{quotas: {{users: {MAX_QUOTA + 1}}}}}"), "`users` in `quotas` of tier 'growth' must be a whole number"),
    (file(f"{{quotas: {{{MANY_QUOTAS}}}}}"), "`quotas` of tier 'growth' has more than 50 entries"),
    (file("{quotas: {users: 1, users: 2}}"), "not valid YAML at line 3: the key 'users' stands twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), FAULTS, ids=[told[:50] for _, told in FAULTS])
def test_each_fault_is_one_sentence_that_names_its_place(text: str, told: str):
    with pytest.raises(DocumentFault) as caught:
        parse_tiers(text)
    sentence = str(caught.value)
    assert told in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@given(st.text("abtf:{}[]'\" \n-&*!1,0", max_size=40))
def test_any_text_is_read_or_refused_in_a_sentence(text: str):
    try:
        assert parse_tiers(text)
    except DocumentFault as fault:
        assert str(fault).endswith(".")
