"""`get_conversation`."""

import base64
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field
from tenantscope_core.results.errors import InvalidCursor
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_memory.actors import actor_of
from tenantscope_memory.branches import MAIN, fitting
from tenantscope_memory.models import Actor, Blob, Branch, Conversation, EventOut, LeftOut, Session
from tenantscope_memory.sources.conversations import Where
from tenantscope_memory.sources.open import Sources
from tenantscope_memory.sources.stored import Found, StoredEvent
from tenantscope_memory.text import BYTES_PER_TOKEN, tokens

NAMED_BRANCHES = 10
_BRANCH_BYTES, _BLOB_BYTES = 12, 60


@tool(shown_to=ShownTo.TENANT, scopes={"memory:read"}, effects=READ)
async def get_conversation(
    call: Call[Sources],
    session: Session,
    actor: Actor = None,
    branch: Branch = MAIN,
    part: Annotated[
        Literal["last_turns", "whole"],
        Field(description="The newest events that fit, or all from the first on, page by page."),
    ] = "last_turns",
    max_tokens: Annotated[int, Field(ge=50, le=5_500, description="Room, at about 4 bytes a token.")] = 2_000,
    include_blobs: Annotated[bool, Field(description="With the data of blobs.")] = False,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> Conversation:
    """A conversation as it was, in order: the last turns within a token budget, or the whole in pages, on any branch.

    Says how many events it leaves out.
    """
    sources = call.sources
    where = Where(call.one_tenant, actor_of(actor, subject=call.caller.subject, pinned=sources.pinned), session)
    question = {"actor": where.actor, "session": session, "branch": branch}
    room = max_tokens * BYTES_PER_TOKEN
    if cursor is not None and part != "whole":
        raise InvalidCursor
    if part == "whole":
        start = 1 if cursor is None else int(call.cursors.read(cursor, question=question)["position"])
        found = await sources.conversations.from_position(
            where, branch, start, room_bytes=room, with_data=include_blobs
        )
        events = fitting(_as_shown(found.events, branch), room, at_least=1)
    else:
        found = await sources.conversations.newest(where, branch, room_bytes=room, with_data=include_blobs)
        events = fitting(_as_shown(found.events, branch), room)[::-1]
    earlier, later = _around(events, found)
    following = {"position": events[-1].position + 1} if events else None
    more = part == "whole" and later > 0
    others = sorted(name for name in found.branches if name != branch)
    return Conversation(
        session=session,
        branch=branch,
        other_branches=others[:NAMED_BRANCHES],
        other_branch_count=len(others),
        event_count=found.branch.tip_position,
        events=[_event(one, branch) for one in events],
        left_out=LeftOut(earlier=earlier, later=later),
        truncated=bool(later if part == "whole" else earlier),
        tokens=tokens(sum(one.size for one in events)),
        max_tokens=max_tokens,
        next_cursor=call.cursors.write(following, question=question) if more and following else None,
        next=_next(part, earlier, found, events),
    )


def _as_shown(events: list[StoredEvent], branch: str) -> list[StoredEvent]:
    """Events with the size that they have in this answer: with what only some of them show."""
    return [
        replace(
            one,
            size=one.size
            + (len(one.branch) + _BRANCH_BYTES if one.branch != branch else 0)
            + (len(one.media_type or "") + _BLOB_BYTES if one.data_bytes else 0),
        )
        for one in events
    ]


def _around(events: list[StoredEvent], found: Found) -> tuple[int, int]:
    """How many events of the branch lie before and after these."""
    if not events:
        return found.branch.tip_position, 0
    return events[0].position - 1, found.branch.tip_position - events[-1].position


def _event(one: StoredEvent, branch: str) -> EventOut:
    blob = None
    if one.data_bytes:
        encoded = base64.b64encode(one.data).decode() if one.data is not None else None
        blob = Blob(media_type=one.media_type, bytes=one.data_bytes, base64=encoded)
    return EventOut(
        seq=one.seq,
        role=one.role,
        name=one.name,
        at=one.at,
        branch=one.branch if one.branch != branch else None,
        text=one.text,
        blob=blob,
    )


def _next(part: str, earlier: int, found: Found, events: list[StoredEvent]) -> str | None:
    if part == "whole" or not earlier:
        return None
    if not events:
        return f"get_conversation with max_tokens={tokens(found.events[0].size)} for the newest event alone"
    return "get_conversation with part=whole for all from the first on"
