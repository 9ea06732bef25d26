"""`store_answer`."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_semantic_cache.entries import Entry, Work
from tenantscope_semantic_cache.models import Locale, Model, Part, Stored
from tenantscope_semantic_cache.prompts import MAX_PROMPT_CHARS, bounded_answer
from tenantscope_semantic_cache.scope import Scope
from tenantscope_semantic_cache.shown import shown_stored
from tenantscope_semantic_cache.sources.cache import prompt_of
from tenantscope_semantic_cache.sources.open import Sources

Count = Annotated[int | None, Field(ge=0, le=1_000_000_000)]

REPLACE = Effects(read_only=False, destructive=True, idempotent=True, open_world=False)
"""Another answer to the same prompt takes the place of the one before; the same answer again changes its expiry."""


@tool(shown_to=ShownTo.TENANT, scopes={"cache:write"}, effects=REPLACE)
async def store_answer(
    call: Call[Sources],
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS, description="As for lookup_answer.")],
    answer: Annotated[str, Field(min_length=1, description="The answer, at most 20,000 bytes.", max_length=20_000)],
    model: Annotated[Model, Field(description="As for lookup_answer.")] = None,
    system: Annotated[Part, Field(description="As for lookup_answer.")] = None,
    tools: Annotated[Part, Field(description="As for lookup_answer.")] = None,
    locale: Annotated[Locale, Field(description="As for lookup_answer.")] = None,
    context: Annotated[Part, Field(description="As for lookup_answer.")] = None,
    shared: Annotated[
        bool,
        Field(
            description="Serve it to every user of the tenant; else to this user alone. True only for what any may see."
        ),
    ] = False,
    ttl_seconds: Annotated[
        int | None, Field(ge=1, le=2_592_000, description="How long it may be served; a day if left out.")
    ] = None,
    tokens_in: Annotated[Count, Field(description="Tokens the model read.")] = None,
    tokens_out: Annotated[Count, Field(description="Tokens it wrote.")] = None,
    cost: Annotated[
        str | None, Field(pattern=r"^\d{1,9}(\.\d{1,9})?$", description="What it cost, e.g. '0.0042'; with currency.")
    ] = None,
    currency: Annotated[str | None, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of cost.")] = None,
    latency_ms: Annotated[Count, Field(description="Milliseconds the model took.")] = None,
) -> Stored:
    """Store the answer to a prompt, for look-ups of the same or a similar prompt in the same scope.

    Takes the place of another answer to it and says so. Tokens, cost and latency are what each later hit saves.
    """
    if (cost is None) != (currency is None):
        raise InvalidArgument(
            "cost and currency belong together; give both or neither.",
            parameter="currency" if currency is None else "cost",
        )
    asked = prompt_of(call, prompt, Scope(model, system, tools, locale, context))
    entry = Entry(
        entry_id="",
        version=0,
        answer=bounded_answer(answer),
        model=model or "",
        subject=call.caller.subject,
        agent=call.caller.actors[0] if call.caller.actors else None,
        shared=shared,
        shadowed=False,
        stored_at=call.now,
        expires_at=call.now + timedelta(seconds=ttl_seconds or call.sources.ttl_seconds),
        work=Work(tokens_in, tokens_out, None if cost is None else Decimal(cost), currency, latency_ms),
    )
    return shown_stored(await call.sources.cache.store(asked, entry))
