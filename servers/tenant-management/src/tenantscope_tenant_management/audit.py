"""The audit trail: one chain of entries for each tenant, each holding the hash of the one before."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

GENESIS = "0" * 64
HIDDEN = "(hidden)"
_SECRET = re.compile(
    r"secret|pass(?:w|phrase|code)|pwd|token|credential|private|auth|bearer|cookie|"
    r"(?:api|access|signing|encryption)[_ -]?key",
    re.IGNORECASE,
)
_MAX_DEPTH = 12

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted: a subject of the tenant's or of the provider's, and the agents that acted for it, nearest first."""

    subject: str
    audience: Literal["tenant", "provider"]
    agents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be written down: `action` in a few words with dots, `target` what it was done to within the tenant.

    `before` and `after` hold the changed fields alone, JSON values; `note` is for the provider's eyes.
    """

    action: str
    target: str | None = None
    before: Values = field(default_factory=dict[str, Any])
    after: Values = field(default_factory=dict[str, Any])
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a tenant's chain: its number, its hash, its time."""

    seq: int
    hash: str
    at: datetime | None

    @classmethod
    def none(cls) -> "Head":
        """Of a chain without entries."""
        return cls(0, GENESIS, None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `details` is JSON text of before, after and note; `digest` outlives it where it was erased."""

    tenant: str
    seq: int
    at: datetime
    actor: Actor
    action: str
    target: str | None
    version: int | None
    digest: str
    salt: str | None
    details: str | None
    previous: str
    hash: str

    @property
    def shown(self) -> dict[str, Any]:
        """Before, after and note; empty where they were erased."""
        return cast(dict[str, Any], json.loads(self.details)) if self.details is not None else {}


def next_entry(
    tenant: str, head: Head, note: Note, actor: Actor, *, now: datetime, salt: str, version: int | None
) -> Entry:
    """The entry that follows `head`. Times never run backwards along a chain, whatever the writers' clocks say.

    `salt` keeps short details from being guessed from their digest once they are erased. `version` is the registry
    record's after the change, None where the record did not change.
    """
    at = now.astimezone(UTC) if head.at is None else max(now.astimezone(UTC), head.at)
    told = {"before": without_secrets(note.before), "after": without_secrets(note.after)}
    details = _text(told | ({} if note.note is None else {"note": note.note}))
    digest = hashlib.sha256(f"{salt}\n{details}".encode()).hexdigest()
    entry = Entry(
        tenant=tenant, seq=head.seq + 1, at=at, actor=actor, action=note.action, target=note.target, version=version,
        digest=digest, salt=salt, details=details, previous=head.hash, hash="",
    )  # fmt: skip
    return _sealed(entry)


def head_of(entry: Entry) -> Head:
    """The head of a chain that ends with an entry."""
    return Head(entry.seq, entry.hash, entry.at)


def broken_at(entries: Sequence[Entry], *, head: Head | None = None, begins: bool = False) -> int | None:
    """The number of the first entry, of consecutive ones in order, that is not what was written; None if all are.

    It is the number that should stand there: where an entry was taken out, its own. With `head`, the last entry must be
    it: else entries were taken off the end. With `begins`, the first must be the chain's first. Erased details break
    nothing.
    """
    if begins and entries and (entries[0].seq, entries[0].previous) != (1, GENESIS):
        return 1
    previous: Entry | None = None
    for entry in entries:
        if not _is_sound(entry) or (previous is not None and not _follows(entry, previous)):
            return entry.seq if previous is None else previous.seq + 1
        previous = entry
    if head is not None and (head.seq, head.hash) != ((previous.seq, previous.hash) if previous else (0, GENESIS)):
        return head.seq
    return None


def changes(before: Values, after: Values) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of two states that differ: as they were, as they are. A field that is not there is left out."""
    names = [name for name in {**before, **after} if not _same(before, after, name)]
    return {n: before[n] for n in names if n in before}, {n: after[n] for n in names if n in after}


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, in which true is no number; 1.0 is 1."""
    if one != other or isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, Mapping):
        pairs, others = cast(Values, one), cast(Values, other)
        return all(is_same(value, others[name]) for name, value in pairs.items())
    if isinstance(one, list | tuple):
        return all(map(is_same, cast(Sequence[Any], one), cast(Sequence[Any], other)))
    return True


def without_secrets(value: Any, depth: int = 0) -> Any:
    """A value with what is named like a secret hidden, at any depth."""
    if depth > _MAX_DEPTH:
        return HIDDEN
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value)
        return {name: _hidden_or(name, inner, depth) for name, inner in pairs.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(inner, depth + 1) for inner in cast(Iterable[Any], value)]
    return value


_ABSENT = object()


def _same(before: Values, after: Values, name: str) -> bool:
    return is_same(before.get(name, _ABSENT), after.get(name, _ABSENT))


def _hidden_or(name: str, value: Any, depth: int) -> Any:
    return HIDDEN if _SECRET.search(name) else without_secrets(value, depth + 1)


def _sealed(entry: Entry) -> Entry:
    return replace(entry, hash=_hash(entry))


def _hash(entry: Entry) -> str:
    content = [
        entry.previous, entry.tenant, entry.seq, entry.at.isoformat(), entry.actor.subject, entry.actor.audience,
        list(entry.actor.agents), entry.action, entry.target, entry.version, entry.digest,
    ]  # fmt: skip
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _is_sound(entry: Entry) -> bool:
    if entry.hash != _hash(entry):
        return False
    return (
        entry.details is None or entry.digest == hashlib.sha256(f"{entry.salt}\n{entry.details}".encode()).hexdigest()
    )


def _follows(entry: Entry, previous: Entry) -> bool:
    return entry.seq == previous.seq + 1 and entry.previous == previous.hash and entry.at >= previous.at


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
