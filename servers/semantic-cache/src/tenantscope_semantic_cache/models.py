"""What the tools answer. Times are aware, money is exact with its currency beside it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from tenantscope_core.results.money import Amount

MAX_PART_CHARS = 40_000

Part = Annotated[str | None, Field(max_length=MAX_PART_CHARS)]
"""A part of a scope, as a text or a digest of it."""
Model = Annotated[str | None, Field(max_length=200)]
Locale = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]{1,35}$")]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Answer):
    """Who stored an answer."""

    subject: str = Field(description="The user or program whose token it was.")
    agent: str | None = Field(default=None, description="The agent that acted for it.")
    shared: bool = Field(description="Whether it was stored for all users of the tenant.")


class Saved(_Answer):
    """What making the answer took, as said when it was stored, and what this hit therefore saves."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: Amount | None = None
    currency: str | None = None
    latency_ms: int | None = None


class Lookup(_Answer):
    """What the cache has for a prompt."""

    hit: bool
    tier: Literal["exact", "semantic", "none"]
    answer: str | None = Field(default=None, description="The stored answer, whole.")
    entry_id: str | None = Field(default=None, description="Names this answer to this prompt, for this tenant alone.")
    similarity: float | None = Field(
        default=None, description="Cosine of the two prompts, 1 for an exact hit; on a miss, of the nearest one."
    )
    matched_prompt: str | None = Field(default=None, description="semantic: the prompt that the answer was stored for.")
    age_seconds: int | None = None
    stored_at: datetime | None = None
    expires_at: datetime | None = Field(default=None, description="Absolute; a hit does not move it.")
    source: Source | None = None
    saved: Saved | None = None
    semantic: str = Field(description="What comparing meanings came to: a hit, a miss and why, or skipped and why.")
    degraded: list[str] = Field(default=[], description="What did not answer, and what that meant.")


class Replaced(_Answer):
    """The answer that stood here before, and is served no more."""

    entry_id: str
    stored_at: datetime
    source: Source


class Stored(_Answer):
    """An answer that is kept: durably, before this was said."""

    entry_id: str
    outcome: Literal["stored", "renewed", "replaced"] = Field(
        description="renewed: the same answer was there, its expiry is new; replaced: another one was there."
    )
    replaced: Replaced | None = None
    expires_at: datetime
    shared: bool
    semantic: str = Field(description="Whether the prompt can be found by meaning, or why not.")
    degraded: list[str] = Field(default=[], description="What did not answer, and what that meant.")


class MoneySaved(_Answer):
    """Money in one currency."""

    currency: str
    amount: Amount


class SkippedLookups(_Answer):
    """Look-ups for which meanings were not compared."""

    reason: str
    lookups: int


class _Usage(_Answer):
    lookups: int
    exact_hits: int
    semantic_hits: int
    tokens_in: int = Field(description="Tokens saved.")
    tokens_out: int
    milliseconds: int = Field(description="Model latency saved.")
    money: list[MoneySaved]
    currencies: int = Field(description="Currencies there are, listed or not.")


class UsageOfModel(_Usage):
    """Look-ups for one model."""

    model: str


class OtherModels(_Usage):
    """All models that are not listed, so that rows and other sum to the totals."""

    models: int


class CacheStats(_Answer):
    """How a tenant's cache did over a period, and what is in it now."""

    of: str
    period: str = Field(description="Days in UTC.")
    lookups: int = Field(description="exact_hits + semantic_hits + misses.")
    exact_hits: int
    semantic_hits: int
    misses: int
    skipped: list[SkippedLookups] = Field(description="Misses for which meanings were not compared, by reason.")
    hit_percent: float | None = Field(
        default=None, description="Raw: whether the answers were right is not known to it. None without look-ups."
    )
    hit_percent_95: list[float] | None = Field(default=None, description="Its 95 % Wilson interval, low and high.")
    tokens_in_saved: int
    tokens_out_saved: int
    milliseconds_saved: int
    money_saved: list[MoneySaved]
    currencies: int = Field(description="Currencies there are, listed or not.")
    by_model: list[UsageOfModel]
    other: OtherModels | None = None
    model_count: int
    entries: int = Field(description="Answers to prompts that may be served now.")
    shared_entries: int
    bytes: int = Field(description="Of their prompts, answers and vectors; an answer of several prompts counts once.")
    truncated: bool
    note: str
