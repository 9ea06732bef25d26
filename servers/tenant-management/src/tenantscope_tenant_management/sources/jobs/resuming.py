"""Goes on with what calls have left: workflows that stopped, events that were not sent."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.results.errors import ToolFailure, Unavailable
from tenantscope_core.tool import Call

from tenantscope_tenant_management.sources.jobs.job import Job
from tenantscope_tenant_management.sources.journal import EVENTS_WAITING
from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.workflow import Kind, Workflow

log = logging.getLogger(__name__)

NAME = "resume"
AT_ONCE = 1_000
Say = Callable[[str], None]


class Resuming:
    """A job of the provider's: each tenant's work is done with that tenant's session, as a call of it would be."""

    def __init__(
        self, sources: Sources, fleet: TenantSession, session_of: Callable[[str], Awaitable[TenantSession]], *,
        clock: Callable[[], datetime], say: Say,
    ) -> None:  # fmt: skip
        self._sources = sources
        self._fleet = fleet
        self._session_of = session_of
        self._clock = clock
        self._say = say

    async def run(self) -> int:
        """Go on with all of it; how many tenants it could not bring to an end."""
        left = 0
        unfinished = await self._sources.taking_in.store.unfinished(self._fleet, limit=AT_ONCE)
        for tenant, kind in unfinished:
            left += not await self._guarded(tenant, kind, partial(self._workflow, tenant, kind))
        found = self._sources.journal.all_found(self._fleet, EVENTS_WAITING, limit=AT_ONCE)
        waiting = [str(item["tenantId"]) async for item in found]
        for tenant in dict.fromkeys(waiting):
            left += not await self._guarded(tenant, "events", partial(self._events, tenant))
        more = AT_ONCE in (len(unfinished), len(waiting))
        self._say(f"resume: {len(unfinished)} workflows, {len(waiting)} events{'; there may be more' if more else ''}")
        return left

    async def _guarded(self, tenant: str, what: str, work: Callable[[], Awaitable[str]]) -> bool:
        try:
            told = await work()
        except (ToolFailure, AwsError) as error:
            failure = error.as_failure() if isinstance(error, AwsError) else error
            self._say(f"{tenant}: {what} stopped: {failure.sentence}")
            return False
        self._say(f"{tenant}: {told}")
        return True

    async def _workflow(self, tenant: str, kind: Kind) -> str:
        call = await self._call(tenant)
        flow = await self._sources.taking_in.store.read(call.aws, tenant, kind)
        if flow is None or flow.finished:  # the index that it was found by is a little behind
            return f"{kind} is over already"
        taking_in = self._sources.taking_in
        flow = await (
            taking_in.take_in(call, tenant, flow.id, flow.digest, None)
            if flow.kind == "onboarding"
            else self._let_go(call, tenant)
        )
        told = f"{flow.kind} {flow.state}, {flow.ended} of {len(flow.steps)} steps"
        if not flow.finished:
            raise Unavailable(f"{told}; the next run goes on with it.")
        return told

    async def _let_go(self, call: Call[Any], tenant: str) -> Workflow:
        record = await self._sources.tenants.read(call, tenant)
        return await self._sources.letting_go.let_go(call, record, export=True, note=None)

    async def _events(self, tenant: str) -> str:
        if await self._sources.recorder.send_waiting(await self._call(tenant), tenant):
            raise Unavailable("The event bus could not be told; it will be told later.")
        return "events sent"

    async def _call(self, tenant: str) -> Call[Any]:
        now = self._clock()
        aws = await self._session_of(tenant)
        cursors = CursorKey(secrets.token_bytes(32)).bind(
            server="tenant-management", tool=NAME, tenant=tenant, subject=NAME
        )
        return Call(
            caller=Job(aws, now, NAME).caller, tenant=tenant, aws=aws, sources=self._sources, now=now,
            cursors=cursors, report_progress=self._report,
        )  # fmt: skip

    async def _report(self, done: float, total: float | None, message: str | None) -> None:
        if message is not None:
            self._say(f"  {done:g}/{total or 0:g} {message}")
