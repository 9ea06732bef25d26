"""What was given to one caller opens nothing for another, and tells nobody else that it exists.

Cursors, ids, leases, sessions: whatever a tool takes that another has answered with.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from catalogue import StandingServer
from contract.calls import HANDLES, PLAIN, Ask, Handle, arguments_for, made, put, working_arguments
from contract.schemas import input_of, texts
from fixtures.serving import SERVERS, Served, content_of, error_fields, text_of
from fixtures.small_company import CROWD
from isolation.doors import Door, HttpDoor
from mcp.types import CallToolResult
from tenantscope_core.identity.caller import Audience
from tenantscope_core.tool import Tool
from tenantscope_core.tool.declaration import TENANT_PARAMETER

NAMED_LIKE_ONE = re.compile(
    r"(.*_)?(id|ids|cursor|lease|token|key|keys|handle|session|checkpoint|branch|receipt|hit|code)"
)
REFUSALS = {"not_found", "invalid_cursor", "invalid_argument", "conflict"}
EVERY_HANDLE = [
    (tool.name, path) for server in SERVERS for tool in server.spec.tools for path in HANDLES.get(tool.name, {})
]


def named_like_handles(tool: Tool) -> set[str]:
    found: set[str] = set()
    for audience in Audience:
        for path in texts(input_of(tool, audience)) - {TENANT_PARAMETER}:
            named = [step for step in path.split(".") if step not in ("0", "*")]
            if NAMED_LIKE_ONE.fullmatch(named[-1]):
                found.add(path)
    return found


@pytest.mark.requirement("handles-open-nothing")
def test_every_parameter_that_is_named_like_a_handle_is_registered_as_one_or_says_why_not(server: StandingServer):
    for tool in server.spec.tools:
        handles, plain = set(HANDLES.get(tool.name, {})), set(PLAIN.get(tool.name, {}))
        assert not handles & plain, tool.name
        assert named_like_handles(tool) - handles == plain, tool.name


@pytest.mark.requirement("handles-open-nothing")
def test_no_entry_outlives_its_tool():
    assert set(HANDLES) | set(PLAIN) <= {tool.name for server in SERVERS for tool in server.spec.tools}


class Callers:
    """An owner and another in front of one tool; where tools keep something, they have never called before."""

    def __init__(self, door: Door, served: Served, tool: Tool, path: str) -> None:
        self._door, self._served, self._tool, self._path = door, served, tool, path
        provider = tool.shown_to.value == "provider"
        self.audience = Audience.PROVIDER if provider else Audience.TENANT
        number = 2 * EVERY_HANDLE.index((tool.name, path)) + isinstance(door, HttpDoor)
        names = (CROWD[number], CROWD[-2 - number])
        if hasattr(served.assembly.settings, "datasets_bucket"):  # nothing is told of a tenant without data
            names = ("globex", "acme")
        if provider:
            names = (None, None)
        self.owner, self.other = (
            served.token(tenant, subject=subject) for tenant, subject in zip(names, ("ana", "ben"), strict=True)
        )

    def asking(self, token: str) -> Ask:
        async def ask(tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
            return content_of(await self._door.call(token, tool, arguments))

        return ask

    async def made(self, handle: Handle) -> Any:
        return await made(self._served.spec, handle, self.audience, self.asking(self.owner))

    async def use(self, token: str, value: Any, handle: Handle) -> CallToolResult:
        """Call the tool with a handle. What else it needs is made for the owner alone: the other has nothing yet."""
        arguments = arguments_for(self._tool, self.audience)
        if token == self.owner:
            arguments = await working_arguments(self._served.spec, self._tool, self.audience, self.asking(token))
        given = {**arguments, **(handle.given if handle.maker == self._tool.name else {})}
        return await self._door.call(token, self._tool.name, put(given, self._path, value))


def unlike(value: str) -> str:
    """A handle of the same form that nobody was given."""
    digit = re.compile(r"[0-9a-f](?=[0-9a-f-]*$)")
    changed = digit.sub(lambda found: "e" if found[0] != "e" else "d", value, count=1)
    return changed if changed != value else f"{value[:-1]}{'q' if value[-1] != 'q' else 'r'}"


def told(result: CallToolResult, value: str) -> str:
    """What a result tells, but for the handle itself and for times."""
    text = text_of(result) if result.is_error else json.dumps(content_of(result), sort_keys=True)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)|\d+\.\d+", "#", text.replace(value, "<handle>"))


@pytest.mark.requirement("handles-open-nothing")
async def test_it_serves_its_owner_tells_another_nothing_and_serves_its_owner_again(served: Served, door: Door):
    for tool in served.spec.tools:
        for path, handle in HANDLES.get(tool.name, {}).items():
            callers = Callers(door, served, tool, path)
            content_of(await callers.use(callers.owner, await callers.made(handle), handle))
            value = await callers.made(handle)
            stolen = await callers.use(callers.other, value, handle)
            never_given = await callers.use(callers.other, unlike(value), handle)
            assert told(stolen, value) == told(never_given, unlike(value)), (tool.name, path)
            if stolen.is_error:
                assert error_fields(stolen)["code"] in REFUSALS
            content_of(await callers.use(callers.owner, value, handle))
