"""What tools say of themselves in annotations, held against what their calls leave in the stores."""

import pytest
from catalogue import StandingServer
from contract.calls import audiences, working_arguments
from fixtures.serving import Served, answer_of, call_of
from fixtures.store_contents import Contents, contents, writes
from tenantscope_core.identity.caller import Audience
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("truthful-annotations")

COPIES = (":embeddings:",)
"""Parts of Valkey's keys under which lies what could be made again from what is kept elsewhere or from the question."""
NOTES_OF_COPIES = ("copied_until",)
"""Columns that say until when a copy may be trusted."""
COUNTS = {"semantic_cache.usage_day", "semantic_cache.counted_batch"}
"""How often was asked: every call is counted, whatever it does."""


def changed(before: Contents, after: Contents) -> set[str]:
    names = {name for name in before | after if before.get(name) != after.get(name)} - COUNTS
    return {name for name in names if not any(part in name for part in COPIES)}


def present(sandbox: Sandbox) -> Contents:
    return contents(sandbox, besides=NOTES_OF_COPIES)


@pytest.mark.parametrize("audience", Audience)
async def test_a_tool_that_says_it_only_reads_leaves_every_store_as_it_was(
    server: StandingServer, served: Served, small_company: Sandbox, audience: Audience
):
    """After all the others were called, so that there is something to read."""
    token = served.token("acme" if audience is Audience.TENANT else None)
    ask = served.asking(token)
    for tool in sorted(audiences(server.spec, audience), key=lambda tool: tool.effects.read_only):
        given = await working_arguments(server.spec, tool, audience, ask)
        before, mark = present(small_company), small_company.emulator.mark()
        await ask(tool.name, given)
        if tool.effects.read_only:
            assert changed(before, present(small_company)) == set(), tool.name
            assert writes(small_company, mark) == [], tool.name


@pytest.mark.parametrize("audience", Audience)
async def test_a_tool_that_says_it_may_be_repeated_adds_nothing_the_second_time(
    server: StandingServer, served: Served, small_company: Sandbox, audience: Audience
):
    """The same rows and keys stand afterwards, whether the second call says that it did nothing or is refused."""
    token = served.token("acme" if audience is Audience.TENANT else None)
    for tool in audiences(server.spec, audience):
        if tool.effects.idempotent and not tool.effects.read_only:
            given = await working_arguments(server.spec, tool, audience, served.asking(token))
            await served.asking(token)(tool.name, given)
            before = present(small_company)
            answer_of(await served.post(call_of(tool.name, given), token))
            after = present(small_company)
            assert {name: rows for name, (rows, _) in after.items()} == {
                name: rows for name, (rows, _) in before.items()
            }
