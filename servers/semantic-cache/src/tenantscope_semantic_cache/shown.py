"""Shapes what was found, stored and counted into what the tools answer."""

from collections.abc import Sequence
from datetime import datetime

from tenantscope_semantic_cache.entries import Entry
from tenantscope_semantic_cache.found import Former, Kept, Looked
from tenantscope_semantic_cache.models import CacheStats, Lookup, Replaced, Saved, Source, Stored
from tenantscope_semantic_cache.usage import (
    MAX_CURRENCIES,
    Counted,
    Holdings,
    by_model,
    count_of,
    money,
    plain,
    skipped,
    total,
    wilson_95,
)

NOTE = (
    "Look-ups of the last 5 seconds on other server processes may be missing; so are those that a killed process had "
    "not yet written."
)


def shown_lookup(looked: Looked, *, now: datetime, threshold: float) -> Lookup:
    """A look-up's answer."""
    entry, near = looked.entry, looked.near
    if entry is None:
        return Lookup(
            hit=False,
            tier="none",
            similarity=_rounded(looked.nearest),
            semantic=_missed(looked, threshold),
            degraded=looked.degraded,
        )
    return Lookup(
        hit=True,
        tier="semantic" if near else "exact",
        answer=entry.answer,
        entry_id=entry.entry_id,
        similarity=_rounded(near.similarity) if near else 1.0,
        matched_prompt=near.prompt if near else None,
        age_seconds=max(0, int((now - entry.stored_at).total_seconds())),
        stored_at=entry.stored_at,
        expires_at=entry.expires_at,
        source=_source(entry),
        saved=Saved(
            tokens_in=entry.work.tokens_in,
            tokens_out=entry.work.tokens_out,
            cost=None if entry.work.cost is None else plain(entry.work.cost),
            currency=entry.work.currency,
            latency_ms=entry.work.latency_ms,
        ),
        semantic=f"hit: at least {threshold:g} similar" if near else "not needed: the very same prompt was found",
        degraded=looked.degraded,
    )


def shown_stored(kept: Kept) -> Stored:
    """A store's answer."""
    entry, former = kept.entry, kept.former
    same = former is not None and former.entry_id == entry.entry_id
    replaced = former if former is not None and not same else None
    return Stored(
        entry_id=entry.entry_id,
        outcome="replaced" if replaced else "renewed" if same else "stored",
        replaced=Replaced(entry_id=replaced.entry_id, stored_at=replaced.stored_at, source=_source(replaced))
        if replaced
        else None,
        expires_at=entry.expires_at,
        shared=entry.shared,
        semantic=f"skipped: {kept.skipped}, {kept.skipped.sentence}" if kept.skipped else "embedded",
        degraded=kept.degraded,
    )


def shown_stats(tenant: str, period: str, lines: Sequence[Counted], model_count: int, holdings: Holdings) -> CacheStats:
    """A tenant's numbers; the rows by model and `other` sum to the totals."""
    sums, hits = total(lines), count_of(lines, "exact", "semantic")
    interval = wilson_95(hits, sums.lookups)
    rows, other = by_model(lines, model_count)
    amounts = money(lines)
    return CacheStats(
        of=tenant,
        period=period,
        lookups=sums.lookups,
        exact_hits=count_of(lines, "exact"),
        semantic_hits=count_of(lines, "semantic"),
        misses=count_of(lines, "miss"),
        skipped=skipped(lines),
        hit_percent=round(100 * hits / sums.lookups, 1) if sums.lookups else None,
        hit_percent_95=[round(100 * bound, 1) for bound in interval] if interval else None,
        tokens_in_saved=sums.tokens_in,
        tokens_out_saved=sums.tokens_out,
        milliseconds_saved=sums.latency_ms,
        money_saved=amounts[:MAX_CURRENCIES],
        currencies=len(amounts),
        by_model=rows,
        other=other,
        model_count=model_count,
        entries=holdings.entries,
        shared_entries=holdings.shared,
        bytes=holdings.bytes,
        truncated=other is not None or len(amounts) > MAX_CURRENCIES,
        note=NOTE,
    )


def _missed(looked: Looked, threshold: float) -> str:
    if looked.skipped is not None:
        return f"skipped: {looked.skipped}, {looked.skipped.sentence}"
    if looked.nearest is None:
        return "miss: nothing is stored in this scope"
    if looked.differs is not None:
        return f"miss: the nearest prompt differs in its {looked.differs}"
    return f"miss: no prompt is {threshold:g} similar"


def _source(stored: Entry | Former) -> Source:
    return Source(subject=stored.subject, agent=stored.agent, shared=stored.shared)


def _rounded(similarity: float | None) -> float | None:
    return None if similarity is None else round(similarity, 4)
