"""The order of what recall found: words, meaning, speaker, neighbourhood, recency and importance in one weighted sum.

Each signal of the text is scaled to 0..1 over the candidates (min-max) and weighted. A sum of scaled scores keeps how
far apart candidates are, which a fusion of ranks throws away. What a turn is about is often clear only with the turn
before it, with the few turns around it or with its session, so words and meaning are looked at in each of these. BM25:
Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), with k1 = 1.2 and b = 0.75.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

K1: Final = 1.2
B: Final = 0.75
CHUNK_TURNS: Final = 6
HALF_LIFE_DAYS: Final = 30.0
COSINE_SPREAD: Final = 0.3
"""Cosines of a memory of any size spread further than this; those of a handful of texts on one matter do not."""
_SPILL: Final = 0.5
"""How much of the better of its two neighbours counts for a turn."""


class Place(NamedTuple):
    """Where in a conversation a turn is."""

    session: str
    branch: str
    position: int

    @property
    def chunk(self) -> range:
        """The positions of the turns that are looked at together with this one, itself included."""
        start = (self.position - 1) // CHUNK_TURNS * CHUNK_TURNS + 1
        return range(start, start + CHUNK_TURNS)

    def at(self, position: int) -> "Place":
        """Another place on the same branch."""
        return Place(self.session, self.branch, position)


@dataclass(frozen=True, slots=True)
class Matched:
    """How a text matches the question: which of its terms it has, in how many words, and how near its meaning is.

    `similarity` is a cosine; None where the text has no vector that can be compared.
    """

    has: tuple[bool, ...]
    length: int
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record, or a turn, which has a place. `importance` is 0..1."""

    id: str
    matched: Matched
    at: datetime
    importance: float
    speaker: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: how many texts have each of its terms, and its words, lower case."""

    texts_with_term: tuple[int, ...]
    words: frozenset[str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal counts: words and meaning alike, half of it for a turn alone. Set by hand, not learnt."""

    words_turn: float = 0.19
    words_with_previous: float = 0.09
    words_in_chunk: float = 0.05
    words_in_session: float = 0.04
    meaning_turn: float = 0.22
    meaning_with_previous: float = 0.09
    meaning_in_chunk: float = 0.06
    speaker: float = 0.05
    spill: float = 0.03
    recency: float = 0.05
    importance: float = 0.13


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a candidate scored. Scores are 0..1 among these candidates; they order, and are no probabilities."""

    id: str
    score: float
    words: float
    meaning: float
    speaker: float
    recency: float
    importance: float


@dataclass(frozen=True, slots=True)
class _Unit:
    """Some texts taken as one: how many of them have each term, and their words together."""

    counts: tuple[int, ...]
    length: int
    similarities: tuple[float, ...] = field(default=())


def rank(
    candidates: Sequence[Candidate],
    around: Mapping[Place, Matched],
    question: Question,
    weights: Weights = Weights(),
) -> list[Ranked]:
    """Candidates, best first. `around` has the turns beside them, as far as they are known."""
    if not candidates:
        return []
    known = {**around, **{one.place: one.matched for one in candidates if one.place is not None}}
    rarity = _rarity(question.texts_with_term, len(candidates))
    alone = [_unit([one.matched]) for one in candidates]
    with_previous = [_unit(_previous(one, known)) for one in candidates]
    chunks = [_unit(_chunk(one, known)) for one in candidates]
    sessions = _sessions(candidates)
    words, words_weight = _blended(
        (weights.words_turn, _scaled(_bm25(alone, rarity))),
        (weights.words_with_previous, _scaled(_bm25(with_previous, rarity))),
        (weights.words_in_chunk, _scaled(_bm25(chunks, rarity))),
        (weights.words_in_session, _scaled(_bm25(sessions, rarity))),
    )
    meaning, meaning_weight = _blended(
        (weights.meaning_turn, _scaled([_mean(unit) for unit in alone], least_spread=COSINE_SPREAD)),
        (weights.meaning_with_previous, _scaled([_mean(unit) for unit in with_previous], least_spread=COSINE_SPREAD)),
        (weights.meaning_in_chunk, _scaled([_mean(unit) for unit in chunks], least_spread=COSINE_SPREAD)),
    )
    speakers = [float(_names(one.speaker, question.words)) for one in candidates]
    recent = [recency(one.at, question.now) for one in candidates]
    own, _ = _blended(
        (words_weight, words),
        (meaning_weight, meaning),
        (weights.speaker, speakers),
        (weights.recency, recent),
        (weights.importance, [one.importance for one in candidates]),
        whole=1.0,
    )
    spilled = _spilled(candidates, own)
    ranked = [
        Ranked(
            one.id, own[n] + weights.spill * spilled[n], words[n], meaning[n], speakers[n], recent[n], one.importance
        )
        for n, one in enumerate(candidates)
    ]
    newest_first = {one.id: -one.at.timestamp() for one in candidates}
    return sorted(ranked, key=lambda one: (-one.score, newest_first[one.id], one.id))


def recency(at: datetime, now: datetime) -> float:
    """1 for what is new, a half after 30 days, a quarter after 60."""
    age_days = max(0.0, (now - at).total_seconds() / 86_400)
    return 0.5 ** (age_days / HALF_LIFE_DAYS)


def _rarity(texts_with_term: Sequence[int], candidates: int) -> list[float]:
    """BM25's inverse document frequency of each term, never negative, over the texts that have any of them."""
    texts = max([candidates, *texts_with_term])
    return [math.log(1 + (texts - count + 0.5) / (count + 0.5)) for count in texts_with_term]


def _bm25(units: Sequence[_Unit], rarity: Sequence[float]) -> list[float]:
    average = sum(unit.length for unit in units) / len(units) or 1.0
    return [
        sum(
            weight * count * (K1 + 1) / (count + K1 * (1 - B + B * unit.length / average))
            for weight, count in zip(rarity, unit.counts, strict=True)
            if count
        )
        for unit in units
    ]


def _unit(texts: Sequence[Matched]) -> _Unit:
    return _Unit(
        counts=tuple(sum(column) for column in zip(*(text.has for text in texts), strict=True)),
        length=sum(text.length for text in texts),
        similarities=tuple(text.similarity for text in texts if text.similarity is not None),
    )


def _previous(one: Candidate, known: Mapping[Place, Matched]) -> list[Matched]:
    before = known.get(one.place.at(one.place.position - 1)) if one.place else None
    return [one.matched] if before is None else [before, one.matched]


def _chunk(one: Candidate, known: Mapping[Place, Matched]) -> list[Matched]:
    if one.place is None:
        return [one.matched]
    return [known[place] for position in one.place.chunk if (place := one.place.at(position)) in known]


def _sessions(candidates: Sequence[Candidate]) -> list[_Unit]:
    """For each candidate, all candidates of its session as one; a record is a session of its own."""
    members: dict[str, list[Matched]] = {}
    names = [f"session {one.place.session}" if one.place else f"record {one.id}" for one in candidates]
    for name, one in zip(names, candidates, strict=True):
        members.setdefault(name, []).append(one.matched)
    units = {name: _unit(texts) for name, texts in members.items()}
    return [units[name] for name in names]


def _mean(unit: _Unit) -> float | None:
    return sum(unit.similarities) / len(unit.similarities) if unit.similarities else None


def _scaled(values: Sequence[float | None], *, least_spread: float = 0.0) -> list[float]:
    """Values from 0 for the least to 1 for the most, and 0 for what has none.

    Where all are alike they tell nothing apart: each is 1, or 0 if they are not above 0. Values that lie closer than
    `least_spread` together are not stretched over the whole scale: a few of nearly one cosine are nearly alike.
    """
    present = [value for value in values if value is not None]
    if not present:
        return [0.0] * len(values)
    low, high = min(present), max(present)
    if high == low:
        return [0.0 if value is None or value <= 0 else 1.0 for value in values]
    low = min(low, high - least_spread)
    return [0.0 if value is None else (value - low) / (high - low) for value in values]


def _spilled(candidates: Sequence[Candidate], own: Sequence[float]) -> list[float]:
    """What a turn gains from the better of the candidates beside it: an answer from its question."""
    scores = {one.place: score for one, score in zip(candidates, own, strict=True) if one.place is not None}

    def beside(one: Candidate) -> float:
        if one.place is None:
            return 0.0
        here = one.place
        return _SPILL * max(scores.get(here.at(here.position + step), 0.0) for step in (-1, 1))

    return [beside(one) for one in candidates]


def _names(speaker: str, words: frozenset[str]) -> bool:
    """Whether the question names who said it."""
    return any(part in words for part in speaker.casefold().split())


def _blended(*signals: tuple[float, Sequence[float]], whole: float | None = None) -> tuple[list[float], float]:
    """The weighted mean of signals, and their weight together; with `whole` as their weight, a sum."""
    together = sum(weight for weight, _ in signals)
    over = together if whole is None else whole
    columns = zip(*([weight / over * value for value in values] for weight, values in signals), strict=True)
    return [sum(column) for column in columns], together
