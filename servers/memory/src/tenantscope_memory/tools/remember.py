"""`remember`."""

from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.errors import NotPermitted
from tenantscope_core.results.times import Time
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_memory.actors import SHARED, actor_of
from tenantscope_memory.models import TIME_FORM, Actor, Kind, Namespace, OtherRecord, Remembered
from tenantscope_memory.recollection import SHOWN_BYTES
from tenantscope_memory.records import NewRecord, checked, sources_of
from tenantscope_memory.sources.open import Sources
from tenantscope_memory.text import cleaned, excerpt

WRITES = Effects(read_only=False, destructive=False, idempotent=False, open_world=False)
MAX_SOURCES = 20


@tool(shown_to=ShownTo.TENANT, scopes={"memory:write"}, effects=WRITES)
async def remember(
    call: Call[Sources],
    text: Annotated[str, Field(min_length=1, max_length=2_000, description="What to know, in a whole sentence.")],
    kind: Annotated[
        Kind,
        Field(description="What is so, is wanted, happened, or is to be done."),
    ] = "fact",
    subject: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=120,
            description="What it is about, e.g. 'home airport': it supersedes what holds of the same subject, kind and "
            "namespace.",
        ),
    ] = None,
    actor: Actor = None,
    shared: Annotated[bool, Field(description="For all actors instead of one.")] = False,
    namespace: Namespace = "default",
    importance: Annotated[float, Field(ge=0, le=1, description="What it counts in recall.")] = 0.5,
    valid_from: Annotated[Time | None, Field(description=f"Since when it holds, if not now; {TIME_FORM}.")] = None,
    valid_to: Annotated[Time | None, Field(description=f"Until when; {TIME_FORM}.")] = None,
    sources: Annotated[
        list[str] | None, Field(max_length=MAX_SOURCES, description="Events it was made of, as session#seq.")
    ] = None,
    key: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="Names this call: sent again with it, it counts once."),
    ] = None,
) -> Remembered:
    """Write a long-term record about an actor: a fact, preference, episode or procedure. Durable when it answers.

    It takes over from what contradicts it (the same subject), says what that was, and keeps the past. What it nearly
    repeats is listed, not merged. Without a key, what was superseded since takes over
    again when it is sent again.
    """
    own = call.sources
    owner = actor_of(actor, subject=call.caller.subject, pinned=own.pinned)
    if shared and own.pinned:
        raise NotPermitted("Each caller has its own memory here, and writes nothing into the others'.")
    record = checked(
        NewRecord(SHARED if shared else owner, namespace, kind, subject, text, importance, valid_from, valid_to),
        call.now,
    )
    vectors = await own.embedding.vectors(call.aws, [record.text], purpose="document")
    done = await own.records.remember(
        call.one_tenant, owner, record, sources_of(sources or []), vectors,
        key=cleaned(key)[0] if key is not None else None, now=call.now,
    )  # fmt: skip
    others = [one.id for one in done.succession.supersedes]
    similar = []
    if vectors is not None:
        similar = await own.records.similar(call.one_tenant, record, vectors, besides=[done.id, *others], now=call.now)
    later = done.succession.superseded_by
    return Remembered(
        record_id=done.id,
        new=done.new,
        valid_from=done.valid_from,
        supersedes=[_other(one.id, one.text, valid_from=one.valid_from) for one in done.succession.supersedes],
        superseded_by=_other(later.id, later.text, valid_from=later.valid_from) if later else None,
        may_repeat=[_other(one.id, one.text, similarity=round(one.similarity, 3)) for one in similar],
        compared=vectors is not None,
        replaced_characters=cleaned(text)[1],
    )


def _other(id: str, text: str, **more: Any) -> OtherRecord:
    short = excerpt(text, SHOWN_BYTES)
    return OtherRecord(record_id=id, text=short, characters=len(text) if short != text else None, **more)
