"""The path of a call: identify, authorise, admit, vend, run, shape, meter. Each step may refuse; none is skipped."""

import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import anyio
from mcp import types
from pydantic import BaseModel

from tenantscope_core.admission.admission import Admission, require_calls
from tenantscope_core.admission.limits import caller_key
from tenantscope_core.admission.quotas import NO_QUOTAS
from tenantscope_core.admission.standing import Standings
from tenantscope_core.credentials.broker import grant_for
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.identity.caller import Caller
from tenantscope_core.identity.verifier import Identity
from tenantscope_core.metering.calls import CallRecord, Meter
from tenantscope_core.results.answers import Freshness, Scan
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.results.errors import NotFound, RateLimited
from tenantscope_core.stores.scans import Scans, counting_scans
from tenantscope_core.tool.call import Call
from tenantscope_core.tool.declaration import Tool
from tenantscope_core.tool.outcome import answered, as_failure, refused

SourcesT = TypeVar("SourcesT")

Progress = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles that this server assumes; they come from configuration, never from a claim."""

    tenant: str
    provider: str | None
    admin: str | None = None
    """For what the provider does to one tenant, in servers that do such things."""


@dataclass(frozen=True, slots=True)
class Gatekeepers:
    """What stands between a verified caller and a tool."""

    admission: Admission
    vault: Vault
    roles: Roles
    standings: Standings | None
    cursor_key: CursorKey
    clock: Callable[[], datetime]
    provider_scope: str
    call_timeout_seconds: float


class ToolPath(Generic[SourcesT]):
    """Takes every call of one server's tools from door to door."""

    def __init__(self, server: str, tools: Sequence[Tool], gate: Gatekeepers, sources: SourcesT, meter: Meter) -> None:
        self._server = server
        self._tools = {tool.name: tool for tool in tools}
        self._gate = gate
        self._sources = sources
        self._meter = meter

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        identify: Callable[[], Awaitable[Identity]],
        report_progress: Progress,
    ) -> types.CallToolResult:
        """The result of a call; a failure is a result too, and only cancellation is raised."""
        tool = self._tools.get(name)
        record = CallRecord(self._server, tool.name if tool else "unknown")
        started = time.perf_counter()
        try:
            with anyio.fail_after(self._gate.call_timeout_seconds):
                identity = await identify()
                if tool is None:
                    raise NotFound("This server has no tool of that name; list its tools.")
                result, record.answer_bytes = await self._run(tool, arguments, identity, report_progress, record)
            record.outcome = "ok"
        except Exception as error:
            failure = as_failure(error, server=self._server, tool=record.tool)
            record.outcome = failure.code
            result = refused(failure)
        finally:
            record.milliseconds = round((time.perf_counter() - started) * 1_000, 3)
            self._meter.write(record)
        return result

    async def offered(self, identity: Identity) -> list[types.Tool]:
        """The tools that a caller is shown, in the form that it is shown.

        Raises:
            RateLimited: It has asked too often.
        """
        caller = identity.caller
        async with AsyncExitStack() as held:
            await self._admit(identity, held)
            return [tool.listed(caller.audience) for tool in self._tools.values() if tool.is_for(caller)]

    async def _admit(self, identity: Identity, held: AsyncExitStack) -> None:
        """Count a call until the stack ends, by what this process knows of the registry and else by the token's tier.

        A refusal by a limit that is due to be read anew has it read first, by one caller for all: no tenant waits out a
        limit that was raised meanwhile.
        """
        gate, caller = self._gate, identity.caller
        try:
            await self._enter(caller, held)
        except RateLimited:
            if gate.standings is None or caller.tenant is None or not gate.standings.take_turn(caller.tenant):
                raise
            session = await vend(gate, self._server, identity, caller.tenant)
            await gate.standings.read_anew(caller.tenant, session)
            await self._enter(caller, held)

    async def _enter(self, caller: Caller, held: AsyncExitStack) -> None:
        known = None
        if self._gate.standings is not None and caller.tenant is not None:
            known = self._gate.standings.known(caller.tenant)
        tier, quotas = (known.tier or caller.tier, known.quotas) if known is not None else (caller.tier, NO_QUOTAS)
        await held.enter_async_context(self._gate.admission.admit(caller_key(caller), tier, quotas))

    async def _run(
        self,
        tool: Tool,
        arguments: Mapping[str, Any],
        identity: Identity,
        report_progress: Progress,
        record: CallRecord,
    ) -> tuple[types.CallToolResult, int]:
        gate, caller = self._gate, identity.caller
        record.audience, record.subject = caller.audience.value, caller.subject
        record.actor = caller.actors[0] if caller.actors else None
        record.tenant = caller.tenant
        tool.authorise(caller, provider_scope=gate.provider_scope)
        async with AsyncExitStack() as held:
            await self._admit(identity, held)  # before anything of the call is looked at: refusals cost as well
            tenant, rest = tool.tenant_of(caller, arguments)
            record.tenant = tenant
            bound = tool.bound(rest)
            session = await vend(gate, self._server, identity, tenant)
            if gate.standings is not None and not caller.is_provider and tenant is not None:
                standing = await gate.standings.require_active(tenant, session)
                require_calls(standing.quotas)  # for what the registry has only now been asked
            call = Call(
                caller=caller,
                tenant=tenant,
                aws=session,
                sources=self._sources,
                now=gate.clock(),
                cursors=gate.cursor_key.bind(
                    server=self._server, tool=tool.name, tenant=tenant, subject=caller.subject
                ),
                report_progress=report_progress,
                fleet=functools.partial(_fleet, gate, self._server, identity),
            )
            with counting_scans() as scans:
                answer = await tool.function(call, **bound)
            return answered(_with_scan(answer, scans))


def _with_scan(answer: BaseModel, scans: Scans) -> BaseModel:
    """The answer with what its queries read, where an engine bills for it and the answer says how fresh it is."""
    fresh = getattr(answer, "freshness", None)
    if not scans.queries or not isinstance(fresh, Freshness):
        return answer
    scan = Scan(queries=scans.queries, bytes=scans.bytes, reused=scans.reused)
    return answer.model_copy(update={"freshness": fresh.model_copy(update={"scan": scan})})


async def _fleet(gate: Gatekeepers, server: str, identity: Identity) -> TenantSession:
    """The fleet's session for the provider's caller; a tenant's has none."""
    if not identity.caller.is_provider:
        raise LookupError("a tenant's caller has no session for the fleet")
    return await vend(gate, server, identity, None)


async def vend(gate: Gatekeepers, server: str, identity: Identity, tenant: str | None) -> TenantSession:
    """Credentials for one tenant's data, or for the fleet's when `tenant` is None.

    The provider acts on one tenant with the admin role, where there is one, and else with the tenant's own.

    Raises:
        NotFound: This server has no role for fleet questions.
        NotPermitted: The role refuses.
    """
    role_arn, is_admin = _role(gate.roles, identity.caller, tenant)
    grant = grant_for(
        identity.caller, server=server, role_arn=role_arn, tenant=tenant, token=identity.token, is_admin=is_admin
    )
    return await gate.vault.session_for(grant)


def _role(roles: Roles, caller: Caller, tenant: str | None) -> tuple[str, bool]:
    """The role for a call, and whether it is the one to administer with."""
    if tenant is not None:
        if roles.admin is not None and caller.is_provider:
            return roles.admin, True
        return roles.tenant, False
    if roles.provider is None:
        raise NotFound("This server is not set up for questions about the whole fleet; name one tenant in tenant_id.")
    return roles.provider, False
