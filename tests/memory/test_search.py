"""What recall does when something is missing, changed, hostile or large; and what the database holds by itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from memory.asking import SCHEMA, Agent, Places, process
from memory.writing import NoModel
from tenantscope_core.embeddings import Embedder, Purpose
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.postgres import PostgresStore

AVOID = "The family avoids Blue Falcon Air."
PARAPHRASE = "Which carrier would they never fly with?"
HOSTILE = (
    "'", "''", "\\", "\\'", "a' | 'b", "!", "&", "|", "()", ":*", "a:*", "<->", "a & !b", "'; DROP TABLE record; --",
    "%", "%s", "%(tenant)s", "$1", "{", "\x00", "\ud7ff", "e'\\x'", "http://a.example/?q=1&r='2'", "::tsquery", "-1",
    "\u202e",
)  # fmt: skip


@dataclass
class Slow:
    """A model that may take its time, under a tag of its own."""

    inner: Embedder
    tag: str = "other-model"
    stuck: bool = False
    asked: list[int] = field(default_factory=list[int])
    asymmetric: bool = False
    dimensions: int = 384

    async def embed(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> list[list[float]]:
        self.asked.append(len(texts))
        if self.stuck:
            await asyncio.Event().wait()
        return await self.inner.embed(aws, texts, purpose=purpose)


@pytest.mark.requirement("degrades-by-choice")
async def test_without_a_model_words_still_find_and_the_answer_says_so(places: Places):
    async with process(replace(places, embedder=NoModel())) as sources:
        agent = Agent(sources)
        kept = await agent.ask("remember", text=AVOID)
        assert not kept["compared"]
        said = await agent.say("trip", "No Blue Falcon, please")
        assert said["searchable_by"] == "words"
        answer = await agent.ask("recall", query="blue falcon")
        assert len(answer["memories"]) == 2
        assert answer["searched"]["by"] == ["words"]
        assert any(gap.startswith("meaning") for gap in answer["searched"]["not_searched"])


async def test_what_was_written_without_a_model_is_found_by_meaning_once_there_is_one(places: Places):
    async with process(replace(places, embedder=NoModel())) as without, process(places) as with_model:
        agent = Agent(without)
        await agent.ask("remember", text=AVOID)
        await agent.ask("remember", text="Eats no peanuts.")
        await agent.say("trip", "hello", "good morning")
        assert await agent.found(PARAPHRASE) == []
        assert (await Agent(with_model).found(PARAPHRASE))[0] == AVOID


async def test_a_model_that_hangs_is_given_up_in_time_and_nothing_is_lost(places: Places):
    model = Slow(places.embedder)
    async with process(places, embedder=model, wait_seconds=0.05) as sources:
        agent = Agent(sources)
        await agent.ask("remember", text="Eats no peanuts.")
        model.stuck = True
        async with asyncio.timeout(5):
            assert not (await agent.ask("remember", text=AVOID))["compared"]
            answer = await agent.ask("recall", query=PARAPHRASE)
        assert answer["searched"]["by"] == ["words"]


async def test_vectors_of_two_models_are_never_compared_and_a_new_model_takes_over_in_bounded_steps(
    places: Places, superuser: psycopg.Connection
):
    async with process(places) as old:
        for start in range(0, 150, 50):
            await Agent(old).say("trip", *(f"number {start + number}" for number in range(50)))
        await Agent(old).ask("remember", text=AVOID)
    model = Slow(places.embedder)
    async with process(places, embedder=model) as new:
        agent = Agent(new)
        first = await agent.ask("recall", query=PARAPHRASE)
        assert max(model.asked) == 64
        assert any("87 texts" in gap for gap in first["searched"]["not_searched"])
        await agent.ask("recall", query=PARAPHRASE)
        last = await agent.ask("recall", query=PARAPHRASE)
        assert last["searched"]["not_searched"] == []
        assert last["memories"][0]["text"] == AVOID
    rows = superuser.execute(f"SELECT DISTINCT embedder FROM {SCHEMA}.passage").fetchall()
    assert rows == [("other-model",)]


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(text=st.text(min_size=1, max_size=60) | st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=4).map(" ".join))
@example(text="'; DROP TABLE record; --")
@example(text=" ".join(HOSTILE))
async def test_whatever_is_asked_is_words_and_never_syntax(places: Places, text: str):
    async with process(replace(places, embedder=NoModel())) as sources:
        agent = Agent(sources)
        await agent.ask("remember", text="peanut allergy " + text[:500], namespace="n", subject="x" + text[:50])
        answer = await agent.ask("recall", query=text, namespace="n")
        assert set(answer["searched"]["by"]) <= {"words", "recency and importance"}
        everything = await agent.ask("recall", query="peanut " + text, limit=30)
        assert everything["memories"]


@pytest.mark.parametrize(
    "hostile", ["x' OR '1'='1", "a\n", "*", "%", "../acme", "ä", "a b", "x" * 129, "", "{acme}", "#"]
)
async def test_names_of_another_form_are_refused_by_the_parameters_name(agent: Agent, hostile: str):
    event = {"role": "user", "text": "x", "key": "k"}
    for parameter, tool, arguments in [
        ("session", "add_events", {"events": [event]}),
        ("session", "get_conversation", {}),
        ("branch", "get_conversation", {"session": "s"}),
        ("actor", "recall", {}),
        ("actor", "remember", {"text": "x"}),
        ("namespace", "recall", {}),
    ]:
        with pytest.raises(InvalidArgument) as refused:
            await agent.ask(tool, **{**arguments, parameter: hostile})
        assert refused.value.parameter == parameter
        assert not hostile or len(hostile) < 3 or hostile not in refused.value.sentence


async def test_a_long_text_is_shown_in_part_and_says_how_long_it_is(agent: Agent):
    await agent.say("trip", "peanuts " + "and more words " * 900, "fine")
    for most in (100, 5_000):
        best = (await agent.ask("recall", query="peanuts", max_tokens=most))["memories"][0]
        assert best["characters"] == len("peanuts " + "and more words " * 900)
        assert len(best["text"]) < best["characters"]


async def test_answers_stay_within_their_budget_and_bounds(places: Places):
    async with process(replace(places, embedder=NoModel())) as sources:
        agent = Agent(sources)
        for number in range(40):
            await agent.ask("remember", text=f"{number} peanuts " + '"\\' * 900)
        for most in (300, 1_500, 5_000):
            answer = await agent.ask("recall", query="peanuts", limit=30, max_tokens=most)  # over 25 KB raises
            assert answer["tokens"] <= most
            assert answer["truncated"]
            assert answer["searched"]["candidates"] == 40


@pytest.mark.requirement("database-holds-alone")
async def test_around_our_own_filter_the_database_shows_a_tenant_its_own_rows_alone(places: Places, agent: Agent):
    await agent.say("trip", "ours", branch="main")
    await agent.ask("remember", text="Ours.", subject="s", sources=["trip#1"])
    await agent.ask("remember", text="Ours, newer.", subject="s")
    tables = ("session", "branch", "event", "record", "supersession", "record_source", "passage")
    async with PostgresStore(places.dsn, schema=SCHEMA) as store:
        for table in tables:
            query = f"SELECT tenant_id FROM {table}"
            assert await store.fetch("acme", query), table  # pyright: ignore[reportArgumentType]
            assert await store.fetch("globex", query) == [], table  # pyright: ignore[reportArgumentType]
        for part in range(16):
            query = f"SELECT tenant_id FROM passage_{part}"
            assert await store.fetch("globex", query) == [], part  # pyright: ignore[reportArgumentType]


@pytest.mark.requirement("filter-holds-alone")
async def test_around_row_level_security_our_own_filter_still_asks_for_one_tenant(
    places: Places, agent: Agent, superuser: psycopg.Connection
):
    """On a login that sees all rows, as if the policies were gone, each tool still answers of its own tenant only."""
    other = agent.as_(tenant="globex")
    for one, text in ((agent, "ours"), (other, "theirs")):
        await one.say("trip", text)
        await one.ask("remember", text=f"peanuts {text}", subject="s")
    superuser.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO tenantscope_app")
    tables = ("session", "branch", "event", "record", "supersession", "record_source", "passage")
    for table in tables:
        superuser.execute(f"ALTER TABLE {SCHEMA}.{table} DISABLE ROW LEVEL SECURITY".encode())
    try:  # the agents' processes have proved their database safe before
        assert await agent.texts("trip") == ["ours"]
        assert await other.texts("trip") == ["theirs"]
        answer = await other.ask("recall", query="peanuts ours theirs")
        assert {memory["text"] for memory in answer["memories"]} == {"theirs", "peanuts theirs"}
        assert answer["searched"]["candidates"] == 2
        assert answer["searched"]["matches_in_words"] == 1, "theirs is too common a word to be one"
        assert (await other.say("trip", "more"))["seqs"] == [2]
        superseding = await other.ask("remember", text="peanuts newer", subject="s")
        assert [one["text"] for one in superseding["supersedes"]] == ["peanuts theirs"]
        assert set(await agent.found("peanuts")) == {"peanuts ours", "ours"}
    finally:
        for table in tables:
            superuser.execute(f"ALTER TABLE {SCHEMA}.{table} ENABLE ROW LEVEL SECURITY".encode())
