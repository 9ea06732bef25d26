"""What is pure: normalising, fingerprints, what is not compared, what differs, how it is counted."""

import math
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from timeit import repeat

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_semantic_cache.eligibility import MAX_READ, Skipped, is_follow_up, reason_to_skip, tokens_at_most
from tenantscope_semantic_cache.entries import Copy, Entry, Work, decoded, encoded, version_mark
from tenantscope_semantic_cache.models import MAX_PART_CHARS
from tenantscope_semantic_cache.prompts import MAX_ANSWER_BYTES, bounded_answer, normalised_prompt
from tenantscope_semantic_cache.scope import Scope, answer_id, entry_id, fingerprint
from tenantscope_semantic_cache.usage import Counted, Sums, by_model, money, plain, total, wilson_95
from tenantscope_semantic_cache.veto import Difference, difference

texts = st.characters(codec="utf-8", exclude_characters="\0")
parts = st.none() | st.text(texts, max_size=6)
scopes = st.builds(Scope, parts, parts, parts, parts, parts)
counts = st.none() | st.integers(0, 10**9)
times = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
works = st.builds(
    Work,
    counts,
    counts,
    st.none() | st.decimals(0, 10**9 - 1, places=9),
    st.none() | st.sampled_from(["USD", "EUR"]),
    counts,
)
entries = st.builds(
    Entry,
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.integers(1, 2**62),
    st.text(min_size=1),
    st.text(max_size=9),
    st.text(max_size=9),
    st.none() | st.text(max_size=9),
    st.booleans(),
    st.booleans(),
    times,
    times,
    works,
)


@pytest.mark.parametrize("letter", ["a", "ü", "語", "😀"])
def test_taking_the_largest_parts_of_a_scope_is_a_small_piece_of_work_beside_hashing_them(letter: str):
    part = letter * MAX_PART_CHARS

    def take() -> Scope:
        return Scope(system=part, tools=part, context=part)

    scope = take()
    taking = min(repeat(take, number=1, repeat=9))
    hashing = min(repeat(lambda: scope.digest("acme", "ann"), number=1, repeat=9))
    assert taking < 3 * hashing


@pytest.mark.parametrize("part", ["a\0", "\ud800", "語\udfff", "\ud83d\ude00"])
def test_a_part_that_no_store_takes_is_refused_by_name(part: str):
    with pytest.raises(InvalidArgument) as refused:
        Scope(context=part)
    assert refused.value.parameter == "context"


@given(st.text())
def test_normalising_twice_is_normalising_once_and_keeps_every_word_as_it_is_spelt(text: str):
    try:
        once = normalised_prompt(text)
    except InvalidArgument as refused:
        assert refused.parameter == "prompt"
        assert "\0" in text or not any(map(str.isalnum, unicodedata.normalize("NFC", text)))
        return
    assert normalised_prompt(once) == once
    assert normalised_prompt(f"\t {text}\r\n") == once
    assert normalised_prompt(unicodedata.normalize("NFD", text)) == once
    assert once.split() == unicodedata.normalize("NFC", text).split()


def test_case_and_punctuation_stay_for_they_tell_questions_apart():
    assert normalised_prompt("Who is in the US?") != normalised_prompt("Who is in the us?")
    assert normalised_prompt("Let's eat, grandma") != normalised_prompt("Let's eat grandma")


@pytest.mark.parametrize("text", ["half \ud83d a pair", "a\0b"])
def test_what_no_store_takes_is_refused_by_name_wherever_it_stands(text: str):
    with pytest.raises(InvalidArgument) as refused:
        normalised_prompt(text)
    assert refused.value.parameter == "prompt"
    with pytest.raises(InvalidArgument) as refused:
        bounded_answer(text)
    assert refused.value.parameter == "answer"
    with pytest.raises(InvalidArgument) as refused:
        Scope(context=text)
    assert refused.value.parameter == "context"


@given(st.text(min_size=1, max_size=30), st.integers(1, 20_000))
def test_an_answer_is_bounded_by_what_it_takes_on_the_wire(piece: str, times_over: int):
    answer = piece * times_over
    try:
        assert bounded_answer(answer) == answer
    except InvalidArgument:
        assert "\0" in answer or not answer.strip() or 6 * len(answer) + 2 > MAX_ANSWER_BYTES
    else:
        assert len(answer.encode()) < MAX_ANSWER_BYTES


names = st.text("ab:/|,\"'-0", max_size=4)


@given(scopes, scopes, names, names, st.none() | names, st.none() | names)
def test_fingerprints_are_equal_only_where_everything_is(
    one: Scope, other: Scope, tenant: str, elsewhere: str, subject: str | None, somebody: str | None
):
    same = (one, tenant, subject) == (other, elsewhere, somebody)
    assert (one.digest(tenant, subject) == other.digest(elsewhere, somebody)) == same


@given(st.binary(min_size=32, max_size=32), st.text(max_size=5), st.text(max_size=5))
def test_the_same_prompt_and_answer_have_the_same_id_and_others_another(scope: bytes, one: str, other: str):
    ids = {
        entry_id(fingerprint(scope, prompt), answer_id(scope, answer))
        for prompt in (one, other)
        for answer in (one, other)
    }
    assert len(ids) == len({one, other}) ** 2


@given(entries, times)
def test_a_copy_comes_back_as_it_was(entry: Entry, trusted_until: datetime):
    copy = Copy("acme", entry, trusted_until)
    assert decoded(encoded(copy)) == copy
    assert encoded(copy).startswith(version_mark(entry.version).encode())


@given(st.binary() | st.text('0123456789[],"null.').map(str.encode))
def test_bytes_that_are_no_copy_are_none(value: bytes):
    assert decoded(value) is None
    assert decoded(version_mark(7).encode()) is None


@given(entries, times, times)
def test_a_copy_serves_its_own_tenant_until_it_is_not_to_be_trusted_or_expires(
    entry: Entry, trusted_until: datetime, now: datetime
):
    copy = Copy("acme", entry, trusted_until)
    assert copy.serves("acme", now) == (now < min(trusted_until, entry.expires_at))
    assert not copy.serves("acme_corp", now)


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_the_order_of_marks_is_the_order_of_versions(one: int, other: int):
    assert (version_mark(one) < version_mark(other)) == (one < other)


@pytest.mark.parametrize(
    "prompt",
    [
        "and for him?", "What about tomorrow?", "how about in Paris", "And in Germany?", "How old is he?",
        "how old is him", "What does it cost?", "Why is that?", "Can you explain this?",
        "tell me more about them", "Who wrote these?", "same for the other account", "Then what happens next",
        "Where does she live now?", "How do I pay this invoice?", "What's their refund policy?", "yes please do so",
        "Continue with the next step", "Is that the same as before", "Is it going to work",
    ],
)  # fmt: skip
def test_a_prompt_that_leans_on_what_was_said_before_is_a_follow_up(prompt: str):
    assert is_follow_up(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "How do I reset my password if I forgot it?", "Who is the CEO of Apple and how old is he?",
        "What is the refund policy for annual plans?", "Is it safe to eat raw eggs?", "Is it true that bees die?",
        "Which plan includes the feature that exports invoices?", "What was our revenue this month?",
        "How do my users sign in with their work account?", "Anders Celsius invented which scale?",
        "Sofia is the capital of which country?", "Nothing happens when I press Export, why?",
    ],
)  # fmt: skip
def test_a_prompt_that_names_what_it_speaks_of_is_none(prompt: str):
    assert not is_follow_up(prompt)


def test_a_prompt_is_compared_only_if_the_smallest_model_reads_all_of_it():
    assert reason_to_skip("How do I export my invoices? " * 12, Scope()) is None
    assert reason_to_skip("How do I export my invoices? " * 60, Scope(context="c")) is Skipped.TOO_LONG
    assert reason_to_skip("請問如何申請退款" * 40 + " a b c", Scope()) is Skipped.TOO_LONG


@given(st.lists(st.sampled_from(["the", "invoice", "Hawaii", "reimbursement", "4711", "naïve", "退款", "x-7"])))
def test_tokens_are_rather_counted_too_many(words: list[str]):
    text = " ".join(words)
    assert tokens_at_most(text) >= len(words)
    assert tokens_at_most(text + " " + text) == 2 * tokens_at_most(text)
    assert MAX_READ < 256


@pytest.mark.parametrize(
    ("asked", "stored", "differs"),
    [
        ("what does 😀 mean in chat", "what does 😡 mean in chat", Difference.LETTERS),
        ("how do I write ∀ in a formula", "how do I write ∃ in a formula", Difference.LETTERS),
        ("where is x > y in the report", "where is x < y in the report", Difference.LETTERS),
        ("price of the plan in €", "price of the plan in $", Difference.LETTERS),
        ("როგორი ამინდია დღეს თბილისში?", "როგორი ამინდია დღეს ბათუმში?", Difference.LETTERS),
        ("какая погода сегодня в москве", "какая погода сегодня в минске", Difference.LETTERS),
        ("какая погода сегодня в Москве?", "какая погода сегодня в москве", None),
        ("दिल्ली में मौसम", "दिल्ली मे मौसम", Difference.LETTERS),
        ("tôi muốn bán nhà", "tôi muốn bạn nhà", Difference.LETTERS),
        ("was kostet ein flug nach österreich", "was kostet der flug nach österreich", None),
        ("what is in " + "ab" * 60, "what is in " + "ab" * 59 + "cd", Difference.LETTERS),
        ("Weather in Hawaii?", "Weather in Haiti?", Difference.NAMES),
        ("How do I move from Slack to Teams?", "How do I move from Slack to Discord?", Difference.NAMES),
        ("Is my iPhone insured?", "Is my iPad insured?", Difference.NAMES),
        ("Can I cancel within 14 days?", "Can I cancel within 30 days?", Difference.NUMBERS),
        ("Can I cancel within two weeks?", "Can I cancel within three weeks?", Difference.NUMBERS),
        ("Is version 2.1 supported?", "Is version 2.10 supported?", Difference.NUMBERS),
        ("Flights on 2026-03-04", "Flights on 2026-04-03", Difference.NUMBERS),
        ("Can I export invoices?", "Can't I export invoices?", Difference.NEGATION),
        ("Which plans have SSO?", "Which plans do not have SSO?", Difference.NEGATION),
        ("Search with filters", "Search without filters", Difference.NEGATION),
        ("Can I change my seat before check-in?", "Can I change my seat after check-in?", Difference.OPPOSITES),
        ("How do I disable alerts?", "How do I enable alerts?", Difference.OPPOSITES),
        ("Is the last stop closed before noon?", "Is the last stop closed after noon?", Difference.OPPOSITES),
        ("Trains from Vienna to Graz", "Trains from Graz to Vienna", Difference.ORDER),
        ("Do dogs chase cats?", "Do cats chase dogs?", Difference.ORDER),
        ("How do I export invoices?", "Please, how do I export invoices?", None),
        ("How do I change it before and after check-in?", "How do I change it after check-in?", None),
        ("Weather in Hawaii?", "weather in hawaii", None),
        ("Weather in Hawaii?", "What is the weather in Hawaii?", None),
        ("Can I cancel within two weeks?", "May I cancel within 2 weeks?", None),
        ("How do I get a refund?", "How can I get a refund?", None),
        ("Is it not true that nobody pays?", "Is it true that people pay?", None),
    ],
)
def test_numbers_negations_and_names_tell_prompts_apart(asked: str, stored: str, differs: Difference | None):
    assert difference(asked, stored) is differs
    assert difference(stored, asked) is differs
    assert difference(asked, asked) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_difference_is_the_same_from_either_side_and_nothing_differs_from_itself(one: str, other: str):
    assert difference(one, other) == difference(other, one)
    assert difference(one, one) is None


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_wilsons_interval_holds_the_share_and_solves_its_equation(hits: int, lookups: int):
    assume(hits <= lookups)
    interval = wilson_95(hits, lookups)
    assert interval is not None
    share = hits / lookups
    assert 0 <= interval[0] <= share + 1e-12
    assert share - 1e-12 <= interval[1] <= 1
    for bound in interval:  # each is a share p of which hits/lookups lies 1.96 standard errors away, or an end
        squared = 1.959964**2 * bound * (1 - bound) / lookups
        assert bound in (0.0, 1.0) or math.isclose((share - bound) ** 2, squared, rel_tol=1e-4, abs_tol=1e-12)


def test_of_no_look_ups_there_is_no_rate():
    assert wilson_95(0, 0) is None


amounts = st.decimals(0, 1_000, places=9)
lines = st.lists(
    st.builds(
        Counted,
        st.none() | st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["exact", "semantic", "miss"]),
        st.just(""),
        st.sampled_from(["", "USD", "EUR"]),
        st.builds(Sums, st.integers(1, 99), st.integers(0, 99), st.integers(0, 99), amounts, st.integers(0, 99)),
    )
)


@given(lines)
def test_rows_by_model_and_the_others_sum_to_the_totals_to_the_last_digit(counted: list[Counted]):
    named = len({line.model for line in counted if line.model is not None})
    rows, other = by_model(counted, named + 4)
    shown = [*rows, *([other] if other else [])]
    sums = total(counted)
    assert sum(row.lookups for row in shown) == sums.lookups
    assert sum(row.tokens_out for row in shown) == sums.tokens_out
    for currency in ("USD", "EUR"):
        whole = sum((one.amount for one in money(counted) if one.currency == currency), Decimal(0))
        assert whole == sum((one.amount for row in shown for one in row.money if one.currency == currency), Decimal(0))
    assert [row.lookups for row in rows] == sorted((row.lookups for row in rows), reverse=True)
    assert other is None or other.models == 4


@given(amounts)
def test_money_is_shown_exactly_and_in_cents_at_least(amount: Decimal):
    shown = plain(amount)
    assert shown == amount
    assert "E" not in format(shown, "f")
    assert len(format(shown, "f").partition(".")[2]) >= 2


def test_sums_add():
    sums = Sums(1, 2, 3, Decimal("0.1"), 4)
    sums.add(replace(sums, cost=Decimal("0.2")))
    assert sums == Sums(2, 4, 6, Decimal("0.3"), 8)
