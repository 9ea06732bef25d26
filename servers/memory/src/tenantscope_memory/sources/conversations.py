"""Sessions, branches and events in PostgreSQL; a tail of each branch beside it in Valkey."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import anyio
from tenantscope_core.results.errors import Conflict, InvalidArgument, NotFound
from tenantscope_core.stores.postgres import PostgresStore, Statement, TenantTransaction
from tenantscope_core.stores.task_failures import first_of

from tenantscope_memory.branches import MAIN, MAX_BRANCHES, MAX_DEPTH, Branch, depth, lineage
from tenantscope_memory.events import NewEvent, stamp
from tenantscope_memory.sources.embedding import Vectors
from tenantscope_memory.sources.hot_tail import HotTails, Tail
from tenantscope_memory.sources.stored import Appended, Found, StoredEvent

TURN_IMPORTANCE: Final = 0.3

_NEW_SESSION: Final = """
INSERT INTO session (tenant_id, actor, session, began_at, changed_at)
VALUES (%(tenant)s, %(actor)s, %(session)s, %(now)s, %(now)s) ON CONFLICT DO NOTHING
"""
_LOCKED: Final = """
SELECT last_seq FROM session WHERE tenant_id = %(tenant)s AND actor = %(actor)s AND session = %(session)s FOR UPDATE
"""
_BRANCHES: Final = """
SELECT branch, parent, fork_seq, fork_position, tip_position, stamp FROM branch
 WHERE tenant_id = %(tenant)s AND actor = %(actor)s AND session = %(session)s ORDER BY branch
"""
_KNOWN: Final = """
SELECT seq, key, digest FROM event
 WHERE tenant_id = %(tenant)s AND actor = %(actor)s AND session = %(session)s AND key = ANY(%(keys)s)
"""
_FORK: Final = """
SELECT branch, position FROM event
 WHERE tenant_id = %(tenant)s AND actor = %(actor)s AND session = %(session)s AND seq = %(fork_from)s
"""
_GROW: Final = """
INSERT INTO branch (tenant_id, actor, session, branch, parent, fork_seq, fork_position, tip_position, stamp)
VALUES (%(tenant)s, %(actor)s, %(session)s, %(branch)s, %(parent)s, %(fork_seq)s, %(fork_position)s, %(tip)s, %(stamp)s)
ON CONFLICT (tenant_id, actor, session, branch) DO UPDATE
   SET tip_position = EXCLUDED.tip_position, stamp = EXCLUDED.stamp
"""
_COUNT: Final = """
UPDATE session SET last_seq = %(last_seq)s, changed_at = %(now)s
 WHERE tenant_id = %(tenant)s AND actor = %(actor)s AND session = %(session)s
"""
_APPEND: Final = """
INSERT INTO event (tenant_id, actor, session, branch, recorded_at,
                   seq, position, key, digest, role, name, text, media_type, data, size, at)
SELECT %(tenant)s, %(actor)s, %(session)s, %(branch)s, %(now)s, *
  FROM unnest(%(seq)s::bigint[], %(position)s::integer[], %(key)s::text[], %(digest)s::text[], %(role)s::text[],
              %(name)s::text[], %(text)s::text[], %(media_type)s::text[], %(data)s::bytea[], %(size)s::integer[],
              %(at)s::timestamptz[])
"""
_SEARCHABLE: Final = """
INSERT INTO passage (tenant_id, actor, kind, session, branch, recorded_at, importance,
                     seq, position, speaker, at, length, words, embedder, embedding)
SELECT %(tenant)s, %(actor)s, 'turn', %(session)s, %(branch)s, %(now)s, %(importance)s,
       seq, position, speaker, at, length(words), words, CASE WHEN vector IS NOT NULL THEN %(embedder)s END,
       vector::public.vector
  FROM (SELECT turn.*, to_tsvector(%(config)s::regconfig, turn.text) AS words
          FROM unnest(%(seq)s::bigint[], %(position)s::integer[], %(speaker)s::text[], %(text)s::text[],
                      %(at)s::timestamptz[], %(vector)s::text[]) AS turn (seq, position, speaker, text, at, vector)
       ) AS turn
"""
# Events of a lineage's segments, from one end, while the bytes of those before leave room; the first that has none is
# there as well.
_READ: Final = """
WITH piece AS (
    SELECT event.*, CASE WHEN %(with_data)s THEN (COALESCE(length(event.data), 0) + 2) / 3 * 4 ELSE 0 END AS in_base64
      FROM event
      JOIN unnest(%(branches)s::text[], %(after)s::integer[], %(up_to)s::integer[]) AS segment (branch, after, up_to)
        ON event.branch = segment.branch AND event.position > segment.after AND event.position <= segment.up_to
     WHERE event.tenant_id = %(tenant)s AND event.actor = %(actor)s AND event.session = %(session)s
       AND event.position BETWEEN %(first)s AND %(last)s
), measured AS (
    SELECT piece.*, sum(size + in_base64) OVER (ORDER BY position * %(direction)s) - size - in_base64 AS before
      FROM piece
)
SELECT seq, branch, position, role, name, text, media_type, size + in_base64 AS size, at,
       COALESCE(length(data), 0) AS data_bytes, CASE WHEN %(with_data)s THEN data END AS data
  FROM measured WHERE before <= %(room)s ORDER BY position * %(direction)s
"""
MAX_READ: Final = 400
"""Events read at once: more than fit an answer."""


@dataclass(frozen=True, slots=True)
class Where:
    """A session of an actor of a tenant."""

    tenant: str
    actor: str
    session: str

    @property
    def parameters(self) -> dict[str, Any]:
        """As statements take it."""
        return {"tenant": self.tenant, "actor": self.actor, "session": self.session}


_NEW: Final = Branch(MAIN, None, None, 0, 0, "")


class Conversations:
    """Appends events and reads them back. PostgreSQL is the truth; what Valkey has is checked against it each time."""

    def __init__(self, postgres: PostgresStore, hot: HotTails, *, text_config: str) -> None:
        self._postgres = postgres
        self._hot = hot
        self._config = text_config

    async def append(
        self, where: Where, branch: str, events: Sequence[NewEvent], *, fork_from: int | None, vectors: Vectors | None,
        now: datetime,
    ) -> Appended:  # fmt: skip
        """Append what is not there yet, all of it or nothing, and return when it is durable.

        Writers of one session wait for one another, so numbers have no gap and none is given twice.

        Raises:
            NotFound: There is no such branch and no fork is asked for, or no event to fork from.
            Conflict: A key names an event of other content, or the branch was forked from elsewhere.
            InvalidArgument: The session has as many branches, or forks of forks, as it may.
            Unavailable: PostgreSQL does not answer; what was sent may have been stored, and can be sent again.
        """
        asked = {**where.parameters, "now": now, "keys": [event.key for event in events], "fork_from": fork_from}
        async with self._postgres.tenant(where.tenant) as transaction:
            _, locked, branches, known, fork = await transaction.run(
                [Statement(text, asked) for text in (_NEW_SESSION, _LOCKED, _BRANCHES, _KNOWN, _FORK)]
            )
            last_seq = int(locked.rows[0]["last_seq"])
            there = _told_apart(events, known.rows)
            before = _grown(branches.rows, branch, fork.rows, fork_from, new_session=last_seq == 0)
            numbered = list(enumerate((one for one in events if one.key not in there), start=last_seq + 1))
            after = Branch(
                before.name, before.parent, before.fork_seq, before.fork_position,
                before.tip_position + len(numbered), stamp(before.stamp, numbered),
            )  # fmt: skip
            if numbered:
                await self._store(transaction, where, before, after, numbered, vectors, now)
        seqs = there | {event.key: seq for seq, event in numbered}
        if numbered:
            await self._hot.append(
                where.tenant, where.actor, where.session, branch, before=before.stamp, stamp=after.stamp,
                events=_as_stored(numbered, before),
            )  # fmt: skip
        return Appended(seqs, len(numbered), after)

    async def _store(
        self, transaction: TenantTransaction, where: Where, before: Branch, after: Branch,
        numbered: Sequence[tuple[int, NewEvent]], vectors: Vectors | None, now: datetime,
    ) -> None:  # fmt: skip
        seqs = [seq for seq, _ in numbered]
        events = [event for _, event in numbered]
        positions = [before.tip_position + number for number in range(1, len(events) + 1)]
        common = {**where.parameters, "branch": after.name, "now": now}
        grow = {
            **common, "parent": after.parent, "fork_seq": after.fork_seq, "fork_position": after.fork_position,
            "tip": after.tip_position, "stamp": after.stamp, "last_seq": seqs[-1],
        }  # fmt: skip
        columns: dict[str, list[Any]] = {
            name: [getattr(event, name) for event in events]
            for name in ("key", "digest", "role", "name", "text", "media_type", "data", "size", "at")
        }
        searched = [number for number, event in enumerate(events) if event.searched]
        turns: dict[str, list[Any]] = {
            "seq": [seqs[number] for number in searched],
            "position": [positions[number] for number in searched],
            "speaker": [events[number].name or "" for number in searched],
            "text": [events[number].text for number in searched],
            "at": [events[number].at for number in searched],
            "vector": [vectors.literal(events[number].text) if vectors else None for number in searched],
        }
        words = {"importance": TURN_IMPORTANCE, "config": self._config, "embedder": vectors.tag if vectors else None}
        await transaction.run(
            [
                Statement(_GROW, grow),
                Statement(_APPEND, {**common, **columns, "seq": seqs, "position": positions}),
                Statement(_SEARCHABLE, {**common, **turns, **words}),
                Statement(_COUNT, grow),
            ],
            commit=True,
        )

    async def newest(self, where: Where, branch: str, *, room_bytes: int, with_data: bool) -> Found:
        """The newest events of a branch that there is room for and one more, newest first.

        Valkey and PostgreSQL are asked at once; what Valkey has serves if it bears the stamp that PostgreSQL has.

        Raises:
            NotFound: There is no such branch.
            Unavailable: PostgreSQL does not answer.
        """
        tail: Tail | None = None
        branches: dict[str, Branch] = {}

        async def look() -> None:
            nonlocal tail
            tail = await self._hot.read(where.tenant, where.actor, where.session, branch)

        try:
            async with anyio.create_task_group() as group:
                if not with_data:
                    group.start_soon(look)
                branches = await self._branches(where)
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None
        here = _existing(branches, branch)
        if tail is not None and _serves(tail, here, room_bytes):
            return Found(branches, here, tail.events[::-1])
        if here is _NEW:
            return Found(branches, here, [])
        first = max(1, here.tip_position - MAX_READ + 1)
        events = await self._read(where, branches, branch, first, here.tip_position, -1, room_bytes, with_data)
        if not with_data:
            await self._hot.fill(
                where.tenant, where.actor, where.session, branch, stamp=here.stamp, events=events[::-1]
            )
        return Found(branches, here, events)

    async def from_position(
        self, where: Where, branch: str, position: int, *, room_bytes: int, with_data: bool
    ) -> Found:
        """The events of a branch from a position on, oldest first: those that there is room for, and one more.

        Raises:
            NotFound: There is no such branch.
            Unavailable: PostgreSQL does not answer.
        """
        branches = await self._branches(where)
        here = _existing(branches, branch)
        if here is _NEW:
            return Found(branches, here, [])
        last = min(here.tip_position, position + MAX_READ - 1)
        events = await self._read(where, branches, branch, position, last, 1, room_bytes, with_data)
        return Found(branches, here, events)

    async def _branches(self, where: Where) -> dict[str, Branch]:
        rows = await self._postgres.fetch(where.tenant, _BRANCHES, where.parameters)
        return {one.name: one for one in map(_branch, rows)}

    async def _read(
        self, where: Where, branches: Mapping[str, Branch], branch: str, first: int, last: int, direction: int,
        room_bytes: int, with_data: bool,
    ) -> list[StoredEvent]:  # fmt: skip
        segments = lineage(branches, branch)
        parameters = {
            **where.parameters, "first": first, "last": last, "direction": direction, "room": room_bytes,
            "with_data": with_data, "branches": [one.branch for one in segments],
            "after": [one.after for one in segments], "up_to": [one.up_to for one in segments],
        }  # fmt: skip
        return [StoredEvent(**row) for row in await self._postgres.fetch(where.tenant, _READ, parameters)]


def _told_apart(events: Sequence[NewEvent], known: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The numbers of the events that are there already, by key."""
    digests = {event.key: event.digest for event in events}
    for row in known:
        if row["digest"] != digests[row["key"]]:
            raise Conflict(
                f"The key of one of these events names another on this branch already, number {row['seq']}; what was "
                "said stays as it is, so give this one a key of its own.",
                parameter="events",
            )
    return {str(row["key"]): int(row["seq"]) for row in known}


def _grown(
    rows: Sequence[Mapping[str, Any]], name: str, fork: Sequence[Mapping[str, Any]], fork_from: int | None, *,
    new_session: bool,
) -> Branch:  # fmt: skip
    """The branch to append to, as it is now or as it begins."""
    branches = {one.name: one for one in map(_branch, rows)}
    if name in branches:
        if fork_from is not None and branches[name].fork_seq != fork_from:
            raise Conflict(
                "The branch exists and was not forked from that event; leave fork_from out to go on with it, or name a "
                "new branch.",
                parameter="fork_from",
            )
        return branches[name]
    if fork_from is None:
        if name == MAIN:
            return _NEW
        raise NotFound(
            "The session has no branch of that name; say in fork_from which event it forks from.", parameter="branch"
        )
    if new_session or not fork:
        raise NotFound("The session has no event of that number to fork from.", parameter="fork_from")
    if len(branches) >= MAX_BRANCHES:
        raise InvalidArgument(f"A session may have {MAX_BRANCHES} branches; begin a new one.", parameter="branch")
    parent, position = branches[fork[0]["branch"]], int(fork[0]["position"])
    if depth(branches, parent.name) + 1 >= MAX_DEPTH:
        raise InvalidArgument("This is a fork of a fork too often; begin a new session.", parameter="fork_from")
    return Branch(name, parent.name, fork_from, position, position, f"{parent.stamp}/{fork_from}/{name}")


def _existing(branches: Mapping[str, Branch], name: str) -> Branch:
    """A branch; of a session in which nothing was said yet, the empty main one."""
    if name in branches:
        return branches[name]
    if not branches and name == MAIN:
        return _NEW
    raise NotFound("This session has no branch of that name.", parameter="branch")


def _serves(tail: Tail, branch: Branch, room_bytes: int) -> bool:
    """Whether a tail is the branch's newest, and has all that there is room for."""
    first, last = tail.events[0].position, tail.events[-1].position
    whole = first == 1 or sum(event.size for event in tail.events) > room_bytes
    return tail.stamp == branch.stamp and last == branch.tip_position and whole


def _branch(row: Mapping[str, Any]) -> Branch:
    return Branch(
        row["branch"], row["parent"], row["fork_seq"], row["fork_position"], row["tip_position"], row["stamp"]
    )


def _as_stored(numbered: Sequence[tuple[int, NewEvent]], before: Branch) -> list[StoredEvent]:
    return [
        StoredEvent(
            seq, before.name, before.tip_position + number, event.role, event.name, event.text, event.media_type,
            len(event.data or b""), event.size, event.at,
        )
        for number, (seq, event) in enumerate(numbered, start=1)
    ]  # fmt: skip
