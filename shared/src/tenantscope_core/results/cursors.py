"""Opaque page cursors, valid only for the caller, tool and question they were given to."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenantscope_core.results.errors import InvalidCursor

_MAC_BYTES = 16
_MAX_CURSOR_CHARS = 2_048


@dataclass(frozen=True, slots=True)
class CursorKey:
    """The secret that signs cursors; replicas share it, a lone process may make a random one."""

    secret: bytes

    def bind(self, *, server: str, tool: str, tenant: str | None, subject: str) -> "Cursors":
        """Cursors for one caller of one tool."""
        return Cursors(self.secret, (server, tool, tenant, subject))


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one caller for one tool."""

    secret: bytes
    owner: tuple[str, str, str | None, str]

    def write(self, position: Mapping[str, Any], *, question: Mapping[str, Any]) -> str:
        """A cursor for `position` (JSON values) within `question` (the arguments that shape the list)."""
        body = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
        return base64.urlsafe_b64encode(self._mac(body, question) + body).decode().rstrip("=")

    def read(self, cursor: str, *, question: Mapping[str, Any]) -> dict[str, Any]:
        """The position in a cursor.

        Raises:
            InvalidCursor: It is damaged, another caller's, another tool's, or another question's.
        """
        if len(cursor) > _MAX_CURSOR_CHARS:
            raise InvalidCursor
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise InvalidCursor from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body, question)):
            raise InvalidCursor
        return dict(json.loads(body))

    def start(self, cursor: str | None, *, question: Mapping[str, Any], version: Sequence[str]) -> int:
        """Where the page begins that a caller asks for; 0 without a cursor.

        Raises:
            InvalidCursor: As `read`, or the list was made from another `version` of its data, and its order may differ.
        """
        if cursor is None:
            return 0
        position = self.read(cursor, question=question)
        if position["version"] != _digest(version):
            raise InvalidCursor
        return int(position["start"])

    def following(self, start: int, *, question: Mapping[str, Any], version: Sequence[str]) -> str:
        """The cursor of the page that begins at `start`."""
        return self.write({"start": start, "version": _digest(version)}, question=question)

    def _mac(self, body: bytes, question: Mapping[str, Any]) -> bytes:
        asked = json.dumps(question, separators=(",", ":"), sort_keys=True, default=str).encode()
        owner = json.dumps(self.owner, separators=(",", ":")).encode()
        parts = b"".join(len(part).to_bytes(4, "big") + part for part in (owner, asked, body))
        return hmac.new(self.secret, parts, hashlib.sha256).digest()[:_MAC_BYTES]


def _digest(version: Sequence[str]) -> str:
    """Short, however many parts there are: a cursor has a longest length."""
    return hashlib.sha256(json.dumps(list(version)).encode()).hexdigest()[:16]
