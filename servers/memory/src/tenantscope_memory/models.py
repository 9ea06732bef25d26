"""What goes in and comes out, typed. Stored text stands in fields of its own: it is data, and no instruction."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from tenantscope_core.results.times import Time

from tenantscope_memory.actors import ACTOR_PATTERN
from tenantscope_memory.events import MAX_EVENT_BYTES, MAX_EVENTS

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,127}$"
Kind = Literal["fact", "preference", "episode", "procedure"]

TIME_FORM: Final = "ISO 8601 with offset, e.g. 2026-05-01T09:00:00Z"

Actor = Annotated[
    str | None,
    Field(
        pattern=ACTOR_PATTERN,
        description="Whose memory; the token's subject if left out.",
    ),
]
Session = Annotated[str, Field(pattern=NAME_PATTERN, description="An id of your own.")]
Branch = Annotated[str, Field(pattern=NAME_PATTERN, description="A branch.")]


class EventIn(BaseModel):
    """An event to append."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["user", "assistant", "system", "tool"]
    text: str = Field(default="", max_length=MAX_EVENT_BYTES)
    key: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Names it on its branch: sent again, it counts once.",
    )
    at: Time | None = Field(default=None, description=f"When it was, if not now; {TIME_FORM}.")
    name: str | None = Field(default=None, min_length=1, max_length=100, description="Speaker or tool.")
    data: str | None = Field(default=None, max_length=MAX_EVENT_BYTES, description="A blob, base64.")
    media_type: str | None = Field(default=None, pattern=r"^[a-z]+/[a-z0-9.+-]{1,80}$")


Namespace = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,63}$", description="Sets records of one purpose apart."),
]
Events = Annotated[
    list[EventIn],
    Field(
        min_length=1,
        max_length=MAX_EVENTS,
        description=f"In order, each with a key or an at, and at most {MAX_EVENT_BYTES:,} bytes.",
    ),
]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EventsAdded(_Answer):
    """What was stored; it is durable."""

    session: str
    branch: str
    seqs: list[int] = Field(description="The number of each event in the session, in the order given.")
    added: int
    already_there: int = Field(description="Sent before: their keys are known, nothing was changed.")
    events_on_branch: int
    replaced_characters: int = Field(default=0, description="Control characters that cannot be kept, now U+FFFD.")
    searchable_by: Literal["words", "words and meaning"] = Field(
        description="words: the embedding did not come in time; the next recall makes up for it."
    )


class Blob(_Answer):
    """Data of an event."""

    media_type: str | None = None
    bytes: int
    base64: str | None = Field(default=None, description="With include_blobs.")


class EventOut(_Answer):
    """An event of a conversation."""

    seq: int = Field(description="Its number in the session: what fork_from and sources take.")
    role: str
    name: str | None = None
    at: datetime
    branch: str | None = Field(default=None, description="The branch it was said on, where that is an ancestor.")
    text: str
    blob: Blob | None = None


class LeftOut(_Answer):
    """Events of the branch that are not in the answer."""

    earlier: int
    later: int


class Conversation(_Answer):
    """Events of a branch in their order."""

    session: str
    branch: str
    other_branches: list[str] = Field(default=[], description="At most ten of them.")
    other_branch_count: int = 0
    event_count: int = Field(description="Events on the branch, its ancestors' up to the fork included.")
    events: list[EventOut]
    left_out: LeftOut
    truncated: bool
    tokens: int = Field(description="Of the events, estimated at 4 bytes a token.")
    max_tokens: int
    next_cursor: str | None = None
    next: str | None = Field(default=None, description="What to call for the rest.")


class OtherRecord(_Answer):
    """A record that another has to do with."""

    record_id: str
    text: str
    characters: int | None = Field(default=None, description="Of the whole text, where only its beginning is shown.")
    valid_from: datetime | None = None
    similarity: float | None = Field(default=None, description="Cosine.")


class Remembered(_Answer):
    """What was written; it is durable."""

    record_id: str
    new: bool = Field(description="False: it was known already; nothing was changed.")
    valid_from: datetime
    supersedes: list[OtherRecord] = Field(
        default=[], description="Held until valid_from of this one; kept, and found by recall with as_of."
    )
    superseded_by: OtherRecord | None = Field(default=None, description="Begins later, and ends this one there.")
    may_repeat: list[OtherRecord] = Field(
        default=[], description="Hold too and say nearly the same; left as they are. Same subject would supersede."
    )
    compared: bool = Field(description="Whether there was an embedding to look for such records.")
    replaced_characters: int = 0


class ScoreParts(_Answer):
    """What the order is made of, each 0..1 among the candidates of this call; not probabilities."""

    words: float
    meaning: float
    speaker: float
    recency: float
    importance: float


class Memory(_Answer):
    """A record or a turn of a conversation."""

    kind: str
    text: str
    characters: int | None = Field(default=None, description="Of the whole text, where only its beginning is shown.")
    at: datetime = Field(description="When it was said, or began to hold.")
    until: datetime | None = Field(default=None, description="When it ceases or ceased to hold.")
    record_id: str | None = None
    namespace: str | None = None
    subject: str | None = None
    shared: bool | None = Field(default=None, description="True: of all actors.")
    session: str | None = None
    branch: str | None = None
    seq: int | None = None
    role: str | None = None
    name: str | None = None
    score: float
    parts: ScoreParts


class Searched(_Answer):
    """How far the search went."""

    by: list[Literal["words", "meaning", "recency and importance"]]
    candidates: int = Field(description="Texts that were ranked.")
    matches_in_words: int = Field(description="Texts with any of the words, the newest 2,000 at most.")
    not_searched: list[str] = Field(default=[], description="What could not be looked at, and why.")


class Recalled(_Answer):
    """What was found, best first."""

    memories: list[Memory]
    searched: Searched
    truncated: bool = Field(description="More was ranked than is shown.")
    tokens: int = Field(description="Of the memories, estimated at 4 bytes a token.")
    next: str | None = None
