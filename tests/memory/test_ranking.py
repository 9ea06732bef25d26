"""The order of what is found, as arithmetic: bounded, the same for any order of candidates, and led by what matches."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from memory.asking import NOW
from tenantscope_memory.ranking import Candidate, Matched, Place, Question, Ranked, rank, recency

TERMS = 3
times = st.integers(0, 900).map(lambda days: NOW - timedelta(days=days))
similarities = st.none() | st.floats(-1, 1)
matches = st.builds(
    Matched,
    has=st.tuples(*[st.booleans()] * TERMS),
    length=st.integers(0, 60),
    similarity=similarities,
)
places = st.none() | st.builds(
    Place, session=st.sampled_from("st"), branch=st.just("main"), position=st.integers(1, 30)
)


@st.composite
def found(draw: st.DrawFn) -> tuple[list[Candidate], dict[Place, Matched], Question]:
    taken: set[Place] = set()
    candidates: list[Candidate] = []
    for number in range(draw(st.integers(0, 12))):
        place = draw(places)
        if place is not None and place in taken:
            place = None
        taken |= {place} if place else set()
        speaker, importance = draw(st.sampled_from(["", "Ana"])), draw(st.floats(0, 1))
        candidates.append(Candidate(f"c{number}", draw(matches), draw(times), importance, speaker, place))
    around = draw(st.dictionaries(places.filter(bool), matches, max_size=8))
    question = Question(
        draw(st.tuples(*[st.integers(0, 40)] * TERMS)), draw(st.sampled_from([frozenset(), frozenset({"ana"})])), NOW
    )
    return candidates, around, question  # pyright: ignore[reportReturnType]


@given(found(), st.randoms())
def test_scores_are_within_bounds_and_do_not_depend_on_the_order_in_which_candidates_come(
    given_: tuple[list[Candidate], dict[Place, Matched], Question], chance: object
):
    candidates, around, question = given_
    ranked = rank(candidates, around, question)
    assert sorted(one.id for one in ranked) == sorted(one.id for one in candidates)
    for one in ranked:
        for part in (one.score, one.words, one.meaning, one.speaker, one.recency, one.importance):
            assert -1e-9 <= part <= 1 + 1e-9
    again = rank(candidates[::-1], around, question)
    assert [one.id for one in again] == [one.id for one in ranked]


def candidate(id: str, has: tuple[bool, ...], similarity: float | None, **more: object) -> Candidate:
    values: dict[str, object] = {"at": NOW, "importance": 0.5, **more}
    return Candidate(id, Matched(has, 10, similarity), **values)  # pyright: ignore[reportArgumentType]


def order(
    *candidates: Candidate, counts: tuple[int, ...] = (1, 2, 9), around: dict[Place, Matched] | None = None
) -> list[str]:
    return [one.id for one in rank(candidates, around or {}, Question(counts, frozenset({"ana"}), NOW))]


def test_each_signal_alone_decides_between_what_is_otherwise_alike():
    yes, no = (True, False, False), (False, False, True)
    assert order(candidate("common", no, 0.5), candidate("rare", yes, 0.5)) == ["rare", "common"]
    assert order(candidate("far", yes, 0.1), candidate("near", yes, 0.9)) == ["near", "far"]
    assert order(candidate("other", yes, 0.5, speaker="Ben"), candidate("named", yes, 0.5, speaker="Ana")) == [
        "named",
        "other",
    ]
    assert order(candidate("old", yes, 0.5, at=NOW - timedelta(days=90)), candidate("new", yes, 0.5)) == ["new", "old"]
    assert order(candidate("idle", yes, 0.5, importance=0.1), candidate("vital", yes, 0.5, importance=0.9)) == [
        "vital",
        "idle",
    ]


def test_an_answer_is_found_by_the_words_of_the_question_before_it():
    asks, says_so = Place("s", "main", 1), Place("s", "main", 2)
    elsewhere = Place("s", "main", 8)
    question_before = {asks: Matched((True, True, False), 10, 0.8)}
    answer = candidate("z answer", (False, False, True), 0.4, place=says_so)
    other = candidate("a other", (False, False, True), 0.4, place=elsewhere)
    assert order(other, answer, around=question_before) == ["z answer", "a other"]
    assert order(other, answer) == ["a other", "z answer"], "alike, the ids decide"


def test_recency_halves_in_thirty_days():
    assert [round(recency(NOW - timedelta(days=days), NOW), 3) for days in (0, 30, 60, -5)] == [1, 0.5, 0.25, 1]


def test_nothing_found_is_nothing_ranked():
    empty: list[Ranked] = []
    assert rank([], {}, Question((), frozenset(), datetime.now(NOW.tzinfo))) == empty


def test_a_handful_of_texts_of_nearly_one_meaning_score_nearly_alike_so_that_what_was_kept_on_purpose_leads():
    asked = Question((), frozenset(), NOW)
    turn = candidate("turn", (), 0.41, importance=0.3)
    record = candidate("record", (), 0.40, importance=0.9)
    assert [one.id for one in rank([turn, record], {}, asked)] == ["record", "turn"]
    (first, second) = rank([turn, candidate("far", (), 0.05, importance=0.3)], {}, asked)
    assert (first.id, second.id) == ("turn", "far") and second.meaning == 0.0
