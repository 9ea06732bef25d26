"""The ledger that several replicas share: one atomic script to enter, one command to leave, by Valkey's own clock."""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from tenantscope_core.admission.ledger import SLOT_RETRY_SECONDS, Bound, Refusal
from tenantscope_core.admission.limits import Limits

# KEYS: bucket (hash of tokens and time), leases (sorted set, scored by when each ends). Both carry the caller in
# braces, so that a cluster keeps them on one node. Times are milliseconds. Answers {0, 0} or {bound, wait}.
_ENTER = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local rate, burst, concurrent, lease_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(kept[1]) or burst
local passed = math.max(0, now - (tonumber(kept[2]) or now))
tokens = math.min(burst, tokens + passed * rate)
if tokens < 1 - 1e-6 then
  return {1, math.ceil((1 - tokens) / rate)}
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= concurrent then
  local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  return {2, math.max(1, tonumber(first[2]) - now)}
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - 1), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate) + 1000)
redis.call('ZADD', KEYS[2], now + lease_ms, ARGV[5])
redis.call('PEXPIRE', KEYS[2], lease_ms + 1000)
return {0, 0}
"""

_BOUNDS = {1: Bound.RATE, 2: Bound.CONCURRENCY}


class ScriptClient(Protocol):
    """What is asked of a Valkey client (`valkey.asyncio.Valkey` or its cluster's)."""

    def register_script(self, script: str) -> Any:
        """A script that is loaded once and called by its digest."""
        ...

    def zrem(self, name: str, *values: str) -> Any:
        """Take members out of a sorted set."""
        ...


class _Script(Protocol):
    def __call__(self, *, keys: Sequence[str], args: Sequence[str | int | float]) -> Awaitable[Any]: ...


class ValkeyLedger:
    """Counts calls in Valkey. A slot comes back by itself `lease_seconds` after it was taken, if its replica died.

    It waits for as long as the client does: whoever asks bounds that, as `FallbackLedger` does.
    """

    def __init__(self, client: ScriptClient, *, lease_seconds: float = 120.0) -> None:
        self._lease_ms = round(lease_seconds * 1000)
        self._enter: _Script = client.register_script(_ENTER)
        self._client = client

    async def enter(self, caller_key: str, limits: Limits, lease: str) -> Refusal | None:
        """Take one token and one slot."""
        arguments = [limits.per_minute / 60_000, limits.burst, limits.concurrent, self._lease_ms, lease]
        bound, wait_ms = await self._enter(keys=[_bucket(caller_key), _leases(caller_key)], args=arguments)
        if bound == 0:
            return None
        longest = SLOT_RETRY_SECONDS if _BOUNDS[bound] is Bound.CONCURRENCY else float("inf")
        return Refusal(_BOUNDS[bound], min(longest, wait_ms / 1000))

    async def leave(self, caller_key: str, lease: str) -> None:
        """Give the slot back."""
        await self._client.zrem(_leases(caller_key), lease)


def _bucket(caller_key: str) -> str:
    return f"ts:{{{caller_key}}}:admission:bucket"


def _leases(caller_key: str) -> str:
    return f"ts:{{{caller_key}}}:admission:leases"
