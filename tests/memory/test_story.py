"""One family's airline, told to one process and asked of another, over the protocol and with real tokens."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from fixtures.serving import SERVERS, call_of, content_of, environment_of, error_fields, on_stdio, serve
from mcp import Client
from tenantscope_memory.events import MAX_BATCH_BYTES
from tenantscope_sandbox import Sandbox

(MEMORY,) = [server for server in SERVERS if server.spec.name == "memory"]
FAMILY = "family-7"


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return content_of(await client.call_tool(tool, {"actor": FAMILY, **arguments}))


async def test_what_one_process_is_told_another_knows_in_a_later_session_and_another_tenant_never(
    small_company: Sandbox, tmp_path: Path
):
    def environment(tenant: str) -> dict[str, str]:
        return {**environment_of(MEMORY, small_company), **small_company.server_env("memory", tenant, tier="growth")}

    async with AsyncExitStack() as stack:
        first, second, stranger = [
            await stack.enter_async_context(on_stdio(MEMORY, environment(tenant), tmp_path / f"{number}.log"))
            for number, tenant in enumerate(["acme", "acme", "globex"])
        ]
        said = [
            {"role": "user", "text": "They lost both suitcases. We never fly with Blue Falcon again.", "key": "1"},
            {"role": "assistant", "text": "I leave them out from now on.", "key": "2"},
        ]
        added = await ask(first, "add_events", session="spring", events=said)
        airline = {"kind": "preference", "subject": "airline to avoid", "sources": [f"spring#{added['seqs'][0]}"]}
        old = await ask(first, "remember", text="The family avoids Blue Falcon Air.", **airline)
        await ask(second, "add_events", session="autumn", events=[{**said[0], "text": "Where could we go?"}])
        question = "Which carrier must not be booked for them?"
        best = (await ask(second, "recall", query=question))["memories"][0]
        assert (best["text"], best["record_id"]) == ("The family avoids Blue Falcon Air.", old["record_id"])
        new = await ask(second, "remember", text="The family flies Blue Falcon Air again.", **airline)
        assert [one["record_id"] for one in new["supersedes"]] == [old["record_id"]]
        now = await ask(first, "recall", query=question, kinds=["preference"])
        assert [memory["record_id"] for memory in now["memories"]] == [new["record_id"]]
        then = await ask(first, "recall", query=question, kinds=["preference"], as_of=old["valid_from"])
        assert [(memory["record_id"], memory["until"]) for memory in then["memories"]] == [
            (old["record_id"], new["valid_from"])
        ]
        turns = await ask(second, "get_conversation", session="spring")
        assert [event["text"] for event in turns["events"]] == [event["text"] for event in said]
        assert (await ask(stranger, "recall", query=question))["memories"] == []
        assert (await ask(stranger, "get_conversation", session="spring"))["events"] == []


async def test_the_largest_batch_passes_the_door_and_a_larger_one_is_told_to_be_split(small_company: Sandbox):
    async with serve(MEMORY.spec, environment_of(MEMORY, small_company), small_company) as served:
        token = served.token("acme")

        def events(count: int) -> list[dict[str, str]]:
            return [{"role": "system", "text": "é" * 7_700, "key": str(number)} for number in range(count)]

        fits = MAX_BATCH_BYTES // (2 * 7_700 + 200)
        async with served.client(token) as client:
            done = await ask(client, "add_events", session="large", events=events(fits))
            assert done["added"] == fits
            fields = error_fields(
                await client.call_tool("add_events", {"session": "larger", "events": events(fits + 1)})
            )
            assert (fields["code"], fields["parameter"]) == ("invalid_argument", "events")
        refused = await served.post(call_of("add_events", {"session": "s", "events": events(40)}), token)
        assert refused.status_code == 413
