"""What may become of a tenant's status, and why it may be switched off."""

from collections.abc import Mapping
from typing import Any, Literal

from tenantscope_core.results.errors import Conflict
from tenantscope_core.results.statuses import KNOWN_STATUSES, SWITCHES, UNKNOWN

Action = Literal["activate", "suspend", "resume", "offboard"]
Reason = Literal["payment_overdue", "security", "abuse", "requested", "maintenance", "other"]

TARGET: Mapping[str, str] = {"activate": "Active", "suspend": "Suspended", "resume": "Active"}
"""The status that an action leads to, as the registry spells it."""

_FROM: Mapping[str, frozenset[str]] = {
    "activate": frozenset({"pending", "trial", "inactive", "failed", UNKNOWN}),
    "suspend": frozenset({"active", "trial"}),
    "resume": frozenset({"suspended"}),
    "offboard": frozenset({"active", "trial", "pending", "suspended", "inactive", "failed", "offboarding", UNKNOWN}),
}
_WAYS: Mapping[str, str] = {
    "active": "suspend or offboard", "trial": "activate, suspend or offboard", "pending": "activate or offboard",
    "suspended": "resume or offboard", "inactive": "activate or offboard", "failed": "activate or offboard",
    "offboarding": "offboard, which goes on with it", UNKNOWN: "activate or offboard",
}  # fmt: skip


def switched_on(record: Mapping[str, Any]) -> dict[str, bool]:
    """The Toolkit's switches of a record, on: the one of today, and the older one where the record has it."""
    return {name: True for name in SWITCHES if name in record or name == SWITCHES[0]}


def may(action: Action, status: str) -> None:
    """Let an action pass that a tenant's status allows; a word of another control plane's own is as good as none.

    Raises:
        Conflict: It does not; the sentence says what it does.
    """
    status = status if status in KNOWN_STATUSES else UNKNOWN
    if status not in _FROM[action]:
        ways = _WAYS.get(status, "nothing: this id has had its tenant")
        raise Conflict(f"The tenant is {status}; what can be done is {ways}.", parameter="action")
