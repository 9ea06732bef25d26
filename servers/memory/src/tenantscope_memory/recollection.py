"""What recall found, made into an answer: as much of the best as there is room for, and what was not searched."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from tenantscope_memory.actors import SHARED
from tenantscope_memory.models import Memory, Recalled, ScoreParts, Searched
from tenantscope_memory.ranking import Ranked
from tenantscope_memory.text import BYTES_PER_TOKEN, excerpt, tokens

SHOWN_BYTES: Final = 1_600
"""Of one text; of a longer one its beginning is shown."""
_FRAME_BYTES: Final = 480
"""What an answer says of a memory beside its text, at most but for long names."""

By = Literal["words", "meaning", "recency and importance"]


@dataclass(frozen=True, slots=True)
class Text:
    """What a result shows."""

    id: str
    kind: str
    namespace: str
    actor: str
    session: str | None
    seq: int | None
    branch: str | None
    record: str | None
    at: datetime
    role: str | None
    name: str | None
    subject: str | None
    text: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Recollection:
    """The best of what was ranked, best first, and how it was found."""

    best: list[tuple[Ranked, Text]]
    ranked: int
    by: list[By]
    matches_in_words: int = 0
    not_searched: list[str] = field(default_factory=list[str])


def shown(found: Recollection, *, max_tokens: int) -> Recalled:
    """The answer: memories while there is room, the first of them in any case, shortened if need be."""
    memories: list[Memory] = []
    room = max_tokens * BYTES_PER_TOKEN
    used = 0
    for ranked, text in found.best:
        text_room = min(SHOWN_BYTES, room - _FRAME_BYTES) if not memories else SHOWN_BYTES
        memory = _memory(ranked, text, text_room)
        size = len(memory.model_dump_json(exclude_none=True).encode())
        if memories and used + size > room:
            break
        memories.append(memory)
        used += size
    cut = any(memory.characters is not None for memory in memories)
    return Recalled(
        memories=memories,
        searched=Searched(
            by=found.by,
            candidates=found.ranked,
            matches_in_words=found.matches_in_words,
            not_searched=found.not_searched,
        ),
        truncated=found.ranked > len(memories),
        tokens=tokens(used),
        next=_next(memories, cut=cut),
    )


def _memory(ranked: Ranked, text: Text, room_bytes: int) -> Memory:
    short = excerpt(text.text, room_bytes)
    record = text.record is not None
    return Memory(
        kind=text.kind,
        text=short,
        characters=len(text.text) if short != text.text else None,
        at=text.at,
        until=text.until,
        record_id=text.record,
        namespace=text.namespace if record else None,
        subject=text.subject,
        shared=True if text.actor == SHARED else None,
        session=text.session,
        branch=text.branch,
        seq=text.seq,
        role=text.role,
        name=text.name,
        score=round(ranked.score, 3),
        parts=ScoreParts(
            words=round(ranked.words, 2),
            meaning=round(ranked.meaning, 2),
            speaker=round(ranked.speaker, 2),
            recency=round(ranked.recency, 2),
            importance=round(ranked.importance, 2),
        ),
    )


def _next(memories: Sequence[Memory], *, cut: bool) -> str | None:
    if cut:
        return "get_conversation with the session of a shortened turn shows it whole"
    if any(memory.session is not None for memory in memories):
        return "get_conversation with session and branch shows what was said around a turn"
    return None
