"""Both tiers on real stores and the real model: what is found, for whom, and what is said of it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from semantic_cache.asking import NOW, WORK, Parts
from tenantscope_core.results.errors import InvalidArgument, Unavailable
from tenantscope_core.stores.aws import AwsCaller

REFUND = "How do I get a refund for my annual plan?"
PARAPHRASE = "How can I get a refund for my annual plan?"
ANSWER = "Open Billing, choose the invoice, press Refund. It arrives within 5 days."
SCOPE = {"model": "some-model", "system": "Be brief.", "tools": "[]", "locale": "en-GB", "context": "passage 7"}


async def test_the_very_same_prompt_is_answered_exactly_with_all_that_is_known_of_it(parts: Parts):
    ann = replace(parts.user(), actors=("helper-bot",)).within(model="some-model", system="Be brief.")
    stored = await ann.store(REFUND, ANSWER, **WORK)
    assert (stored.outcome, stored.semantic, stored.degraded) == ("stored", "embedded", [])
    parts.clock.advance(90)
    found = await ann.look_up(f"  {REFUND.replace(' ', '  ')}\n")
    assert (found.hit, found.tier, found.similarity, found.answer) == (True, "exact", 1.0, ANSWER)
    assert (found.entry_id, found.age_seconds, found.stored_at) == (stored.entry_id, 90, NOW)
    assert found.expires_at == stored.expires_at
    assert found.source is not None
    assert (found.source.subject, found.source.agent, found.source.shared) == ("ann", "helper-bot", False)
    assert found.saved is not None
    assert (found.saved.cost, found.saved.currency) == (Decimal("0.0087"), "USD")
    assert (found.saved.tokens_in, found.saved.tokens_out, found.saved.latency_ms) == (1_200, 340, 2_400)


async def test_what_postgresql_says_of_an_entry_is_what_valkey_said(parts: Parts):
    ann = parts.user()
    await ann.store(REFUND, '« Ça va ? » 🙂\n\t"quoted" \\ \x01', **WORK)
    from_valkey = await ann.look_up(REFUND)
    parts.flush()
    assert await ann.look_up(REFUND) == from_valkey


async def test_after_a_flush_the_first_look_up_warms_valkey_and_the_next_needs_no_postgresql(parts: Parts):
    ann = parts.user()
    await ann.store(REFUND, ANSWER)
    parts.flush()
    assert (await ann.look_up(REFUND)).tier == "exact"
    without = replace(parts, postgres=_Never()).user()
    assert (await without.look_up(REFUND)).answer == ANSWER


async def test_a_paraphrase_is_answered_by_meaning(parts: Parts):
    ann = parts.user()
    stored = await ann.store(REFUND, ANSWER)
    found = await ann.look_up(PARAPHRASE)
    assert (found.hit, found.tier, found.answer, found.entry_id) == (True, "semantic", ANSWER, stored.entry_id)
    assert found.similarity is not None
    assert 0.95 <= found.similarity < 1
    assert found.matched_prompt == REFUND


async def test_the_nearest_of_several_prompts_answers_and_prompts_may_share_an_answer(parts: Parts):
    ann = parts.user()
    await ann.store("How do I export all invoices as a CSV file?", "Press Export.")
    await ann.store(REFUND, ANSWER)
    await ann.store("Where can I ask for a refund of a yearly subscription?", ANSWER)
    assert (await ann.look_up(PARAPHRASE)).matched_prompt == REFUND
    rows = await parts.postgres.fetch("acme", "SELECT uses FROM answer ORDER BY uses")
    assert [row["uses"] for row in rows] == [1, 2]


@pytest.mark.parametrize("prompt", [REFUND, PARAPHRASE])
async def test_another_tenant_never_finds_it_not_even_with_the_same_user_and_scope(parts: Parts, prompt: str):
    await parts.user("acme").store(REFUND, ANSWER, shared=True)
    for tenant in ("globex", "acme_corp", "Acme"):
        found = await parts.user(tenant).look_up(prompt)
        assert (found.hit, found.tier, found.similarity) == (False, "none", None)


@pytest.mark.parametrize("prompt", [REFUND, PARAPHRASE])
@pytest.mark.parametrize("part", SCOPE)
async def test_another_scope_never_finds_it(parts: Parts, prompt: str, part: str):
    await parts.user().within(**SCOPE).store(REFUND, ANSWER, shared=True)
    for other in ({part: "other"}, {part: None}):
        found = await parts.user().within(**{**SCOPE, **other}).look_up(prompt)
        assert (found.hit, found.similarity) == (False, None)
    assert (await parts.user().within(**SCOPE).look_up(prompt)).hit


@pytest.mark.parametrize("prompt", [REFUND, PARAPHRASE])
async def test_a_users_own_answer_serves_nobody_else_until_it_is_stored_as_shared(parts: Parts, prompt: str):
    ann, bob = parts.user(subject="ann"), parts.user(subject="bob")
    await ann.store(REFUND, ANSWER)
    assert not (await bob.look_up(prompt)).hit
    await ann.store(REFUND, ANSWER, shared=True)
    found = await bob.look_up(prompt)
    assert found.hit
    assert found.source is not None
    assert (found.source.subject, found.source.shared) == ("ann", True)


async def test_a_users_own_answer_comes_before_the_shared_one(parts: Parts):
    ann, bob = parts.user(subject="ann"), parts.user(subject="bob")
    await bob.store(REFUND, "shared", shared=True)
    await ann.store(REFUND, "own")
    for _ in range(2):
        assert (await ann.look_up(REFUND)).answer == "own"
        assert (await ann.look_up(PARAPHRASE)).answer == "own"
        assert (await bob.look_up(REFUND)).answer == "shared"
        parts.flush()


async def test_the_same_answer_again_is_the_same_entry_and_another_one_takes_its_place_and_says_so(parts: Parts):
    ann, bob = parts.user(subject="ann"), parts.user(subject="bob")
    first = await ann.store(REFUND, ANSWER, shared=True)
    parts.clock.advance(60)
    again = await ann.store(REFUND, ANSWER, shared=True)
    assert (again.outcome, again.entry_id, again.replaced) == ("renewed", first.entry_id, None)
    assert (again.expires_at - first.expires_at).total_seconds() == 60
    other = await bob.store(REFUND, "Ask support.", shared=True)
    assert other.outcome == "replaced"
    assert other.entry_id != first.entry_id
    assert other.replaced is not None
    assert (other.replaced.entry_id, other.replaced.source.subject) == (first.entry_id, "ann")
    assert (await ann.look_up(REFUND)).answer == "Ask support."
    assert (await ann.look_up(PARAPHRASE)).answer == "Ask support."
    back = await ann.store(REFUND, ANSWER, shared=True)
    assert (back.outcome, back.entry_id) == ("replaced", first.entry_id)


async def test_expiry_is_absolute_in_both_tiers_and_a_hit_does_not_move_it(parts: Parts):
    ann = parts.user()
    stored = await ann.store(REFUND, ANSWER, ttl_seconds=100)
    for _ in range(3):
        parts.clock.advance(33)
        for prompt in (REFUND, PARAPHRASE):
            found = await ann.look_up(prompt)
            assert found.hit
            assert found.expires_at == stored.expires_at
        parts.flush()
        assert (await ann.look_up(REFUND)).hit
    parts.clock.advance(1)
    for prompt in (REFUND, PARAPHRASE):
        assert not (await ann.look_up(prompt)).hit
    assert (await ann.store(REFUND, "New.")).outcome == "stored"


async def test_a_call_may_raise_the_threshold_and_never_lower_it(parts: Parts):
    ann = parts.user(threshold=0.95)
    await ann.store(REFUND, ANSWER)
    similar = (await ann.look_up(PARAPHRASE)).similarity
    assert similar is not None
    raised = await ann.look_up(PARAPHRASE, min_similarity=min(1.0, similar + 0.001))
    assert (raised.hit, raised.answer, raised.similarity) == (False, None, similar)
    far = "How do I cancel my annual plan and get my money back?"
    lowered = await ann.look_up(far, min_similarity=0.1)
    assert not lowered.hit
    assert lowered.similarity is not None
    assert lowered.similarity < 0.95
    assert lowered.semantic == "miss: no prompt is 0.95 similar"


@pytest.mark.parametrize(
    ("scope", "prompt", "said"),
    [
        ({}, "and for him?", "follow_up"),
        ({}, "what about tomorrow?", "follow_up"),
        ({}, "How much does it cost?", "follow_up"),
        ({}, "refund now", "too_short"),
        ({}, "refund " * 400, "too_long"),
        ({"tools": "search, book"}, REFUND, "agent_turn_without_context"),
    ],
)
async def test_what_means_little_alone_is_kept_and_found_exactly_and_never_compared(
    parts: Parts, scope: dict[str, Any], prompt: str, said: str
):
    ann = parts.user().within(**scope)
    stored = await ann.store(prompt, ANSWER)
    assert stored.semantic.startswith(f"skipped: {said}, ")
    assert (await ann.look_up(prompt)).tier == "exact"
    other = await ann.look_up(prompt + " !")
    assert (other.hit, other.similarity) == (False, None)
    assert other.semantic.startswith("skipped: ")
    (row,) = await parts.postgres.fetch("acme", "SELECT embedder FROM entry")
    assert row["embedder"] is None


async def test_with_its_context_a_follow_up_is_compared_within_that_context_alone(parts: Parts):
    ann = parts.user().within(context="talk 1, turn 4", tools="search")
    await ann.store("and how old is he today?", "73")
    assert (await ann.look_up("and how old is he now today?", min_similarity=0.9)).similarity
    elsewhere = await ann.within(context="talk 2, turn 4", tools="search").look_up("and how old is he today?")
    assert (elsewhere.hit, elsewhere.similarity) == (False, None)


@pytest.mark.parametrize(
    ("stored", "asked", "differs"),
    [
        ("What is the weather like in Hawaii in May?", "What is the weather like in Haiti in May?", "names"),
        ("Which trains go from Vienna to Graz?", "Which trains go from Graz to Vienna?", "order of words"),
        ("Can I change my flight before departure?", "Can I change my flight after departure?", "opposites"),
        ("Is it allowed to smoke in the lobby?", "Is it not allowed to smoke in the lobby?", "negation"),
        ("How many days of leave do I get after 5 years?", "How many days of leave do I get after 6 years?", "numbers"),
        ("what does 😀 mean in a chat", "what does 😡 mean in a chat", "letters or signs"),
        ("როგორი ამინდია დღეს თბილისში", "როგორი ამინდია დღეს ბათუმში", "letters or signs"),
    ],
)
async def test_a_prompt_that_differs_in_what_counts_is_no_hit_however_alike_it_sounds(
    parts: Parts, stored: str, asked: str, differs: str
):
    ann = parts.user(threshold=0.5)
    await ann.store(stored, ANSWER)
    found = await ann.look_up(asked)
    assert not found.hit
    assert found.similarity is not None
    assert found.similarity > 0.5
    assert found.semantic == f"miss: the nearest prompt differs in its {differs}"


@pytest.mark.parametrize(
    ("prompt", "answer", "parameter"),
    [
        ("", "x", "prompt"),
        (" \n\t ", "x", "prompt"),
        ("?!… *", "x", "prompt"),
        ("a\0b c d", "x", "prompt"),
        ("x" * 20_001, "x", "prompt"),
        (REFUND, "", "answer"),
        (REFUND, "  ", "answer"),
        (REFUND, "\0", "answer"),
        (REFUND, "x" * 20_001, "answer"),
        (REFUND, '"' * 12_000, "answer"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_the_parameters_name(
    parts: Parts, prompt: str, answer: str, parameter: str
):
    with pytest.raises(InvalidArgument) as refused:
        await parts.user().store(prompt, answer)
    assert refused.value.parameter == parameter


async def test_the_largest_answer_comes_back_whole(parts: Parts):
    ann = parts.user()
    largest = "é\n" * 4_998
    prompt = "Wörter " * 35 + "please"
    await ann.store(prompt, largest)
    assert (await ann.look_up(prompt)).answer == largest
    parts.flush()
    assert (await ann.look_up(prompt)).answer == largest


@pytest.mark.parametrize(
    ("given", "shown"),
    [("0.0041", "0.0041"), ("0.00410", "0.0041"), ("0.000000001", "0.000000001"), ("5", "5.00"), ("120.5", "120.50")],
)
async def test_a_cost_is_shown_as_it_was_given_wherever_the_answer_came_from(parts: Parts, given: str, shown: str):
    ann = parts.user()
    await ann.store(REFUND, "Press Refund.", cost=given, currency="USD")
    from_valkey = await ann.look_up(REFUND)
    parts.flush()
    from_postgres, by_meaning = await ann.look_up(REFUND), await ann.look_up(PARAPHRASE)
    assert (from_valkey.tier, from_postgres.tier, by_meaning.tier) == ("exact", "exact", "semantic")
    for found in (from_valkey, from_postgres, by_meaning):
        assert found.model_dump(mode="json")["saved"]["cost"] == shown
    (saved,) = (await ann.stats()).money_saved
    assert saved.amount == 3 * Decimal(given)


@pytest.mark.parametrize(("given", "parameter"), [({"cost": "1"}, "currency"), ({"currency": "USD"}, "cost")])
async def test_a_cost_needs_its_currency(parts: Parts, given: dict[str, str], parameter: str):
    with pytest.raises(InvalidArgument) as refused:
        await parts.user().store(REFUND, ANSWER, **given)
    assert refused.value.parameter == parameter


async def test_while_nothing_embeds_the_exact_tier_serves_and_says_so(parts: Parts):
    mute = replace(parts, embedder=_Mute())
    ann = mute.user().within(model="m")
    stored = await ann.store(REFUND, ANSWER)
    assert stored.semantic.startswith("skipped: not_embedded")
    assert [one.partition(":")[0] for one in stored.degraded] == ["embeddings"]
    assert (await ann.look_up(REFUND)).tier == "exact"
    missed = await ann.look_up(PARAPHRASE)
    assert (missed.hit, missed.semantic.startswith("skipped: not_embedded")) == (False, True)
    assert [one.partition(":")[0] for one in missed.degraded] == ["embeddings"]
    again = await parts.user().within(model="m").store(REFUND, ANSWER)
    assert (again.outcome, again.semantic) == ("renewed", "embedded")
    assert (await parts.user().within(model="m").look_up(PARAPHRASE)).tier == "semantic"


async def test_vectors_of_another_model_are_never_compared(parts: Parts):
    await parts.user().store(REFUND, ANSWER)
    found = await replace(parts, embedder=_Other()).user().look_up(REFUND.replace("get", "receive"))
    assert (found.hit, found.similarity) == (False, None)


class _Mute:
    """A model that does not answer."""

    tag, dimensions, asymmetric = "mute.384", 384, False

    async def embed(self, aws: AwsCaller, texts: Any, *, purpose: Any) -> list[list[float]]:
        raise Unavailable("The embedding model does not answer.")


class _Other:
    """A model under another tag, whose every vector is one and the same."""

    tag, dimensions, asymmetric = "other.384", 384, False

    async def embed(self, aws: AwsCaller, texts: Any, *, purpose: Any) -> list[list[float]]:
        return [[1.0] + [0.0] * 383 for _ in texts]


class _Never:
    """A PostgreSQL that must not be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"PostgreSQL was asked: {name}")
