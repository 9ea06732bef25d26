"""Long-term records: when each one holds, and which one a new one takes over from."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tenantscope_core.results.errors import InvalidArgument

from tenantscope_memory.text import cleaned, folded

NEAR_DUPLICATE: Final = 0.93
"""The cosine from which two records may say the same; only reported, for near is not equal."""
_MAX_SEQ_DIGITS: Final = 18
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,127}")


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to write; `valid_from` None is now. `actor` is empty where all actors share it."""

    actor: str
    namespace: str
    kind: str
    subject: str | None
    text: str
    importance: float
    valid_from: datetime | None
    valid_to: datetime | None

    @property
    def digest(self) -> str:
        """The same for records that would say the same of the same, whatever their spelling of it."""
        times = [None if one is None else one.isoformat() for one in (self.valid_from, self.valid_to)]
        parts = [self.actor, self.namespace, self.kind, self.subject, folded(self.text), *times]
        return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Source:
    """An event that a record was made of."""

    session: str
    seq: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A record on the same subject that is there already; `valid_to` is what is known of its end now."""

    id: str
    text: str
    digest: str
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Succession:
    """What a new record ends, from when on it holds itself, and what it is in turn ended by."""

    supersedes: tuple[Standing, ...]
    superseded_by: Standing | None


def checked(record: NewRecord, now: datetime) -> NewRecord:
    """The record with text that can be stored.

    Raises:
        InvalidArgument: It says nothing, or ends before it begins.
    """
    text, _ = cleaned(record.text)
    if not text.strip():
        raise InvalidArgument("text must say something.", parameter="text")
    if record.valid_to is not None and record.valid_to <= (record.valid_from or now):
        raise InvalidArgument("valid_to must be later than valid_from (now, if left out).", parameter="valid_to")
    subject = folded(cleaned(record.subject)[0]) if record.subject is not None else None
    if subject == "":
        raise InvalidArgument("subject must name something, or be left out.", parameter="subject")
    return replace(record, text=text, subject=subject)


def sources_of(references: Sequence[str]) -> list[Source]:
    """Events named as `session#seq`, each once.

    Raises:
        InvalidArgument: One is not of that form.
    """
    found: dict[Source, None] = {}
    for reference in references:
        session, _, seq = reference.rpartition("#")
        if _SESSION.fullmatch(session) is None or not seq.isascii() or not seq.isdigit() or len(seq) > _MAX_SEQ_DIGITS:
            raise InvalidArgument("A source is named as session#seq, e.g. 'trip-7#12'.", parameter="sources")
        found[Source(session, int(seq))] = None
    return list(found)


def succession(standing: Sequence[Standing], valid_from: datetime, valid_to: datetime | None) -> Succession:
    """What happens to the records of one subject when another holds from `valid_from` on.

    Those that still hold then end there. One that begins later keeps standing, and ends the new one where it begins.
    """
    ended = tuple(
        one for one in standing if one.valid_from <= valid_from and (one.valid_to is None or one.valid_to > valid_from)
    )
    later = [
        one
        for one in standing
        if one.valid_from > valid_from
        and (valid_to is None or one.valid_from < valid_to)
        and (one.valid_to is None or one.valid_to > one.valid_from)
    ]
    return Succession(ended, min(later, key=lambda one: (one.valid_from, one.id), default=None))
