"""Both tiers on real stores and the real model: what is found, for whom, and what is said of it."""

from decimal import Decimal

from semantic_cache.asking import NOW, WORK, Parts

REFUND = "How do I get a refund for my annual plan?"
PARAPHRASE = "How can I get a refund for my annual plan?"
ANSWER = "Open Billing, choose the invoice, press Refund. It arrives within 5 days."


async def test_the_very_same_prompt_is_answered_exactly_with_all_that_is_known_of_it(parts: Parts):
    ann = parts.user().within(model="some-model", system="Be brief.")
    stored = await ann.store(REFUND, ANSWER, **WORK)
    assert (stored.outcome, stored.semantic, stored.degraded) == ("stored", "embedded", [])
    parts.clock.advance(90)
    found = await ann.look_up(f"  {REFUND.replace(' ', '  ')}\n")
    assert (found.hit, found.tier, found.similarity, found.answer) == (True, "exact", 1.0, ANSWER)
    assert (found.entry_id, found.age_seconds, found.stored_at) == (stored.entry_id, 90, NOW)
    assert found.expires_at == stored.expires_at
    assert found.source is not None and found.saved is not None
    assert (found.source.subject, found.source.agent, found.source.shared) == ("ann", None, False)
    assert (found.saved.cost, found.saved.currency) == (Decimal("0.0087"), "USD")
    assert (found.saved.tokens_in, found.saved.tokens_out, found.saved.latency_ms) == (1_200, 340, 2_400)


async def test_a_paraphrase_is_answered_by_meaning(parts: Parts):
    ann = parts.user()
    stored = await ann.store(REFUND, ANSWER)
    found = await ann.look_up(PARAPHRASE)
    assert (found.hit, found.tier, found.answer, found.entry_id) == (True, "semantic", ANSWER, stored.entry_id)
    assert found.similarity is not None and 0.95 <= found.similarity < 1
    assert found.matched_prompt == REFUND
