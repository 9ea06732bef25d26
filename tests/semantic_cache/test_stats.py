"""What is counted and what is kept: exactly, within bounds, and once."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import anyio
import pytest
from anyio.to_thread import run_sync
from fixtures.stores import RunningPart
from semantic_cache.asking import COPY_SECONDS, NOW, SAVED, WORK, Parts
from tenantscope_core.results.errors import InvalidArgument, Unavailable
from tenantscope_core.results.periods import Month, Period
from tenantscope_core.stores.postgres import Answer, PostgresStore, Statement
from tenantscope_semantic_cache.sources.counting import LISTED_MODELS, MAX_TENANT_LINES, MAX_WAITING_LINES, Counting
from tenantscope_semantic_cache.usage import Line, one_lookup, wilson_95

PROMPT = "How do I get a refund for my annual plan?"
PARAPHRASE = "How can I get a refund for my annual plan?"
OCTOBER = Period.of_months(Month(2026, 10), Month(2026, 10))
LINE = Line(day=NOW.date(), model="m", outcome="miss", skipped="", currency="")


async def test_every_look_up_is_in_the_numbers_with_what_it_saved(parts: Parts):
    ann = parts.user().within(model="m-1")
    await ann.look_up(PROMPT)
    await ann.store(PROMPT, "Press Refund.", **WORK)
    for _ in range(3):
        await ann.look_up(PROMPT)
    for _ in range(2):
        await ann.look_up(PARAPHRASE)
    await ann.look_up("and for him?")
    stats = await ann.stats()
    assert (stats.of, stats.period) == ("acme", "2026-10")
    assert (stats.lookups, stats.exact_hits, stats.semantic_hits, stats.misses) == (7, 3, 2, 2)
    assert [(one.reason, one.lookups) for one in stats.skipped] == [("follow_up", 1)]
    assert stats.hit_percent == 71.4
    interval = wilson_95(5, 7)
    assert interval is not None
    assert stats.hit_percent_95 == [round(100 * bound, 1) for bound in interval]
    assert [(one.currency, one.amount) for one in stats.money_saved] == [("USD", 5 * SAVED)]
    assert (stats.tokens_in_saved, stats.tokens_out_saved, stats.milliseconds_saved) == (6_000, 1_700, 12_000)
    assert [(row.model, row.lookups) for row in stats.by_model] == [("m-1", 7)]
    assert (stats.entries, stats.shared_entries) == (1, 0)
    assert 1_500 < stats.bytes < 1_800, "a prompt, an answer, and a vector of 384 numbers"


async def test_counts_of_many_callers_on_two_processes_are_exact(parts: Parts):
    sources = [parts.sources(), parts.sources()]
    await parts.user(sources=sources[0]).store(PROMPT, "x", **WORK)
    tenants = ("acme", "globex")

    async def ask(tenant: str, which: int) -> None:
        user = parts.user(tenant, sources=sources[which])
        for turn in range(25):
            await user.look_up(PROMPT)
            if turn % 10 == which:
                await sources[which].counting.write_all()

    async with anyio.create_task_group() as group:
        for tenant in tenants:
            for which in (0, 1, 0, 1):
                group.start_soon(ask, tenant, which)
    await sources[1].counting.write_all()
    acme, globex = [await parts.user(tenant, sources=sources[0]).stats() for tenant in tenants]
    assert (acme.lookups, acme.exact_hits) == (100, 100)
    assert acme.money_saved[0].amount == 100 * SAVED
    assert (globex.lookups, globex.exact_hits, globex.money_saved) == (100, 0, [])


class _LosesAnswers:
    """A PostgreSQL whose connection breaks after it has committed, before it says so."""

    def __init__(self, store: PostgresStore, times: int) -> None:
        self._store = store
        self.times = times

    async def run(self, tenant: str, statements: Sequence[Statement], **options: Any) -> list[Answer]:
        answers = await self._store.run(tenant, statements, **options)
        if self.times:
            self.times -= 1
            raise Unavailable("The database does not answer.")
        return answers


async def test_counts_whose_arrival_was_not_told_are_sent_again_and_count_once(parts: Parts):
    flaky = Counting(cast(PostgresStore, _LosesAnswers(parts.postgres, 2)), clock=parts.clock)
    ann = parts.user(sources=replace(parts.sources(), counting=flaky))
    await ann.look_up(PROMPT)
    with pytest.raises(Unavailable):
        await flaky.write("acme")
    await ann.look_up(PROMPT)
    await flaky.write_all()
    await flaky.write("acme")
    assert (await parts.user().stats()).lookups == 2


@pytest.mark.usefixtures("mended")
async def test_while_postgresql_is_down_counts_wait(parts: Parts, postgres_part: RunningPart):
    sources = parts.sources()
    ann = parts.user(sources=sources)
    await ann.store(PROMPT, "x")
    await run_sync(postgres_part.kill)
    async with sources.counting.written_behind():
        for _ in range(5):
            assert (await ann.look_up(PROMPT)).hit
        await sources.counting.write_all()
        await run_sync(postgres_part.start)
        with anyio.fail_after(15):
            while True:
                try:
                    await parts.postgres.fetch("acme", "SELECT 1")
                    break
                except Unavailable:
                    continue
    assert (await parts.user().stats()).exact_hits == 5, "written when the server stops"


async def test_a_tenant_that_names_ever_new_models_is_counted_whole_and_leaves_room_for_others(parts: Parts):
    counting = parts.sources().counting
    asked = MAX_WAITING_LINES + 1_000
    for number in range(asked):
        counting.count("acme", replace(LINE, model=f"m-{number}"), one_lookup(None))
    counting.count("globex", LINE, one_lookup(None))
    for tenant, lookups, models in (("acme", asked, MAX_TENANT_LINES + 1), ("globex", 1, 1)):
        await counting.write(tenant)
        lines, model_count = await counting.sums(tenant, OCTOBER)
        assert (sum(line.sums.lookups for line in lines), model_count) == (lookups, models)


async def test_models_beyond_those_listed_are_one_row_and_all_sum_to_the_totals(parts: Parts):
    sources = parts.sources()
    for number in range(LISTED_MODELS + 4):
        user = parts.user(sources=sources).within(model=f"model {number}", tools="x")
        await user.store(PROMPT, "x", cost=f"0.00000000{number % 9 + 1}", currency="USD")
        for _ in range(number % 3 + 1):
            await user.look_up(PROMPT)
    stats = await parts.user(sources=sources).stats()
    assert stats.other is not None
    assert (len(stats.by_model), stats.other.models) == (LISTED_MODELS, 4)
    assert (stats.model_count, stats.truncated) == (LISTED_MODELS + 4, True)
    rows = [*stats.by_model, stats.other]
    assert sum(row.lookups for row in rows) == stats.lookups == 24
    assert sum((row.money[0].amount for row in rows), Decimal(0)) == stats.money_saved[0].amount


async def test_a_period_is_of_whole_days_and_before_anything_is_counted_there_is_no_rate(parts: Parts):
    ann = parts.user()
    nothing = await ann.stats()
    assert (nothing.period, nothing.lookups, nothing.hit_percent, nothing.hit_percent_95) == ("2026-10", 0, None, None)
    await ann.look_up(PROMPT)
    parts.clock.advance(40 * 86_400)
    assert (await ann.stats()).period == "2026-10"
    await ann.look_up(PROMPT)
    assert (await ann.stats()).period == "2026-11"
    assert (await ann.stats("2026-10..2026-11")).lookups == 2
    assert (await ann.stats("2026-10-06..2026-10-31")).lookups == 0
    with pytest.raises(InvalidArgument) as refused:
        await ann.stats("last week")
    assert refused.value.parameter == "period"


async def test_a_tenant_keeps_no_more_than_it_may_and_what_expires_first_goes_first(parts: Parts):
    ann = parts.user(most=20).within(tools="none compared")
    for number in range(20):
        await ann.store(f"question number {number}", "the same", ttl_seconds=3_600 - number)
    parts.clock.advance(COPY_SECONDS)
    await ann.look_up("question number 19")
    for number in range(20, 25):
        await ann.store(f"question number {number}", f"{number}")
    kept = await parts.postgres.fetch("acme", "SELECT prompt FROM entry")
    expected = {*range(14), 19, *range(20, 25)}
    assert {row["prompt"] for row in kept} == {f"question number {number}" for number in expected}
    await _adds_up(parts)
    await parts.user("globex", most=1).store(PROMPT, "x")
    assert len(await parts.postgres.fetch("acme", "SELECT prompt FROM entry")) == 20


async def test_what_expired_is_cleared_away_by_later_stores_and_leaves_nothing_behind(parts: Parts):
    ann = parts.user().within(tools="none compared")
    for number in range(30):
        await ann.store(f"question number {number}", f"answer {number % 3}", ttl_seconds=60)
    parts.clock.advance(60)
    await ann.store(PROMPT, "answer 1")
    (answer,) = await parts.postgres.fetch("acme", "SELECT text, uses FROM answer")
    assert (answer["text"], answer["uses"]) == ("answer 1", 1)
    await _adds_up(parts)


async def test_when_many_store_at_once_nothing_is_counted_twice_or_lost(parts: Parts):
    sources = [parts.sources(most=25), parts.sources(most=25)]

    async def store(which: int, subject: str) -> None:
        user = parts.user(subject=subject, sources=sources[which]).within(tools="none compared")
        for number in range(15):
            await user.store(f"question number {number % 7}", f"{number}", shared=number % 2 == 0)

    async with anyio.create_task_group() as group:
        for which, subject in ((0, "ann"), (1, "ann"), (0, "bob"), (1, "eve")):
            group.start_soon(store, which, subject)
    await _adds_up(parts)


async def _adds_up(parts: Parts) -> None:
    """The ledger and the uses of answers are what there is."""
    (ledger,) = await parts.postgres.fetch(
        "acme", "SELECT entries, (SELECT count(*) FROM entry) AS counted FROM ledger"
    )
    assert ledger["entries"] == ledger["counted"]
    wrong = await parts.postgres.fetch(
        "acme",
        "SELECT FROM answer AS a WHERE uses = 0 OR uses <> (SELECT count(*) FROM entry WHERE answer_id = a.answer_id)",
    )
    assert wrong == []
