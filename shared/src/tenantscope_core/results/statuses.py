"""What a tenant's stored status means: control planes spell the same few states in ways of their own."""

ACTIVE_STATUSES = frozenset({"active", "trial"})
"""The statuses in which a tenant may call."""

KNOWN_STATUSES = ACTIVE_STATUSES | {"pending", "suspended", "offboarding", "offboarded", "inactive", "failed"}

FELT_WITHIN_SECONDS = 30
"""How soon every server follows a suspension, or a change of tier or quota."""

UNKNOWN = "unknown"
"""What is said of a record that has no status."""

SWITCHES = ("sbtaws_active", "isActive")
"""The Toolkit's soft delete, as it is called now and as it was before; a record without one is switched on."""

_SPELLINGS = {
    "created": "active",
    "complete": "active",
    "completed": "active",
    "provisioned": "active",
    "in progress": "pending",
    "provisioning": "pending",
    "registered": "pending",
    "deactivated": "suspended",
    "deleting": "offboarding",
    "deprovisioning": "offboarding",
    "deleted": "offboarded",
    "deprovisioned": "offboarded",
}


def normal_status(stored: str) -> str:
    """One of `KNOWN_STATUSES` for every spelling that is known, whatever its case; else the text in lower case.

    Nothing is trimmed or guessed: what is not spelt as here is not active.
    """
    lowered = stored.lower()
    return _SPELLINGS.get(lowered, lowered)


def status_in_effect(stored: str | None, *, switched_on: bool) -> str:
    """What a stored status means, `unknown` where none is; `inactive` where a switch contradicts one that lets in."""
    status = normal_status(stored or UNKNOWN)
    return "inactive" if not switched_on and status in {*ACTIVE_STATUSES, UNKNOWN} else status


def spellings_of(status: str) -> tuple[str, ...]:
    """How an index that heeds case is asked for a status: each word as `Created` and `created`, or `In Progress`."""
    words = [status, *(word for word, meant in _SPELLINGS.items() if meant == status)]
    return tuple(dict.fromkeys(form for word in words for form in (word.capitalize(), word, word.title())))
