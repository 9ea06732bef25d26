"""The HTTP door: a bearer token for everything but open discovery, and refusals that say why and what is needed."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantscope_core.identity.refusal import CallerRefused, Reason, TokenRefused
from tenantscope_core.identity.verifier import Identity, Verifier
from tenantscope_core.results.errors import InsufficientScope, NotPermitted, ToolFailure, Unavailable
from tenantscope_core.serving.protocol import IDENTITY
from tenantscope_core.tool.declaration import Tool

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 1024 * 1024
OPEN_METHODS = frozenset(
    {
        "initialize", "notifications/initialized", "server/discover", "ping",
        "tools/list", "prompts/list", "resources/list", "resources/templates/list",
    }
)  # fmt: skip
_TENANT_HEADERS = ("x-tenant-id", "x-tenantid", "tenant-id", "x-tenantscope-tenant")


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request's body asks for; empty where it cannot be told, which then needs a token like any other."""

    method: str = ""
    tool: str = ""
    body: bytes = field(default=b"", repr=False)


class BearerGate:
    """ASGI middleware that lets a request through with a verified identity in its scope, or answers it itself."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        try:
            asked = await _read(request)
        except ClientDisconnect:
            return None
        if asked is None:
            response = JSONResponse({"error": "request_too_large"}, status_code=413)
            return await response(scope, receive, send)
        scope = {key: value for key, value in scope.items() if key != IDENTITY}
        if not (self._door.open_discovery and asked.method in OPEN_METHODS):
            try:
                scope[IDENTITY] = await self._identify(request, asked)
            except ToolFailure as failure:
                log.warning(
                    "refused method=%r: %s", asked.method[:60], failure.sentence, extra={"event": _event(failure)}
                )
                return await self._refusal(failure)(scope, receive, send)
        return await self._app(scope, _replay(asked.body, receive), send)

    async def _identify(self, request: Request, asked: _Asked) -> Identity:
        identity = await self._door.verifier.identify(_bearer(request))
        for name in _TENANT_HEADERS:
            if set(request.headers.getlist(name)) - {identity.caller.tenant}:
                raise CallerRefused(
                    Reason.TENANT_HEADER,
                    f"The header {name} names another tenant than the token. The tenant comes from the token alone.",
                )
        tool = self._door.tools.get(asked.tool)
        if tool is not None:
            tool.authorise(identity.caller, provider_scope=self._door.provider_scope)
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


def _bearer(request: Request) -> str | None:
    """The bearer token of a request.

    Raises:
        TokenRefused: There are several credentials, or one of another scheme.
    """
    credentials = request.headers.getlist("authorization")
    if not credentials:
        return None
    scheme, _, token = credentials[0].partition(" ")
    if len(credentials) > 1 or scheme.lower() != "bearer":
        raise TokenRefused(Reason.MALFORMED, "Send exactly one Authorization header of the form 'Bearer <token>'.")
    return token.strip()


async def _read(request: Request) -> _Asked | None:
    """What is asked, with the body that asks it; None when the body is larger than any call."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
    body = b"".join(chunks)
    try:
        message = json.loads(body) if body else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return _Asked(body=body)
    fields = cast(dict[str, object], message)
    method, params = fields.get("method"), fields.get("params")
    name = cast(dict[str, object], params).get("name") if method == "tools/call" and isinstance(params, dict) else None
    return _Asked(str(method), name if isinstance(name, str) else "", body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more and then waits for the client to leave."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
