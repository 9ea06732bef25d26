"""What an item of the registry means: pure values in, pure values out."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.statuses import spellings_of
from tenantscope_tenant_management.changes import with_config
from tenantscope_tenant_management.registry import DamagedRecord, Status, profile, summary
from tenantscope_tenant_management.sources.tenant_search import MAX_QUERIES_A_PAGE

LEAST: dict[str, Any] = {"tenantId": "acme", "tenantName": "Acme", "tenantStatus": "Active", "tier": "growth"}


def test_the_least_record_has_a_profile_whose_gaps_are_empty():
    seen = profile(LEAST)
    assert (seen.tenant_id, seen.name, seen.status, seen.tier) == ("acme", "Acme", "active", "growth")
    assert (seen.plan, seen.email, seen.created, seen.last_active) == (None, None, None, None)
    assert (seen.tags, seen.entitlements, seen.quotas, seen.config, seen.version) == ({}, [], [], {}, 0)


@pytest.mark.parametrize("missing", ["tenantId", "tenantName"])
def test_a_record_that_lacks_what_every_tenant_has_is_damaged_and_says_where(missing: str):
    for record in ({k: v for k, v in LEAST.items() if k != missing}, {**LEAST, missing: ""}):
        with pytest.raises(DamagedRecord, match=missing):
            summary(record)
        with pytest.raises(DamagedRecord, match=missing):
            profile(record)


@pytest.mark.parametrize("odd", LEAST)
def test_a_record_whose_texts_are_none_is_damaged_and_says_where(odd: str):
    for value in ({"a": 1}, Decimal(1), True, None):
        with pytest.raises(DamagedRecord, match=odd):
            profile({**LEAST, odd: value})


def test_a_record_without_status_or_tier_is_of_an_unknown_status_and_no_tier():
    bare = {"tenantId": "acme", "tenantName": "Acme", "sbtaws_active": True}
    assert (profile(bare).status, profile(bare).tier) == ("unknown", "")


@pytest.mark.parametrize("switch", ["sbtaws_active", "isActive"])
@pytest.mark.parametrize("off", [False, "true", None, Decimal(1)], ids=str)
def test_a_tenant_is_inactive_unless_its_switches_are_on_or_left_out(switch: str, off: object):
    without = {name: value for name, value in LEAST.items() if name != "tenantStatus"}
    assert summary({**LEAST, switch: True}).status == "active"
    assert [summary({**one, switch: off}).status for one in (LEAST, without)] == ["inactive", "inactive"]
    assert summary({**LEAST, "tenantStatus": "Suspended", switch: off}).status == "suspended"


def test_each_spelling_of_a_status_that_an_index_is_asked_for_means_it_and_a_page_can_ask_for_all():
    for status in get_args(Status):
        spellings = spellings_of(status)
        assert {summary({**LEAST, "tenantStatus": spelling}).status for spelling in spellings} == {status}
        assert status.capitalize() in spellings
        assert len(spellings) <= MAX_QUERIES_A_PAGE


def test_a_config_kept_as_a_map_is_shown_as_json():
    kept = {"limit": Decimal(3), "share": Decimal("0.5"), "names": {"a"}, "deep": [{"n": Decimal(1)}]}
    assert profile({**LEAST, "tenantConfig": kept}).config == {
        "limit": 3, "share": 0.5, "names": ["a"], "deep": [{"n": 1}],
    }  # fmt: skip


def test_settings_go_back_as_what_they_were_kept_as():
    now = datetime(2026, 10, 5, tzinfo=UTC)
    as_map = with_config({**LEAST, "tenantConfig": {}}, {"share": 0.5, "n": 1}, now)["tenantConfig"]
    assert as_map == {"share": Decimal("0.5"), "n": 1}
    assert with_config({**LEAST, "tenantConfig": "{}"}, {"n": 1}, now)["tenantConfig"] == '{"n": 1}'
    for unfit in ({"n": 10**39}, {"n": 1e200}, {"": 1}, {"deep": [{"n": 123456789 * 10**31}]}):
        kept = with_config({**LEAST, "tenantConfig": {}}, unfit, now)["tenantConfig"]
        assert isinstance(kept, str)
        assert profile({**LEAST, "tenantConfig": kept}).config == unfit


@pytest.mark.parametrize("config", ["{", "[1]", '"text"', "7", "null", ["a"]])
def test_a_config_that_is_no_object_is_damage(config: object):
    with pytest.raises(DamagedRecord, match="tenantConfig"):
        profile({**LEAST, "tenantConfig": config})


@pytest.mark.parametrize("config", [None, "", "{}", {}])
def test_no_config_is_an_empty_one(config: object):
    assert profile({**LEAST, "tenantConfig": config}).config == {}


def test_quotas_come_with_their_use_where_something_meters_it():
    use = {"users": {"used": Decimal(3), "asOf": "2026-09-30T00:00:00+00:00"}, "gone": {"used": Decimal(1)}}
    users, storage = sorted(
        profile({**LEAST, "quotas": {"users": Decimal(10), "storage_gb": Decimal(20)}, "quotaUse": use}).quotas,
        key=lambda quota: quota.limit,
    )
    assert (users.name, users.limit, users.used) == ("users", 10, 3)
    assert users.used_as_of == datetime(2026, 9, 30, tzinfo=UTC)
    assert (storage.name, storage.limit, storage.used, storage.used_as_of) == ("storage_gb", 20, None, None)


@pytest.mark.parametrize("use", ["much", {"users": "much"}, {"users": {"used": "much"}}, {"users": {"used": None}}])
def test_a_use_that_is_no_number_is_not_measured(use: object):
    """Whoever writes it may err; the tenant can be read and suspended all the same."""
    (users,) = profile({**LEAST, "quotas": {"users": Decimal(10)}, "quotaUse": use}).quotas
    assert users.used is None


def test_times_are_aware_and_an_unreadable_one_is_left_out():
    assert summary({**LEAST, "lastActiveAt": "2026-09-30T17:30:00"}).last_active == datetime(
        2026, 9, 30, 17, 30, tzinfo=UTC
    )
    offset = summary({**LEAST, "lastActiveAt": "2026-09-30T17:30:00+02:00"}).last_active
    assert offset == datetime(2026, 9, 30, 17, 30, tzinfo=timezone(timedelta(hours=2)))
    assert summary({**LEAST, "lastActiveAt": "yesterday"}).last_active is None


def test_entitlements_are_sorted_whatever_the_table_keeps_them_as():
    for kept in (["b", "a"], {"b", "a"}, ("b", "a")):
        assert profile({**LEAST, "entitlements": kept}).entitlements == ["a", "b"]


def test_each_status_is_read_as_it_is_stored():
    for status in get_args(Status):
        assert summary({**LEAST, "tenantStatus": status.capitalize()}).status == status


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
optional = ["plan", "email", "tags", "entitlements", "createdAt", "lastActiveAt"]


@given(st.dictionaries(st.sampled_from(optional), values))
def test_odd_values_of_optional_attributes_never_fail_a_profile(odd: dict[str, Any]):
    assert profile({**LEAST, **odd}).tenant_id == "acme"


@given(st.dictionaries(st.sampled_from(["quotas", "quotaUse", "version", "tenantConfig"]), values))
def test_odd_numbers_fail_as_damage_and_in_no_other_way(odd: dict[str, Any]):
    try:
        assert profile({**LEAST, **odd}).tenant_id == "acme"
    except DamagedRecord as damage:
        assert str(damage)
