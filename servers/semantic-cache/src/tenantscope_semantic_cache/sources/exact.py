"""The exact tier: copies of entries in Valkey, found in one round trip."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.resting import Resting

from tenantscope_semantic_cache.entries import Copy, decoded, encoded, version_mark

if TYPE_CHECKING:
    from tenantscope_core.stores.valkey import TenantValkey, ValkeyStore

NAMESPACE = "semantic-cache"
COPY_WITHIN_SECONDS: Final = 1.0
"""How long after its row began to be read a copy may be sent; later, what replaced it may be forgotten by Valkey."""
_MARK = len(version_mark(0))
# A copy never takes the place of a newer one, in whatever order they arrive; and what keeps older ones out stays for
# as long as it was to stay.
_PUT = f"""
if redis.call('GETRANGE', KEYS[1], 0, {_MARK - 1}) <= string.sub(ARGV[1], 1, {_MARK}) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', math.max(tonumber(ARGV[2]), redis.call('PTTL', KEYS[1])))
end
return 1
"""


class ExactTier:
    """Copies of one tenant's entries by fingerprint. Nothing here raises: a Valkey that is down is told by the answer.

    Without a Valkey it is as if there never was a copy.
    """

    def __init__(
        self, store: "ValkeyStore | None", resting: Resting, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._resting = resting
        self._monotonic = monotonic

    @property
    def is_set_up(self) -> bool:
        """Whether there is a Valkey."""
        return self._store is not None

    async def find(self, tenant: str, fingerprints: Sequence[bytes], now: datetime) -> tuple[Copy | None, bool]:
        """The copy of the first of these fingerprints that has one, and whether Valkey answered.

        None where it is shadowed: another one, which goes before it, may be kept and have no copy.
        """
        if self._store is None or not self._resting.may_ask():
            return None, False
        try:
            values = await self._keys(self._store, tenant).get_many([_key(one) for one in fingerprints])
        except Unavailable:
            self._resting.did_not_answer()
            return None, False
        self._resting.answered()
        copies = [None if value is None else decoded(value) for value in values]
        found = next((copy for copy in copies if copy is not None and copy.serves(tenant, now)), None)
        return (None if found is not None and found.entry.shadowed else found), True

    def may_copy(self) -> bool:
        """Whether to make a copy now: not without a Valkey, and not while it does not answer."""
        return self._store is not None and self._resting.may_ask()

    def reading_begins(self) -> float:
        """A moment for `put`, to be taken before the row that is copied is read or written."""
        return self._monotonic()

    def is_late(self, began: float) -> bool:
        """Whether what began to be read then is too old to be copied."""
        return self._monotonic() - began > COPY_WITHIN_SECONDS

    async def put(
        self, copy: Copy, fingerprint: bytes, now: datetime, *, began: float, keeps_out_until: datetime | None = None
    ) -> bool:
        """Keep a copy, unless a newer one is there or it is late. True if from now on none that is older will be found.

        It stays in the way of older ones until `keeps_out_until`, however early it ceases to serve.
        """
        left = min(copy.trusted_until, copy.entry.expires_at) - now
        if left <= timedelta() or self.is_late(began):
            return False
        lasting = left if keeps_out_until is None else max(left, keeps_out_until - now)
        return await self._put(copy.tenant, fingerprint, encoded(copy), lasting)

    async def put_nothing(self, tenant: str, fingerprint: bytes, version: int, lasting: timedelta) -> bool:
        """Keep a mark in the place of a copy, so that none that is older will be found. True if that is so."""
        return await self._put(tenant, fingerprint, version_mark(version).encode(), lasting)

    async def _put(self, tenant: str, fingerprint: bytes, value: bytes, lasting: timedelta) -> bool:
        milliseconds = int(lasting.total_seconds() * 1000)
        if self._store is None or milliseconds <= 0:
            return False
        from tenantscope_core.stores.valkey import Script

        try:
            await self._keys(self._store, tenant).run_script(Script(_PUT), [_key(fingerprint)], [value, milliseconds])
        except Unavailable:
            self._resting.did_not_answer()
            return False
        self._resting.answered()
        return True

    def _keys(self, store: "ValkeyStore", tenant: str) -> "TenantValkey":
        return store.tenant(tenant, NAMESPACE)


def _key(fingerprint: bytes) -> str:
    return f"x/{fingerprint.hex()}"
