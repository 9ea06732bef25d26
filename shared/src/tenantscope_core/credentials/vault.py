"""Vended credentials, kept until shortly before they end: no STS call per request, one in flight per key."""

import logging
import random as random_module
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import Broker, Grant, Vended
from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.credentials.refusals import Refusals
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import NotAuthenticated, Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Bounds of the vault, and whether the broker prepares in the background as soon as it is open."""

    max_sessions: int = 20_000
    refresh_ahead_seconds: float = 300.0
    wait_seconds: float = 10.0
    flight_seconds: float = 10.0
    prepare: bool = True


@dataclass(slots=True)
class VaultStats:
    """Counters since the vault opened; `flights` and `sessions` are how many there are now."""

    assumed: int = 0
    hits: int = 0
    refreshed: int = 0
    failed: int = 0
    refused_from_memory: int = 0
    expired_early: int = 0
    evicted: int = 0
    flights: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    vended: Vended
    expires: datetime
    refresh_at: datetime


class _Flight:
    """One STS call and those who wait for it; it belongs to the vault and not to the first who asked."""

    __slots__ = ("ended", "entry", "refresh")

    def __init__(self, *, refresh: bool) -> None:
        self.ended = anyio.Event()
        self.entry: _Entry | None = None
        self.refresh = refresh


class Vault:
    """Sessions of many tenants, for the time between `async with` and its end.

    A session is shared by all grants with the same key, renewed in the background before it ends, and never used
    beyond the end of the token it was opened with. While STS is down, what is open keeps serving until it ends.
    """

    def __init__(
        self,
        broker: Broker,
        clients: AwsClients,
        *,
        clock: Callable[[], datetime],
        random: Callable[[], float] = random_module.random,
        settings: VaultSettings | None = None,
    ) -> None:
        self._broker = broker
        self._clients = clients
        self._clock = clock
        self._random = random
        self._settings = settings or VaultSettings()
        self._entries: OrderedDict[tuple[object, ...], _Entry] = OrderedDict()
        self._flights: dict[tuple[object, ...], _Flight] = {}
        self._refusals = Refusals(max_entries=self._settings.max_sessions, clock=clock, random=random)
        self._tasks: TaskGroup | None = None
        self._stats = VaultStats()

    @property
    def stats(self) -> VaultStats:
        """The counters."""
        self._stats.flights = len(self._flights)
        self._stats.sessions = len(self._entries)
        return self._stats

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        if self._settings.prepare:
            self._tasks.start_soon(self._prepare)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        tasks, self._tasks = self._tasks, None
        if isinstance(error, Exception):  # no flight raises, so the body's own error needs no group around it
            await tasks.__aexit__(None, None, None)
            return None
        return await tasks.__aexit__(kind, error, trace)

    async def session_for(self, grant: Grant) -> TenantSession:
        """A session for a grant, its credentials at hand.

        Raises:
            NotAuthenticated: The token has ended, or STS refuses it.
            NotPermitted: STS refuses the role.
            Unavailable: STS is slow, limited or down, and no session is open for this key.
            Internal: The role or policy is misconfigured.
        """
        await self.vend(grant)
        return TenantSession(self, self._clients, grant)

    async def vend(self, grant: Grant) -> Vended:
        """Credentials that serve now; raises as `session_for`."""
        now = self._clock()
        if grant.token_expires is not None and grant.token_expires <= now:
            raise NotAuthenticated("The token has expired; the call needs a new one.")
        entry = self._entries.get(grant.key)
        if entry is not None and now < entry.expires:
            self._stats.hits += 1
            self._entries.move_to_end(grant.key)
            if now >= entry.refresh_at and self._may_renew(grant, entry):
                self._start(grant, refresh=True)
            return entry.vended
        return await self._fresh(grant)

    def discard(self, grant: Grant, vended: Vended) -> None:
        """Forget credentials that AWS calls expired, unless others have taken their place already."""
        entry = self._entries.get(grant.key)
        if entry is not None and entry.vended is vended:
            self._stats.expired_early += 1
            del self._entries[grant.key]

    async def _fresh(self, grant: Grant) -> Vended:
        with anyio.move_on_after(self._settings.wait_seconds):
            is_own = False
            while not is_own:  # another's may end on that caller's token
                flight = self._flights.get(grant.key)
                if flight is None:
                    self._raise_if_refused(grant)
                    flight, is_own = self._start(grant, refresh=False), True
                await flight.ended.wait()
                if flight.entry is not None and self._clock() < flight.entry.expires:
                    return flight.entry.vended
        self._raise_if_refused(grant)
        raise Unavailable(
            "The credentials for this call are not there yet because AWS STS is slow; try again shortly.",
            retry_after_seconds=1.0,
        )

    def _raise_if_refused(self, grant: Grant) -> None:
        failure = self._refusals.of(grant)
        if failure is not None:
            self._stats.refused_from_memory += 1
            raise failure

    def _start(self, grant: Grant, *, refresh: bool) -> _Flight:
        if self._tasks is None:
            raise RuntimeError("the vault is not open")
        flight = self._flights[grant.key] = _Flight(refresh=refresh)
        self._tasks.start_soon(self._fly, grant, flight)
        return flight

    async def _fly(self, grant: Grant, flight: _Flight) -> None:
        self._stats.assumed += 1
        try:
            with anyio.fail_after(self._settings.flight_seconds):
                vended = await self._broker.assume(grant)
        except TimeoutError:
            self._failed(grant, AwsError("Timeout", "assume_role", Fault.UNREACHABLE))
        except AwsError as error:
            self._failed(grant, error)
        except Exception as error:  # a fault in a policy or an answer must not take the other tenants' flights along
            logger.exception("vending credentials failed")
            self._failed(grant, AwsError(type(error).__name__, "assume_role"))
        else:
            flight.entry = self._keep(grant, vended)
            self._stats.refreshed += flight.refresh
        finally:
            del self._flights[grant.key]
            flight.ended.set()

    def _keep(self, grant: Grant, vended: Vended) -> _Entry:
        now = self._clock()
        expires = vended.expires if grant.token_expires is None else min(vended.expires, grant.token_expires)
        # A quarter of a short life, and spread: what was opened together must not be renewed together.
        ahead = min(self._settings.refresh_ahead_seconds, (expires - now).total_seconds() / 4)
        entry = _Entry(vended, expires, expires - timedelta(seconds=ahead * (0.5 + self._random())))
        self._refusals.forget(grant)
        self._entries[grant.key] = entry
        self._entries.move_to_end(grant.key)
        while len(self._entries) > self._settings.max_sessions:
            self._entries.popitem(last=False)
            self._stats.evicted += 1
        return entry

    def _failed(self, grant: Grant, error: AwsError) -> None:
        self._stats.failed += 1
        reference = uuid.uuid4().hex[:12]
        logger.warning(
            "no credentials for server %s, tenant %s: %s (reference %s)", grant.server, grant.tenant, error, reference
        )
        self._refusals.remember(grant, error, reference)

    async def _prepare(self) -> None:
        try:
            await self._broker.prepare()
        except Exception as error:  # the first call meets it again, and has a caller to tell
            logger.warning("nothing is prepared for the first call: %s", error)

    def _may_renew(self, grant: Grant, entry: _Entry) -> bool:
        would_extend = grant.token_expires is None or grant.token_expires > entry.expires
        return would_extend and grant.key not in self._flights and self._refusals.of(grant) is None
