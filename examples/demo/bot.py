"""A travel company's bot: it does not pay twice for one answer, and remembers; another company's bot gets neither.

Each block below is a process of its own, as on another machine: what is remembered is in the stores, not in a server.
"""

from decimal import Decimal
from typing import Any

from prepare import say
from speaking import Difference, ask, call, connected, require, text_of
from tenantscope_sandbox import Sandbox

QUESTION = "What is the baggage allowance on flights from Lisbon to Honolulu?"
PARAPHRASE = "What's the baggage allowance for flights from Lisbon to Honolulu?"
OTHER_QUESTION = "What is the baggage allowance on flights from Lisbon to Port-au-Prince?"
ANSWER = "Two bags of 23 kg each and one cabin bag of 8 kg, on every fare but Basic."
SCOPE = {"model": "travel-model-1", "system": "You are Acme Travel's assistant.", "locale": "en-US"}
COST = Decimal("0.0041")
FAMILY = "family-ortega"
AIRLINE = "The family avoids Condor Pacific: they lost their bags twice."


async def answers_once(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """The second asking, in other words, is answered from the cache; another tenant's and another question are not."""
    async with connected(sandbox, "semantic-cache", "acme") as client:
        ask("acme's bot", QUESTION)
        first = await call(client, "lookup_answer", prompt=QUESTION, **SCOPE)
        if not first["hit"]:
            say("  nothing yet, so the model is asked (here: a text), and its answer stored")
        stored = await call(
            client, "store_answer", prompt=QUESTION, answer=ANSWER, **SCOPE, shared=True,
            tokens_in=1_850, tokens_out=42, cost=str(COST), currency="USD", latency_ms=2_300,
        )  # fmt: skip
        say(f"  {stored['outcome']}, served until {stored['expires_at'][:16]}")
    async with connected(sandbox, "semantic-cache", "acme") as client:
        ask("acme's bot", PARAPHRASE)
        second = await call(client, "lookup_answer", prompt=PARAPHRASE, **SCOPE)
        require(second["hit"] and second["tier"] == "semantic", f"the paraphrase missed: {second['semantic']}")
        require(second["answer"] == ANSWER, "the cache gave another answer")
        say(f"  “{second['answer']}”")
        saved = second["saved"]
        say(f"  from the cache, similarity {second['similarity']:.3f}; saved {saved['cost']} {saved['currency']}")

        ask("acme's bot", OTHER_QUESTION)
        third = await call(client, "lookup_answer", prompt=OTHER_QUESTION, **SCOPE)
        require(not third["hit"], "another question got this answer")
        say(f"  not served: {third['semantic']}")
        stats = await call(client, "get_cache_stats")
        money = ", ".join(f"{one['amount']} {one['currency']}" for one in stats["money_saved"])
        say(f"  {stats['exact_hits'] + stats['semantic_hits']} of {stats['lookups']} look-ups hit; saved {money}")
    async with connected(sandbox, "semantic-cache", "globex") as client:
        ask("globex's bot", QUESTION)
        theirs = await call(client, "lookup_answer", prompt=QUESTION, **SCOPE)
        require(not theirs["hit"], "globex got acme's answer")
        say("  nothing: acme's answers are acme's")


async def remembers(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """What the family said in one session is known in the next, to the tenant's own agents alone."""
    async with connected(sandbox, "memory", "acme") as client:
        ask("acme's bot, in May", "The family says which airline it will not fly. Keep that.")
        await call(
            client, "add_events", actor=FAMILY, session="spring-trip",
            events=[
                {"key": "1", "role": "user", "text": "Not Condor Pacific again, please. They lost our bags twice."},
                {"key": "2", "role": "assistant", "text": "Understood, I will leave Condor Pacific out."},
            ],
        )  # fmt: skip
        kept = await call(
            client, "remember", actor=FAMILY, kind="preference", subject="airlines to avoid", text=AIRLINE,
            sources=["spring-trip#1"],
        )  # fmt: skip
        say(f"  kept as {kept['record_id']}")
    async with connected(sandbox, "memory", "acme") as client:
        ask("acme's bot, in autumn, on another machine", "Which carriers should I not book for them?")
        found = await call(client, "recall", actor=FAMILY, query="Which carriers should I not book for them?")
        require(AIRLINE in [memory["text"] for memory in found["memories"]], "the preference was not recalled")
        for memory in found["memories"]:
            say(f"  {memory['kind']}: {memory['text']}")
        told = await call(client, "get_conversation", actor=FAMILY, session="spring-trip")
        say(f"  and the session itself, {len(told['events'])} events in order")
    async with connected(sandbox, "memory", "globex") as client:
        ask("globex's bot", "And what do you know of that family?")
        theirs = await call(client, "recall", actor=FAMILY, query="Which carriers should I not book for them?")
        require(theirs["memories"] == [], "globex recalled acme's memory")
        refused = await client.call_tool("recall", {"actor": FAMILY, "query": "airlines", "tenant_id": "acme"})
        if not refused.is_error:
            raise Difference("the server let globex name acme")
        say(f"  nothing; and naming acme: {text_of(refused)}")
