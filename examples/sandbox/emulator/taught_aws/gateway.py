"""The door before the emulator: faults first, then the emulator, then the log; `/_sandbox/…` controls it."""

import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from .athena_access import caller
from .checkpoints import Checkpoints
from .faults import Fault, Faults, Receive, Send, answer, hang_up
from .request_log import Described, RequestLog

PUBLIC = re.compile(r"/[a-z0-9-]+_\w+/\.well-known/(jwks\.json|openid-configuration)|/oauth2/\w+|/login|/logout")
"""What a user pool serves to anyone; no bucket has an underscore in its name."""

Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Gateway:
    """ASGI application: the emulator with faults, a request log and checkpoints."""

    def __init__(self, log: Path) -> None:
        self.faults = Faults()
        self.checkpoints = Checkpoints()
        self._log = RequestLog(log)
        self._emulator: Application = import_module("ministack.app").app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http" or scope["path"].startswith(("/_ministack", "/_localstack", "/health")):
            await self._emulator(scope, receive, send)
            return
        body = await _read(receive)
        if scope["path"].startswith("/_sandbox/"):
            await self._control(scope, body, send)
            return
        await self._serve(Described(scope, body), scope, receive, send)

    async def _serve(self, request: Described, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        started, status, recorded = time.monotonic(), 0, False
        text = request.path + request.body[:65536].decode("utf-8", "replace")
        claimed = self.faults.claim(request.service, request.action, text)
        before, after = [each for each in claimed if not each.after], [each for each in claimed if each.after]
        decisive = next((each for each in claimed if each.kind != "delay"), None)
        withheld: list[dict[str, Any]] = []

        def record() -> None:
            nonlocal recorded
            if not recorded:
                recorded = True
                milliseconds = (time.monotonic() - started) * 1000
                self._log.write(request.record(status, milliseconds, decisive.kind if decisive else None))
                self.checkpoints.note(request.service, request.action, status)

        async def watched(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body"):
                record()  # before the client can know that it has its answer, so that it finds the record
            if after:
                withheld.append(message)
            else:
                await send(message)

        try:
            fault = await self.faults.strike(before)
            if fault is None:
                await self._perform(request, scope, receive, watched)
                fault = await self.faults.strike(after)
            if fault is None:
                for message in withheld:
                    await send(message)
            elif fault.kind == "error":
                await answer(fault, request.service, send if fault.after else watched)
            else:
                record()
                await hang_up(send)
        finally:
            record()

    async def _perform(self, request: Described, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if request.service == "s3" and not request.signed and not PUBLIC.fullmatch(request.path):
            # Untaught, the emulator serves unsigned S3 requests without looking at any policy.
            await answer(Fault(kind="error", status=403, code="AccessDenied"), "s3", send)
            return
        caller.set(request.access_key_id)
        await self._emulator(scope, _replay(request.body, receive), send)

    async def _control(self, scope: dict[str, Any], body: bytes, send: Send) -> None:
        what, method = scope["path"].removeprefix("/_sandbox/"), scope["method"]
        status = 200
        if what == "faults" and method in ("PUT", "DELETE"):
            try:
                self.faults.replace([Fault.from_json(rule) for rule in json.loads(body or b"[]")])
            except (TypeError, ValueError) as error:
                await _send_json(send, 400, {"message": str(error)})
                return
        elif what == "checkpoint" and method == "POST":
            await self.checkpoints.save()
        elif what != "faults" or method != "GET":
            status = 404
        await _send_json(send, status, {"faults": [asdict(fault) for fault in self.faults.rules]})


async def _send_json(send: Send, status: int, document: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(document).encode()})


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(chunks)
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> dict[str, Any]:
        return pending.pop() if pending else await receive()

    return replayed
