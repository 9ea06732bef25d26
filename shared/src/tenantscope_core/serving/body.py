"""The body of a request: read within bounds, told apart from what is no single message, and handed on unread."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

MAX_BODY_BYTES = 256 * 1024
MAX_ANONYMOUS_BODY_BYTES = 16 * 1024  # listing tools and shaking hands need a fraction of it
READ_WITHIN_SECONDS = 10.0


class BadBody(Exception):
    """A body that is not read or not understood; `status` is HTTP's, `code` JSON-RPC's."""

    def __init__(self, status: int, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Asked:
    """One message: its method, the tool it calls if it calls one, and the bytes that say so."""

    method: str = ""
    tool: str = ""
    body: bytes = field(default=b"", repr=False)


async def read_message(receive: Receive, *, max_bytes: int) -> Asked:
    """The message in a request; an empty one where the request has no body.

    Raises:
        BadBody: It is too large, too slow, no JSON, or no single request or notification.
        ClientDisconnect: The client left.
    """
    chunks: list[bytes] = []
    size, is_more = 0, True
    try:
        async with asyncio.timeout(READ_WITHIN_SECONDS):
            while is_more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk, is_more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size > max_bytes:
                    raise BadBody(413, -32600, f"A request may have {max_bytes:,} bytes at most.")
                chunks.append(chunk)
    except TimeoutError:
        raise BadBody(408, -32600, f"The request did not arrive within {READ_WITHIN_SECONDS:.0f} s.") from None
    return _understood(b"".join(chunks))


def _understood(body: bytes) -> Asked:
    if not body:
        return Asked()
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise BadBody(400, -32700, "The body is not JSON.") from None
    if not isinstance(message, dict) or not isinstance(cast(dict[str, object], message).get("method"), str):
        raise BadBody(400, -32600, "The body must be one JSON-RPC request or notification; batches are not served.")
    fields = cast(dict[str, object], message)
    method, params = cast(str, fields["method"]), fields.get("params")
    name = cast(dict[str, object], params).get("name") if method == "tools/call" and isinstance(params, dict) else None
    return Asked(method, name if isinstance(name, str) else "", body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more and then waits for the client to leave."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
