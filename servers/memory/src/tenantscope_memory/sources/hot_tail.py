"""The newest events of a branch in Valkey: a copy that is used only under the stamp that PostgreSQL has for it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.resting import Resting
from tenantscope_core.stores.valkey import Script, TenantValkey, ValkeyStore

from tenantscope_memory.sources.stored import StoredEvent

NAMESPACE: Final = "memory"
KEPT_EVENTS: Final = 60
KEPT_BYTES: Final = 96 * 1024
KEPT_SECONDS: Final = 3_600

_READ = Script("return {redis.call('GET', KEYS[1]), redis.call('LRANGE', KEYS[2], 0, -1)}")
# ARGV: the stamp that the events follow, the stamp after them, milliseconds to live, events and bytes kept, the events.
# An empty first stamp replaces whatever is there. What does not follow goes: the next reader fills it anew.
_WRITE = Script(
    """
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.call('DEL', KEYS[1], KEYS[2]) end
if ARGV[1] == '' then redis.call('DEL', KEYS[2]) end
for i = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[4]), -1)
local kept, bytes, first = redis.call('LRANGE', KEYS[2], 0, -1), 0, 0
for i = #kept, 1, -1 do
  bytes = bytes + #kept[i]
  if bytes > tonumber(ARGV[5]) then first = i break end
end
if first > 0 then redis.call('LTRIM', KEYS[2], first, -1) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('PEXPIRE', KEYS[2], ARGV[3])
"""
)


@dataclass(frozen=True, slots=True)
class Tail:
    """What Valkey has of a branch: the stamp it had, and its newest events, oldest first."""

    stamp: str
    events: list[StoredEvent]


class HotTails:
    """Tails in Valkey. Without one, or while it is down, there is none to read and nothing is lost by not writing."""

    def __init__(self, valkey: ValkeyStore | None, *, rest_seconds: float = 3.0) -> None:
        self._valkey = valkey
        self._resting = Resting(rest_seconds=rest_seconds)

    async def read(self, tenant: str, actor: str, session: str, branch: str) -> Tail | None:
        """The tail of a branch in one round trip; whether it is current, only PostgreSQL can say."""
        found = await self._run(tenant, _READ, actor, session, branch, ())
        if not found or found[0] is None or not found[1]:
            return None
        return Tail(found[0].decode(), [_decoded(one) for one in found[1]])

    async def append(
        self, tenant: str, actor: str, session: str, branch: str, *, before: str, stamp: str,
        events: Sequence[StoredEvent],
    ) -> None:  # fmt: skip
        """Let committed events follow a tail that stands at the stamp `before`; another tail is dropped."""
        await self._write(tenant, actor, session, branch, before, stamp, events)

    async def fill(
        self, tenant: str, actor: str, session: str, branch: str, *, stamp: str, events: Sequence[StoredEvent]
    ) -> None:
        """Put a tail in place, oldest event first."""
        await self._write(tenant, actor, session, branch, "", stamp, events)

    async def _write(
        self, tenant: str, actor: str, session: str, branch: str, before: str, stamp: str,
        events: Sequence[StoredEvent],
    ) -> None:  # fmt: skip
        words = [_encoded(one) for one in events[-KEPT_EVENTS:]]
        limits = (KEPT_SECONDS * 1_000, KEPT_EVENTS, KEPT_BYTES)
        await self._run(tenant, _WRITE, actor, session, branch, (before, stamp, *limits, *words))

    async def _run(
        self, tenant: str, script: Script, actor: str, session: str, branch: str, arguments: Sequence[str | int]
    ) -> Any:
        if self._valkey is None or not self._resting.may_ask():
            return None
        keys: TenantValkey = self._valkey.tenant(tenant, NAMESPACE)
        name = hashlib.sha256("\0".join((actor, session, branch)).encode()).hexdigest()
        try:
            answer = await keys.run_script(script, [f"tail/{name}/stamp", f"tail/{name}/events"], arguments)
        except Unavailable:
            self._resting.did_not_answer()
            return None
        self._resting.answered()
        return answer


def _encoded(event: StoredEvent) -> str:
    fields = [
        event.seq, event.branch, event.position, event.role, event.name, event.text, event.media_type,
        event.data_bytes, event.size, event.at.isoformat(),
    ]  # fmt: skip
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def _decoded(value: bytes) -> StoredEvent:
    *fields, at = json.loads(value)
    return StoredEvent(*fields, at=datetime.fromisoformat(at))
