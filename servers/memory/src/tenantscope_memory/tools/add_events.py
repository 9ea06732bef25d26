"""`add_events`."""

import base64
import binascii
from typing import Annotated

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_memory.actors import actor_of
from tenantscope_memory.branches import MAIN
from tenantscope_memory.events import Said, prepared
from tenantscope_memory.models import Actor, Branch, EventIn, Events, EventsAdded, Session
from tenantscope_memory.sources.conversations import Where
from tenantscope_memory.sources.open import Sources

APPENDS = Effects(read_only=False, destructive=False, idempotent=True, open_world=False)


@tool(shown_to=ShownTo.TENANT, scopes={"memory:write"}, effects=APPENDS)
async def add_events(
    call: Call[Sources],
    session: Session,
    events: Events,
    actor: Actor = None,
    branch: Branch = MAIN,
    fork_from: Annotated[
        int | None,
        Field(ge=1, description="For a new branch: the seq of the event that it follows."),
    ] = None,
) -> EventsAdded:
    """Append messages, tool results or blobs to a session of an actor, in order; durable when it answers.

    Sent again, events with the same key, or without one the same content and time, count once. A new branch name with
    fork_from tells the session differently from that event on, and keeps what was.
    """
    sources = call.sources
    owner = actor_of(actor, subject=call.caller.subject, pinned=sources.pinned)
    said = [_said(number, event) for number, event in enumerate(events)]
    batch = prepared(said, branch=branch, now=call.now)
    texts = [event.text for event in batch.events if event.searched]
    vectors = await sources.embedding.vectors(call.aws, texts, purpose="document")
    appended = await sources.conversations.append(
        Where(call.one_tenant, owner, session), branch, batch.events, fork_from=fork_from, vectors=vectors, now=call.now
    )
    return EventsAdded(
        session=session,
        branch=branch,
        seqs=[appended.seqs[key] for key in batch.keys],
        added=appended.new,
        already_there=len(events) - appended.new,
        events_on_branch=appended.branch.tip_position,
        replaced_characters=batch.replaced_characters,
        searchable_by="words" if vectors is None else "words and meaning",
    )


def _said(number: int, event: EventIn) -> Said:
    try:
        data = None if event.data is None else base64.b64decode(event.data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument(f"data of events[{number}] is not base64.", parameter="events") from None
    return Said(event.role, event.text, event.key, event.at, event.name, event.media_type, data)
