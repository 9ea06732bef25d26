"""The story, over MCP: one bot's answer serves the next question like it, and no other tenant's bot."""

from typing import Any

from catalogue import standing_servers
from fixtures.serving import Served, content_of, environment_of, error_fields, serve
from tenantscope_sandbox import Sandbox

ASKED = "What is the baggage allowance on the night train to Vienna?"
ASKED_AGAIN = "What's the baggage allowance on the night train to Vienna?"
ANSWER = "Two large pieces and one piece of hand baggage each."
(SERVER,) = [one for one in standing_servers() if one.spec.name == "semantic-cache"]


async def call(served: Served, token: str, tool: str, **arguments: Any) -> dict[str, Any]:
    async with served.client(token) as client:
        return content_of(await client.call_tool(tool, arguments))


async def test_an_answer_is_paid_for_once(small_company: Sandbox):
    async with serve(SERVER.spec, environment_of(SERVER, small_company), small_company) as served:
        scope = {"model": "anthropic.claude-sonnet-4-5", "system": "You help travellers.", "locale": "en-GB"}
        bot = served.token("acme", subject="bot@acme", claims={"act": {"sub": "travel-agent"}})
        colleague, stranger = served.token("acme", subject="eve@acme"), served.token("globex", subject="bot@acme")

        missed = await call(served, bot, "lookup_answer", prompt=ASKED, **scope)
        assert (missed["hit"], missed["tier"]) == (False, "none")
        stored = await call(
            served, bot, "store_answer", prompt=ASKED, answer=ANSWER, shared=True, ttl_seconds=3_600, tokens_in=900,
            tokens_out=60, cost="0.0036", currency="USD", latency_ms=1_800, **scope,
        )  # fmt: skip
        assert (stored["outcome"], stored["semantic"]) == ("stored", "embedded")

        found = await call(served, colleague, "lookup_answer", prompt=ASKED_AGAIN, **scope)
        assert (found["tier"], found["answer"], found["entry_id"]) == ("semantic", ANSWER, stored["entry_id"])
        assert found["matched_prompt"] == ASKED
        assert found["source"] == {"subject": "bot@acme", "agent": "travel-agent", "shared": True}
        assert found["saved"]["cost"] == "0.0036"
        exact = await call(served, bot, "lookup_answer", prompt=ASKED, **scope)
        assert (exact["tier"], exact["answer"]) == ("exact", ANSWER)

        for prompt in (ASKED, ASKED_AGAIN):
            assert not (await call(served, stranger, "lookup_answer", prompt=prompt, **scope))["hit"]

        stats = await call(served, served.token(None), "get_cache_stats", tenant_id="acme")
        (row,) = [one for one in stats["by_model"] if one["model"] == scope["model"]]
        assert (row["lookups"], row["exact_hits"], row["semantic_hits"]) == (3, 1, 1)
        assert row["money"] == [{"currency": "USD", "amount": "0.0072"}]
        async with served.client(served.token(None)) as client:
            fields = error_fields(await client.call_tool("get_cache_stats", {}))
        assert fields["parameter"] == "tenant_id"
