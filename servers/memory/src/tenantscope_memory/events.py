"""Events on their way in: which one each is, what it takes, and what a branch holds after it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tenantscope_core.results.errors import Conflict, InvalidArgument

from tenantscope_memory.text import cleaned, json_bytes

MAX_EVENTS: Final = 100
MAX_EVENT_BYTES: Final = 16_000
"""Of text and data together, as JSON: so any event fits an answer."""
MAX_BATCH_BYTES: Final = 128 * 1024
"""Of all events together: half of what a request may have, which leaves room for how JSON may spell them."""
_FRAME_BYTES: Final = 130
"""What an answer says of an event beside its text and name."""
_SEARCHED_ROLES: Final = frozenset({"user", "assistant", "tool"})


@dataclass(frozen=True, slots=True)
class Said:
    """An event as the caller gives it; `data` is decoded, `at` is None where the caller did not say."""

    role: str
    text: str
    key: str | None = None
    at: datetime | None = None
    name: str | None = None
    media_type: str | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. `key` says which event of its branch it is, `digest` what it contains."""

    key: str
    digest: str
    role: str
    text: str
    name: str | None
    media_type: str | None
    data: bytes | None
    at: datetime
    size: int

    @property
    def searched(self) -> bool:
        """Whether recall finds it: what somebody or a tool said, in words."""
        return self.role in _SEARCHED_ROLES and bool(self.text.strip())


@dataclass(frozen=True, slots=True)
class Batch:
    """Events to append, each once; the key of each one given, in order; how many characters had to be replaced."""

    events: list[NewEvent]
    keys: list[str]
    replaced_characters: int


def prepared(said: Sequence[Said], *, branch: str, now: datetime) -> Batch:
    """Events ready to append to a branch.

    Raises:
        InvalidArgument: One has neither key nor time, or is too large, or all are.
        Conflict: Two of different content have one key.
    """
    events: dict[str, NewEvent] = {}
    keys: list[str] = []
    replaced_characters = total = 0
    for number, one in enumerate(said):
        event, replaced = _prepared(number, one, branch, now)
        replaced_characters += replaced
        keys.append(event.key)
        total += event.size + _base64_bytes(event.data)
        if events.setdefault(event.key, event).digest != event.digest:
            raise Conflict(f"events[{number}] has the key of another event in this call.", parameter="events")
    if total > MAX_BATCH_BYTES:
        raise InvalidArgument(
            f"The events have {total:,} bytes together, and one call takes {MAX_BATCH_BYTES:,}; split them over calls.",
            parameter="events",
        )
    return Batch(list(events.values()), keys, replaced_characters)


def _prepared(number: int, one: Said, branch: str, now: datetime) -> tuple[NewEvent, int]:
    if one.key is None and one.at is None:
        raise InvalidArgument(
            f"events[{number}] needs a key or an at: without either, a call that is sent again could not be told from "
            "words said twice.",
            parameter="events",
        )
    if not one.text.strip() and one.data is None:
        raise InvalidArgument(f"events[{number}] has neither text nor data.", parameter="events")
    text, in_text = cleaned(one.text)
    name, in_name = cleaned(one.name) if one.name is not None else (None, 0)
    size = json_bytes(text) + (json_bytes(name) if name else 0) + _FRAME_BYTES
    if (takes := size - _FRAME_BYTES + _base64_bytes(one.data)) > MAX_EVENT_BYTES:
        raise InvalidArgument(
            f"events[{number}] takes {takes:,} bytes, and one event may take {MAX_EVENT_BYTES:,}; split it, or keep it "
            "elsewhere and store where.",
            parameter="events",
        )
    content = [one.role, name, text, one.media_type, hashlib.sha256(one.data or b"").hexdigest(), _iso(one.at)]
    digest = _hash(content)
    key = _hash([branch, "given", one.key] if one.key is not None else [branch, "content", digest])
    event = NewEvent(key, digest, one.role, text, name, one.media_type, one.data, one.at or now, size)
    return event, in_text + in_name


def stamp(before: str, appended: Iterable[tuple[int, NewEvent]]) -> str:
    """What a branch is stamped with when events with these numbers follow what `before` stands for.

    Two branches of one stamp hold the same events, so a copy under the same stamp is neither outdated nor ahead.
    """
    for seq, event in appended:
        before = _hash([before, seq, event.key, event.digest, _iso(event.at)])
    return before


def _base64_bytes(data: bytes | None) -> int:
    return 0 if data is None else -(-len(data) // 3) * 4


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _hash(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
