"""What may become of a tenant: every status with every action, and what the refusal says instead."""

import re
from typing import Any, get_args

import pytest
from tenantscope_core.results.errors import Conflict
from tenantscope_core.results.statuses import ACTIVE_STATUSES, KNOWN_STATUSES, UNKNOWN, normal_status
from tenantscope_tenant_management.registry import status_of
from tenantscope_tenant_management.statuses import TARGET, Action, may, switched_on

WAYS: dict[str, set[str]] = {
    "active": {"suspend", "offboard"},
    "trial": {"activate", "suspend", "offboard"},
    "pending": {"activate", "offboard"},
    "suspended": {"resume", "offboard"},
    "inactive": {"activate", "offboard"},
    "failed": {"activate", "offboard"},
    "offboarding": {"offboard"},
    "offboarded": set(),
    UNKNOWN: {"activate", "offboard"},
}
"""From each status, what may be done."""


def test_the_table_names_every_status_and_every_action():
    assert WAYS.keys() == KNOWN_STATUSES | {UNKNOWN}
    assert set().union(*WAYS.values()) == set(get_args(Action))


@pytest.mark.parametrize("status", WAYS)
@pytest.mark.parametrize("action", get_args(Action))
def test_an_action_passes_where_the_table_has_it_and_else_the_refusal_says_what_would(status: str, action: Action):
    if action in WAYS[status]:
        may(action, status)
        return
    with pytest.raises(Conflict) as caught:
        may(action, status)
    assert caught.value.parameter == "action"
    said = str(caught.value)
    assert said.startswith(f"The tenant is {status}; ")
    assert set(get_args(Action)) & set(re.findall("[a-z]+", said.partition("; ")[2])) == WAYS[status]


@pytest.mark.parametrize("word", ["waiting for legal", "archived", "ACTIVE!", ""])
@pytest.mark.parametrize("action", get_args(Action))
def test_another_control_planes_own_word_allows_what_no_status_allows_and_is_not_repeated(word: str, action: Action):
    if action in WAYS[UNKNOWN]:
        may(action, word)
        return
    with pytest.raises(Conflict, match=r"^The tenant is unknown; what can be done is activate or offboard"):
        may(action, word)


@pytest.mark.parametrize("action", TARGET)
@pytest.mark.parametrize("switches", [{}, {"sbtaws_active": False}, {"isActive": False}, {"isActive": "yes"}], ids=str)
def test_who_is_switched_back_on_is_on_whichever_switch_the_record_has(action: Action, switches: dict[str, Any]):
    record = {"tenantStatus": TARGET[action], **switches, **switched_on(switches)}
    assert status_of(record) == normal_status(TARGET[action])
    assert (status_of(record) in ACTIVE_STATUSES) == (action != "suspend")
    assert all(value is True for value in switched_on(switches).values())
