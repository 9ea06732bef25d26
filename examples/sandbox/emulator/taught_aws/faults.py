"""Faults on purpose: slow, failing, hanging or disconnecting services, chosen by rules that tests set."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
LONGEST_SECONDS = 120.0


@dataclass
class Fault:
    """What happens to requests of a service.

    `service` and `action` are IAM's words ("s3", "GetObject"), `contains` a part of the path or body; None means any.
    `seconds` is a delay, fixed or a [least, most] range. `kind` is "delay", "error", "hang" (no answer until the fault
    goes or `seconds` pass) or "disconnect". `times` bounds how often it strikes.
    """

    service: str | None = None
    action: str | None = None
    contains: str | None = None
    kind: str = "delay"
    seconds: float | list[float] = 0.0
    status: int = 503
    code: str = "ServiceUnavailable"
    times: int | None = None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Fault":
        """Read a fault; an unknown field or kind is an error: a misspelt fault must not pass for health."""
        unknown = set(document) - {field.name for field in fields(cls)}
        fault = cls(**{key: value for key, value in document.items() if key not in unknown})
        if unknown or fault.kind not in ("delay", "error", "hang", "disconnect"):
            raise ValueError(f"not a fault: {document}")
        return fault

    def strikes(self, service: str, action: str, text: str) -> bool:
        """Tell whether this request is one of those meant."""
        return (
            self.times != 0
            and self.service in (None, service)
            and self.action in (None, action)
            and (self.contains is None or self.contains in text)
        )


class Faults:
    """The faults in force, in order; delays add up, the first other kind decides."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._random = random.Random(0)
        self._changed = asyncio.Event()

    def replace(self, rules: list[Fault]) -> None:
        """Put other faults in force; whoever hangs on an earlier one is let go."""
        self.rules = rules
        self._changed.set()
        self._changed = asyncio.Event()

    async def strike(self, service: str, action: str, text: str) -> Fault | None:
        """Wait out the delays that apply, and return the fault that answers in the service's place, if any."""
        for fault in list(self.rules):
            if not fault.strikes(service, action, text):
                continue
            if fault.times is not None:
                fault.times -= 1
            if fault.kind == "delay":
                await asyncio.sleep(min(self._seconds(fault), LONGEST_SECONDS))
                continue
            if fault.kind == "hang":
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), self._seconds(fault) or LONGEST_SECONDS)
            return fault
        return None

    def _seconds(self, fault: Fault) -> float:
        return fault.seconds if isinstance(fault.seconds, int | float) else self._random.uniform(*fault.seconds)


async def answer(fault: Fault, service: str, send: Send) -> None:
    """Answer as a failing service does."""
    message = "The sandbox was told to fail this request."
    if service == "s3":
        body, kind = f"<Error><Code>{fault.code}</Code><Message>{message}</Message></Error>", "application/xml"
    elif service in ("sts", "iam"):
        error = f"<Error><Type>Receiver</Type><Code>{fault.code}</Code><Message>{message}</Message></Error>"
        body, kind = f"<ErrorResponse>{error}<RequestId>sandbox</RequestId></ErrorResponse>", "text/xml"
    else:
        body, kind = f'{{"__type": "{fault.code}", "message": "{message}"}}', "application/x-amz-json-1.0"
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


async def hang_up(send: Any) -> None:
    """Close the connection under a request, nothing said. ASGI has no word for it: this asks hypercorn's own stream."""
    stream = send.__self__
    stream.closed = True
    await stream.send.__self__.send(import_module("hypercorn.events").Closed())
