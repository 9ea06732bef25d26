"""The HTTP door: a bearer token for everything but open discovery, and refusals that say why and what is needed."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantscope_core.identity.refusal import CallerRefused, Reason, TokenRefused
from tenantscope_core.identity.verifier import Identity, Verifier
from tenantscope_core.results.errors import InsufficientScope, NotPermitted, ToolFailure, Unavailable
from tenantscope_core.serving.body import (
    MAX_ANONYMOUS_BODY_BYTES,
    MAX_BODY_BYTES,
    Asked,
    BadBody,
    read_message,
    replayed,
)
from tenantscope_core.serving.protocol import IDENTITY
from tenantscope_core.tool.declaration import Tool

log = logging.getLogger(__name__)

OPEN_METHODS = frozenset(
    {
        "initialize", "notifications/initialized", "server/discover", "ping",
        "tools/list", "prompts/list", "resources/list", "resources/templates/list",
    }
)  # fmt: skip
_TENANT_HEADERS = frozenset({b"x-tenant-id", b"x-tenantid", b"tenant-id", b"x-tenantscope-tenant"})
Headers = Iterable[tuple[bytes, bytes]]
"""As ASGI gives them, names in lower case."""


@dataclass(frozen=True, slots=True)
class Door:
    """What the gate needs to know of the server behind it."""

    verifier: Verifier
    tools: Mapping[str, Tool]
    scopes: list[str]
    scope_prefix: str
    provider_scope: str
    metadata_url: str
    open_discovery: bool


class BearerGate:
    """ASGI middleware that lets a request through with a verified identity in its scope, or answers it itself."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope = {key: value for key, value in scope.items() if key != IDENTITY}
        try:
            asked = await self._admit(scope, receive)
        except ClientDisconnect:
            return None
        except BadBody as bad:
            return await _unread(bad)(scope, receive, send)
        except ToolFailure as failure:
            log.warning("refused: %s", failure.sentence, extra={"event": _event(failure)})
            return await self._refusal(failure)(scope, receive, send)
        return await self._app(scope, replayed(asked.body, receive), send)

    async def _admit(self, scope: Scope, receive: Receive) -> Asked:
        """What is asked, the caller's identity left in the scope. The token is looked at before the body is read."""
        door = self._door
        try:
            identity = scope[IDENTITY] = await self._identify(scope["headers"])
        except ToolFailure as failure:
            if not door.open_discovery:
                raise
            asked = await read_message(receive, max_bytes=MAX_ANONYMOUS_BODY_BYTES)
            if asked.method not in OPEN_METHODS:
                raise failure from None
            return asked
        asked = await read_message(receive, max_bytes=MAX_BODY_BYTES)
        tool = door.tools.get(asked.tool)
        if tool is not None:
            tool.authorise(identity.caller, provider_scope=door.provider_scope)
        return asked

    async def _identify(self, headers: Headers) -> Identity:
        identity = await self._door.verifier.identify(_bearer(headers))
        for name, value in headers:
            if name in _TENANT_HEADERS and value.decode("latin-1") != identity.caller.tenant:
                raise CallerRefused(
                    Reason.TENANT_HEADER,
                    f"The header {name.decode()} names another tenant than the token. "
                    "The tenant comes from the token alone.",
                )
        return identity

    def _refusal(self, failure: ToolFailure) -> JSONResponse:
        door = self._door
        headers: dict[str, str] = {}
        challenge = {"resource_metadata": door.metadata_url}
        if isinstance(failure, Unavailable):
            status, error = 503, "temporarily_unavailable"
            headers["Retry-After"] = str(max(1, round(failure.remedy.retry_after_seconds or 1)))
        elif isinstance(failure, InsufficientScope):
            status, error = 403, "insufficient_scope"
            challenge["scope"] = " ".join(door.scope_prefix + scope for scope in failure.required)
        elif isinstance(failure, NotPermitted):
            status, error = 403, "access_denied"
        else:
            status, error = 401, "invalid_token"
            challenge["scope"] = " ".join(door.scopes)
        reason = getattr(failure, "reason", None)
        if status != 503:
            # RFC 6750 section 3.1: no error code where the request carried no token at all.
            told = {} if reason is Reason.MISSING else {"error": error}
            fields = {**told, "error_description": failure.sentence, **challenge}
            headers["WWW-Authenticate"] = "Bearer " + ", ".join(f'{k}="{_quotable(v)}"' for k, v in fields.items())
        body = {"error": error, "error_description": failure.sentence, **_event(failure)}
        return JSONResponse(body, status_code=status, headers=headers)


def _event(failure: ToolFailure) -> dict[str, Any]:
    reason = getattr(failure, "reason", None)
    return failure.as_fields() | ({"reason": str(reason)} if reason is not None else {})


def _quotable(text: str) -> str:
    """Text as it may stand between quotes in a header."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)


def _bearer(headers: Headers) -> str | None:
    """The bearer token of a request.

    Raises:
        TokenRefused: There are several credentials, or one of another scheme.
    """
    credentials = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    if not credentials:
        return None
    scheme, _, token = credentials[0].partition(" ")
    if len(credentials) > 1 or scheme.lower() != "bearer":
        raise TokenRefused(Reason.MALFORMED, "Send exactly one Authorization header of the form 'Bearer <token>'.")
    return token.strip()


def _unread(bad: BadBody) -> JSONResponse:
    error = {"code": bad.code, "message": bad.sentence}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status_code=bad.status)
