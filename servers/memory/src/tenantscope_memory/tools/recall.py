"""`recall`."""

from typing import Annotated, Literal

from pydantic import Field
from tenantscope_core.results.times import Time
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_memory.actors import actor_of
from tenantscope_memory.models import TIME_FORM, Actor, Namespace, Recalled
from tenantscope_memory.recollection import shown
from tenantscope_memory.sources.open import Sources
from tenantscope_memory.sources.recall import asked_scope, recalled


@tool(shown_to=ShownTo.TENANT, scopes={"memory:read"}, effects=READ)
async def recall(
    call: Call[Sources],
    query: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1_000,
            description="A question or words; left out, the most important and newest.",
        ),
    ] = None,
    actor: Actor = None,
    namespace: Annotated[Namespace | None, Field(description="Only records of this one; no turns.")] = None,
    kinds: Annotated[
        list[Literal["turn", "fact", "preference", "episode", "procedure"]] | None,
        Field(min_length=1, max_length=5, description="Only these; turns are of sessions."),
    ] = None,
    since: Annotated[Time | None, Field(description=f"Only what was said or begun since; {TIME_FORM}.")] = None,
    as_of: Annotated[
        Time | None, Field(description=f"What held, or had been said, at that time; default now; {TIME_FORM}.")
    ] = None,
    known_at: Annotated[
        Time | None, Field(description=f"Only what had been written by that time; {TIME_FORM}.")
    ] = None,
    limit: Annotated[int, Field(ge=1, le=30, description="Most to show.")] = 8,
    max_tokens: Annotated[int, Field(ge=100, le=5_000, description="Room, at about 4 bytes a token.")] = 1_500,
) -> Recalled:
    """Find what is known of an actor: records, what all actors share, and turns of its sessions.

    Ranks by meaning, words, recency and importance together; finds paraphrases. Says what it did not search.
    """
    sources = call.sources
    owner = actor_of(actor, subject=call.caller.subject, pinned=sources.pinned)
    scope = asked_scope(
        call.one_tenant, owner, kinds=kinds, namespace=namespace, since=since, as_of=as_of, known_at=known_at,
        now=call.now,
    )  # fmt: skip
    found = await recalled(sources.search, sources.embedding, call.aws, scope, query, limit=limit, now=call.now)
    return shown(found, max_tokens=max_tokens)
