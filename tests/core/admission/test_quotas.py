"""Quotas of calls as a record holds them, and the limits that come of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.admission.limits import Limits, TierLimits
from tenantscope_core.admission.quotas import NO_QUOTAS, Quotas, quotas_of

GOLD = Limits(per_minute=600, burst=100, concurrent=20)
TIERS = TierLimits(tiers={"gold": GOLD})


def record(**quotas: Any) -> dict[str, Any]:
    return {"quotas": {"M": {name: {"N": str(value)} for name, value in quotas.items()}}}


@pytest.mark.parametrize(
    ("kept", "limits"),
    [
        ({}, GOLD),
        ({"users": 5}, GOLD),
        ({"requests_per_minute": 60}, Limits(60, 15, 20)),
        ({"requests_per_minute": 3}, Limits(3, 1, 20)),
        ({"requests_per_minute": 60, "requests_burst": 50}, Limits(60, 50, 20)),
        ({"requests_burst": 7}, Limits(600, 7, 20)),
        ({"concurrent_requests": 2}, Limits(600, 100, 2)),
        ({"concurrent_requests": 0.5}, Limits(600, 100, 1)),
    ],
)
def test_what_the_quotas_do_not_say_is_the_tiers(kept: dict[str, float], limits: Limits):
    assert TIERS.of("acme", "gold", quotas_of(record(**kept))) == limits


@pytest.mark.parametrize(
    "quotas",
    [
        {"S": "many"},
        {"M": {"requests_per_minute": {"S": "600"}, "concurrent_requests": {"NULL": True}}},
        {"M": {"requests_per_minute": {"N": "NaN"}, "concurrent_requests": {"N": ""}, "requests_burst": 7}},
        {"L": []},
        None,
    ],
)
def test_what_is_no_number_is_not_there(quotas: Any):
    assert quotas_of({"quotas": quotas}) == NO_QUOTAS
    assert quotas_of({}) == NO_QUOTAS


@pytest.mark.parametrize("number", ["0", "-1", "-1E+100"])
def test_nothing_and_less_than_nothing_allow_no_calls(number: str):
    for name in ("requests_per_minute", "requests_burst", "concurrent_requests"):
        assert quotas_of(record(**{name: number})).allow_no_calls
    assert not NO_QUOTAS.allow_no_calls


def test_the_providers_callers_have_no_tenants_quotas():
    assert TIERS.of("provider:ann", "gold", Quotas(per_minute=1)) == TIERS.provider


@given(
    st.dictionaries(
        st.sampled_from(["requests_per_minute", "requests_burst", "concurrent_requests"]),
        st.floats(-1e130, 1e130) | st.integers(-10, 10**12),
    )
)
def test_any_numbers_come_to_limits_that_let_a_call_through_or_to_none_at_all(kept: dict[str, float]):
    quotas = quotas_of(record(**kept))
    assert quotas.allow_no_calls == any(number <= 0 for number in kept.values())
    if not quotas.allow_no_calls:
        limits = TIERS.of("acme", "gold", quotas)
        assert limits.burst / limits.per_second < 1e15, "times that a ledger can count in"
