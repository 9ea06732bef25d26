"""Tokens that were verified a moment ago, so that each is not taken apart anew for every call."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenantscope_core.identity.caller import Caller

if TYPE_CHECKING:
    import jwt

MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Verified:
    """What verification found in a token that holds for as long as its key does, and between its times (Unix time)."""

    caller: Caller
    key_id: str | None
    key: "jwt.PyJWK"
    begins: float
    expires: float


class VerifiedTokens:
    """What is known of tokens, by the SHA-256 of the whole of each; the least recently used make room.

    It says nothing about now: whoever asks still has to look at the key and at the clock.
    """

    def __init__(self, max_entries: int = MAX_REMEMBERED) -> None:
        self._max_entries = max_entries
        self._known: OrderedDict[bytes, Verified] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, token: str) -> Verified | None:
        """What is known of a token."""
        digest = _digest(token)
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
        return known

    def keep(self, token: str, verified: Verified) -> None:
        """Remember a token that has just been verified."""
        digest = _digest(token)
        self._known[digest] = verified
        self._known.move_to_end(digest)
        if len(self._known) > self._max_entries:
            self._known.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
