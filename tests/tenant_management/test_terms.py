"""What a tenant may use: tiers, exceptions and what a change means, held against the plainest way to count it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_tenant_management.audit import changes
from tenantscope_tenant_management.changes import (
    MAX_TAGS,
    changed,
    checked_email,
    checked_name,
    merged_overrides,
    merged_tags,
    overrides_of,
    terms_of,
    version_of,
    visible,
    with_config,
    with_terms,
)
from tenantscope_tenant_management.conflicts import Since, TenantChanged
from tenantscope_tenant_management.tiers import Terms, Tier, effect, terms
from tenantscope_tenant_management.tiers_file import MAX_QUOTA, MAX_QUOTAS

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
QUOTAS = ("users", "storage_gb", "requests_per_minute", "seats")
limits = st.dictionaries(st.sampled_from(QUOTAS), st.integers(0, 4))
features = st.frozensets(st.sampled_from(["booking", "search", "webhooks"]))
tiers = st.builds(
    Tier, name=st.sampled_from(["starter", "growth"]), title=st.just(""), description=st.just(""),
    features=features.map(lambda found: tuple(sorted(found))), quotas=limits,
)  # fmt: skip


@given(st.builds(Terms, features, limits), st.builds(Terms, features, limits), limits)
def test_an_effect_is_what_each_feature_and_each_quota_says_alone(before: Terms, after: Terms, use: dict[str, int]):
    found = effect(before, after, use)
    assert set(found.gains) == {one for one in after.features if one not in before.features}
    assert set(found.loses) == {one for one in before.features if one not in after.features}
    moves = {move.name: (move.before, move.after) for move in found.quotas}
    over = {one.name: (one.limit, one.used) for one in found.exceeded}
    for name in QUOTAS:
        was, now, used = before.quotas.get(name), after.quotas.get(name), use.get(name)
        assert (name in moves) == (was != now)
        assert moves.get(name, (was, now)) == (was, now)
        assert (name in over) == (now is not None and used is not None and used > now)
        assert name not in over or over[name] == (now, used)
        shrinks = now is not None and (was is None or now < was)
        assert (name in found.unmeasured) == (shrinks and used is None)
    for listed in (found.gains, found.loses, found.unmeasured, list(moves), list(over)):
        assert listed == sorted(set(listed))


@given(tiers, tiers, limits, st.dictionaries(st.sampled_from(QUOTAS), st.none() | st.integers(0, 4)))
def test_a_tenants_exceptions_outlive_its_moves_between_tiers_until_they_are_taken_away(
    first: Tier, second: Tier, own: dict[str, int], patch: dict[str, int | None]
):
    bare = {"tenantId": "acme", "tenantName": "Acme", "version": 3}
    there = with_terms(bare, first, own, NOW)
    moved = with_terms(there, second, overrides_of(there), NOW)
    assert overrides_of(moved) == own
    assert terms_of(moved) == terms(second, own)
    assert ("quotaOverrides" in moved) == bool(own)
    merged = merged_overrides(moved, patch)
    assert merged == {name: limit for name, limit in {**own, **patch}.items() if limit is not None}
    back = with_terms(moved, first, merged, NOW)
    assert terms_of(back) == Terms(frozenset(first.features), {**first.quotas, **merged})
    assert version_of(back) == 6


@given(st.dictionaries(st.sampled_from(["email", "plan", "custom"]), st.none() | st.text(max_size=3)))
def test_a_change_is_one_version_on_and_takes_away_what_is_none(fields: dict[str, str | None]):
    record = {"tenantId": "acme", "email": "old", "custom": Decimal(3), "version": Decimal(7)}
    after = changed(record, NOW, **fields)
    assert after.pop("version") == 8
    assert after.pop("updatedAt") == "2026-10-05T12:00:00.000+00:00"
    expected = {name: value for name, value in {**record, **fields}.items() if value is not None and name != "version"}
    assert after == expected
    assert changed({"tenantId": "acme"}, NOW)["version"] == 1


def test_what_the_audit_trail_compares_leaves_out_what_every_change_touches_and_what_jobs_measure():
    record = {
        "tenantId": "acme",
        "tenantConfig": '{"a": 1}',
        "version": 1,
        "updatedAt": "x",
        "quotas": {"u": Decimal(2)},
    }
    after = {**changed(record, NOW), "quotaUse": {"u": {"used": 3}}, "lastActiveAt": "2026-10-05"}
    assert changes(visible(record), visible(after)) == ({}, {})
    was, now = changes(visible(record), visible({**after, "tenantConfig": '{"a": true}'}))
    assert json.dumps([was, now]) == '[{"config": {"a": 1}}, {"config": {"a": true}}]'
    assert visible({"tenantConfig": "{"})["config"] == "(damaged)"


@pytest.mark.parametrize("config", [{"": 1}, {"a": {"": []}}, {"a": 10**40}, {"a": [10**130]}])
def test_settings_that_no_map_of_dynamodb_can_keep_become_text(config: dict[str, Any]):
    kept = with_config({"tenantConfig": {"old": Decimal(1)}}, config, NOW)["tenantConfig"]
    assert json.loads(kept) == config


# Tags, exceptions, names

ODD_TAGS: list[dict[str, str | None]] = [
    {"": "a"}, {"-a": "b"}, {"a b": "c"}, {"a" * 65: "b"}, {"a=b": "c"}, {"ä": "b"}, {"a\n": "b"},
    {"a": ""}, {"a": "b" * 129}, {"a": "b\n"}, {"a": "\u202e"}, {"a": "\x00"}, {"a": "\ud800"},
]  # fmt: skip


@pytest.mark.parametrize("patch", ODD_TAGS, ids=ascii)
def test_a_tag_of_another_form_is_refused_and_not_repeated(patch: dict[str, str | None]):
    with pytest.raises(InvalidArgument, match="A tag's ") as caught:
        merged_tags({}, patch)
    assert caught.value.parameter == "tags"


@given(st.dictionaries(st.sampled_from("abcd"), st.none() | st.sampled_from("xyz")))
def test_a_patch_of_tags_sets_and_takes_away_and_leaves_the_others(patch: dict[str, str | None]):
    expected = {"a": "1", "e": "2"} | {name: value for name, value in patch.items() if value is not None}
    gone = {name for name, value in patch.items() if value is None}
    merged = merged_tags({"tags": {"a": "1", "e": "2"}}, patch)
    assert merged == {name: value for name, value in expected.items() if name not in gone}
    assert merged_tags({"tags": merged}, patch) == merged


def test_a_tenant_has_as_many_tags_and_exceptions_as_is_said_counted_after_the_patch():
    full = {f"t{number}": "x" for number in range(MAX_TAGS)}
    assert len(merged_tags({"tags": full}, {"t0": None, "new": "x"})) == MAX_TAGS
    with pytest.raises(InvalidArgument, match=f"{MAX_TAGS} tags at most"):
        merged_tags({"tags": full}, {"new": "x"})
    own = {f"q{number}": 1 for number in range(MAX_QUOTAS)}
    assert len(merged_overrides({"quotaOverrides": own}, {"q0": None, "new": 1})) == MAX_QUOTAS
    with pytest.raises(InvalidArgument, match=f"{MAX_QUOTAS} exceptions at most"):
        merged_overrides({"quotaOverrides": own}, {"new": 1})


@pytest.mark.parametrize("patch", [{"Users": 1}, {"": 1}, {"a-b": 1}, {"users": -1}, {"users": MAX_QUOTA + 1}], ids=str)
def test_an_exception_of_another_form_is_refused(patch: dict[str, int | None]):
    with pytest.raises(InvalidArgument) as caught:
        merged_overrides({}, patch)
    assert caught.value.parameter == "quota_overrides"


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a" * 101, "\u202eabc", "\ud800"], ids=ascii)
def test_a_name_that_cannot_be_shown_is_refused(name: str):
    with pytest.raises(InvalidArgument):
        checked_name(name)


@pytest.mark.parametrize(
    "email", ["", "a", "a@", "@b", "a b@c", "a@b@c", "a@b\n", "\ud800@b.c", f"{'a' * 65}@b.c"], ids=ascii
)
def test_a_contact_that_is_no_address_is_refused(email: str):
    with pytest.raises(InvalidArgument):
        checked_email(email)


# What a loser of a race is told


@given(st.lists(st.sampled_from(["config", "tags", "tier"]), unique=True), st.booleans())
def test_a_change_that_came_too_late_is_told_what_changed_and_whether_that_is_all(fields: list[str], complete: bool):
    told = TenantChanged(3, Since(5, fields, complete))
    assert told.as_fields() | {"code": "conflict", "parameter": "version"} == told.as_fields()
    assert (told.as_fields()["current_version"], told.as_fields()["changed"]) == (5, fields)
    sentence = str(told)
    assert all(field in sentence for field in fields)
    assert ("and more" in sentence) == (not complete)
    assert "It is at version 5 now" in sentence


def test_a_change_of_very_many_fields_is_told_short_and_said_to_be():
    told = TenantChanged(1, Since(2, [f"f{number:02d}" for number in range(13)], True))
    assert "f11 and more" in str(told)
    assert len(told.as_fields()["changed"]) == 12
