"""What a stored status means, however it is spelt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.statuses import ACTIVE_STATUSES, KNOWN_STATUSES, normal_status

SPELLINGS = {
    "active": ["active", "Created", "COMPLETE", "Completed", "Provisioned"],
    "trial": ["Trial"],
    "pending": ["Pending", "In progress", "Provisioning", "Registered"],
    "suspended": ["Suspended", "Deactivated"],
    "offboarding": ["Offboarding", "Deleting", "Deprovisioning"],
    "offboarded": ["Offboarded", "Deleted", "Deprovisioned"],
    "inactive": ["Inactive"],
    "failed": ["Failed"],
}


@pytest.mark.parametrize(("status", "spelt"), [(status, spelt) for status in SPELLINGS for spelt in SPELLINGS[status]])
def test_each_known_spelling_means_one_status_whatever_its_case(status: str, spelt: str):
    assert {normal_status(word) for word in (spelt, spelt.upper(), spelt.lower())} == {status}
    assert status in KNOWN_STATUSES


@given(st.text())
def test_what_is_not_spelt_as_known_is_itself_and_not_active(stored: str):
    known = [spelt.lower() for spellings in SPELLINGS.values() for spelt in spellings]
    if stored.lower() not in known:
        assert normal_status(stored) == stored.lower()
        assert normal_status(stored) not in ACTIVE_STATUSES


@pytest.mark.parametrize("stored", [" active", "active ", "active!", "inactive", "not active", ""])
def test_nothing_is_trimmed_or_guessed(stored: str):
    assert normal_status(stored) not in ACTIVE_STATUSES
