"""Faults on purpose: slow, failing, hanging or disconnecting services, chosen by rules that tests set."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields
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
    goes or `seconds` pass) or "disconnect". It lets `skip` matching requests through and then strikes, at most `times`
    times. With `after` the service first performs the request, and what it answered is held back. `struck` counts the
    requests that feel it, those that hang at this moment among them.
    """

    service: str | None = None
    action: str | None = None
    contains: str | None = None
    kind: str = "delay"
    seconds: float | list[float] = 0.0
    status: int = 503
    code: str = "ServiceUnavailable"
    times: int | None = None
    skip: int = 0
    after: bool = False
    struck: int = field(default=0, init=False)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Fault":
        """Read a fault; an unknown field or kind is an error: a misspelt fault must not pass for health."""
        unknown = set(document) - {each.name for each in fields(cls) if each.init}
        fault = cls(**{key: value for key, value in document.items() if key not in unknown})
        if unknown or fault.kind not in ("delay", "error", "hang", "disconnect"):
            raise ValueError(f"not a fault: {document}")
        return fault

    def takes(self, service: str, action: str, text: str) -> bool:
        """Tell whether this request is one of those meant, and count it."""
        meant = (
            self.times != 0
            and self.service in (None, service)
            and self.action in (None, action)
            and (self.contains is None or self.contains in text)
        )
        if meant and self.skip:
            self.skip -= 1
            return False
        if meant and self.times is not None:
            self.times -= 1
        return meant


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

    def claim(self, service: str, action: str, text: str) -> list[Fault]:
        """Choose, as a request arrives, the faults that it will meet: those before its effect, then those after."""
        claimed: list[Fault] = []
        for fault in sorted(self.rules, key=lambda rule: rule.after):
            if fault.takes(service, action, text):
                claimed.append(fault)
                if fault.kind != "delay":
                    break
        return claimed

    async def strike(self, claimed: list[Fault]) -> Fault | None:
        """Wait out the delays, and return the fault that answers in the service's place, if any."""
        for fault in claimed:
            fault.struck += 1
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
