"""What the stores give back, as plain values."""

from dataclasses import dataclass, field
from datetime import datetime

from tenantscope_memory.branches import Branch


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is stored; `data` only where it was asked for."""

    seq: int
    branch: str
    position: int
    role: str
    name: str | None
    text: str
    media_type: str | None
    data_bytes: int
    size: int
    at: datetime
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of a branch, in the order asked for."""

    branches: dict[str, Branch]
    branch: Branch
    events: list[StoredEvent]


@dataclass(frozen=True, slots=True)
class Appended:
    """What came of appending: the number of each event by its key, how many are new, and the branch after it."""

    seqs: dict[str, int]
    new: int
    branch: Branch
