"""Branches of a session: which events each holds, and which part of them an answer has room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

MAIN: Final = "main"
MAX_BRANCHES: Final = 100
MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch: its parent's events up to `fork_position`, then its own up to `tip_position`."""

    name: str
    parent: str | None
    fork_seq: int | None
    fork_position: int
    tip_position: int
    stamp: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Events of one branch after one position and up to another."""

    branch: str
    after: int
    up_to: int


def lineage(branches: Mapping[str, Branch], name: str) -> list[Segment]:
    """The segments whose events, in this order, are the conversation on a branch."""
    segments: list[Segment] = []
    branch: Branch | None = branches[name]
    up_to = branch.tip_position
    while branch is not None:
        segments.append(Segment(branch.name, branch.fork_position, up_to))
        up_to = branch.fork_position
        branch = branches[branch.parent] if branch.parent is not None else None
    return segments[::-1]


def depth(branches: Mapping[str, Branch], name: str) -> int:
    """How many forks lie between a branch and the root."""
    return len(lineage(branches, name)) - 1


class Sized(Protocol):
    """Something that takes room in an answer."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...


SizedT = TypeVar("SizedT", bound=Sized)


def fitting(items: Sequence[SizedT], room_bytes: int, *, at_least: int = 0) -> list[SizedT]:
    """As many of the first items as there is room for, and `at_least` so many of them whatever their size."""
    taken: list[SizedT] = []
    for item in items:
        room_bytes -= item.size
        if room_bytes < 0 and len(taken) >= at_least:
            break
        taken.append(item)
    return taken
