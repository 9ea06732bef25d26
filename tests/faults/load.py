"""A closed loop of callers: each asks, waits for its answer, and asks again, a bounded number of times."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fixtures.serving import Served, answer_of, call_of
from fixtures.small_company import CROWD
from mcp.types import CallToolResult, TextContent
from tenantscope_core.tool.outcome import ERROR_FIELDS

CALL_TIMEOUT_SECONDS = 3.0
"""What the servers here give a call, longer than they wait for one thing that they could do without."""
ON_THE_WAY_SECONDS = 1.5
"""What the way there and back may take beside it on a busy machine."""

KNOWN, NEW = CROWD[:10], CROWD[10:20]
"""Tenants that a server has served before a fault strikes, and tenants that it has not."""

_LEAKS = re.compile(r"Traceback|botocore|arn:aws|111122223333|Exception|Errno|127\.0\.0\.1|SELECT |sandbox was told")
_tokens: dict[tuple[str, str, str], str] = {}

Answer = Mapping[str, Any]
OwnerOf = Callable[[Answer], Any]
"""Whose an answer is, read from the answer."""


@dataclass(frozen=True)
class Asked:
    """One call and what came of it; `ended` is its place in the order of completion."""

    tenant: str
    status: int
    answer: dict[str, Any] | None
    failure: dict[str, Any] | None
    text: str
    seconds: float
    ended: int


class Load:
    """What a storm of calls came to."""

    def __init__(self) -> None:
        self.calls: list[Asked] = []

    def of(self, tenants: Iterable[str]) -> list[Asked]:
        """The calls of these tenants."""
        wanted = set(tenants)
        return [call for call in self.calls if call.tenant in wanted]

    def outcomes(self, tenants: Iterable[str] | None = None) -> set[str]:
        """Every outcome that occurred: `ok`, or a failure's code."""
        calls = self.calls if tenants is None else self.of(tenants)
        return {"ok" if call.failure is None else str(call.failure["code"]) for call in calls}

    @property
    def retry_after_seconds(self) -> float:
        """The longest wait that a call was told."""
        return max(call.failure["retry_after_seconds"] for call in self.calls if call.failure is not None)

    def ended_before(self, tenants: Iterable[str], others: Iterable[str]) -> bool:
        """Whether every call of some tenants ended before any of the others'."""
        return max(call.ended for call in self.of(tenants)) < min(call.ended for call in self.of(others))


async def load(
    served: Served,
    tenants: Iterable[str],
    tool: str,
    *,
    owner_of: OwnerOf,
    calls_each: int = 3,
    arguments: Answer | None = None,
) -> Load:
    """Let every tenant call a tool in a closed loop, all at once, and hold every call to what holds under any fault.

    An answer is the caller's own; a failure is typed, and says when to come back but nothing of what lies beneath;
    neither takes longer than a call may.
    """
    wanted, found = list(tenants), Load()
    await asyncio.to_thread(lambda: [_token_of(served, tenant) for tenant in wanted])

    async def loop(tenant: str) -> None:
        for _ in range(calls_each):
            found.calls.append(await _ask(served, tool, tenant, arguments, found))

    async with asyncio.TaskGroup() as group:
        for tenant in wanted:
            group.create_task(loop(tenant))
    for call in found.calls:
        assert call.seconds < served.assembly.settings.call_timeout_seconds + ON_THE_WAY_SECONDS, call
        _check(call, owner_of)
    return found


def _token_of(served: Served, tenant: str) -> str:
    """A token of a tenant's user, signed once: signing takes longer than a call."""
    key = (served.sandbox.issuer.url, served.spec.name, tenant)
    if key not in _tokens:
        _tokens[key] = served.token(tenant)
    return _tokens[key]


async def _ask(served: Served, tool: str, tenant: str, arguments: Answer | None, found: Load) -> Asked:
    started = time.monotonic()
    response = await served.post(call_of(tool, arguments), _token_of(served, tenant))
    seconds, ended = time.monotonic() - started, len(found.calls)
    if response.status_code != 200:
        assert int(response.headers["retry-after"]) >= 1
        return Asked(tenant, response.status_code, None, response.json(), response.text, seconds, ended)
    result = CallToolResult.model_validate(answer_of(response)["result"])
    text = "".join(block.text for block in result.content if isinstance(block, TextContent))
    failure = (result.meta or {})[ERROR_FIELDS] if result.is_error else None
    return Asked(tenant, 200, None if failure else result.structured_content, failure, text, seconds, ended)


def _check(call: Asked, owner_of: OwnerOf) -> None:
    if call.failure is None:
        assert call.answer is not None
        assert owner_of(call.answer) == call.tenant, call
        return
    assert _LEAKS.search(call.text + json.dumps(call.failure)) is None, call
    if call.failure["code"] == "unavailable":
        assert 0 < call.failure["retry_after_seconds"] <= 60, call
