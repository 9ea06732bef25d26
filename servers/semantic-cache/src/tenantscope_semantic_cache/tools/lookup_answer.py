"""`lookup_answer`."""

from typing import Annotated

from pydantic import Field
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_semantic_cache.models import Locale, Lookup, Model, Part
from tenantscope_semantic_cache.prompts import MAX_PROMPT_CHARS
from tenantscope_semantic_cache.scope import Scope
from tenantscope_semantic_cache.shown import shown_lookup
from tenantscope_semantic_cache.sources.cache import prompt_of
from tenantscope_semantic_cache.sources.open import Sources
from tenantscope_semantic_cache.usage import Line, one_lookup


@tool(shown_to=ShownTo.TENANT, scopes={"cache:read"}, effects=READ)
async def lookup_answer(
    call: Call[Sources],
    prompt: Annotated[
        str, Field(min_length=1, max_length=MAX_PROMPT_CHARS, description="The question alone, not the dialogue.")
    ],
    model: Annotated[Model, Field(description="The model that would answer.")] = None,
    system: Annotated[Part, Field(description="Its system prompt, or a digest of it.")] = None,
    tools: Annotated[Part, Field(description="The tools it may call, or a digest of them.")] = None,
    locale: Annotated[Locale, Field(description="Language of the answer, e.g. de-AT.")] = None,
    context: Annotated[
        Part,
        Field(description="What else the answer depends on (passages found, turns before, tool results), or a digest."),
    ] = None,
    min_similarity: Annotated[
        float | None, Field(ge=0, le=1, description="Raises the similarity that a similar prompt needs; never lowers.")
    ] = None,
) -> Lookup:
    """Look up whether a prompt has been answered before, and get the answer without asking a model.

    First the very same prompt, then one that means the same; only among answers stored for the same model, system,
    tools, locale and context: pass them as in store_answer. On a miss, compute the answer and store it.
    """
    asked = prompt_of(call, prompt, Scope(model, system, tools, locale, context))
    threshold = max(call.sources.threshold, min_similarity or 0.0)
    looked = await call.sources.cache.look_up(asked, threshold=threshold)
    entry = looked.entry
    line = Line(
        day=call.now.date(),
        model=model or "",
        outcome=looked.tier or "miss",
        skipped=looked.skipped or "",
        currency=(entry.work.currency or "") if entry else "",
    )
    call.sources.counting.count(call.one_tenant, line, one_lookup(entry.work if entry else None))
    return shown_lookup(looked, now=call.now, threshold=threshold)
