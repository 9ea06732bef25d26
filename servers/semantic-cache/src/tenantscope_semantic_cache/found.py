"""What a look-up found, and what a store did."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tenantscope_semantic_cache.eligibility import Skipped
from tenantscope_semantic_cache.entries import Entry
from tenantscope_semantic_cache.veto import Difference, difference


@dataclass(frozen=True, slots=True)
class Near:
    """An entry near in meaning; its answer is '' where its similarity is below the threshold asked for."""

    entry: Entry
    prompt: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, exactly or by meaning; or what stood in the way. `nearest` is the highest similarity."""

    exact: Entry | None = None
    near: Near | None = None
    nearest: float | None = None
    differs: Difference | None = None
    skipped: Skipped | None = None
    degraded: list[str] = field(default_factory=list[str])

    @property
    def entry(self) -> Entry | None:
        """The entry that answers, if any does."""
        return self.exact or (self.near.entry if self.near else None)

    @property
    def tier(self) -> Literal["exact", "semantic"] | None:
        """Where it was found."""
        if self.exact is not None:
            return "exact"
        return None if self.near is None else "semantic"


@dataclass(frozen=True, slots=True)
class Former:
    """The live entry that stood in a place before."""

    entry_id: str
    stored_at: datetime
    subject: str
    agent: str | None
    shared: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry that is durable, what stood in its place, and why it cannot be found by meaning if it cannot."""

    entry: Entry
    former: Former | None
    skipped: Skipped | None
    degraded: list[str]


def choose(asked: str, near: list[Near], *, threshold: float) -> tuple[Near | None, Difference | None]:
    """The nearest entry that is similar enough and does not differ, and the first difference that ruled one out."""
    ruled_out: Difference | None = None
    for one in near:
        if one.similarity < threshold:
            break
        differs = difference(asked, one.prompt)
        if differs is None:
            return one, ruled_out
        ruled_out = ruled_out or differs
    return None, ruled_out
