"""What a tenant's own session finds in the registry: its record, and whether another key is refused to it.

Kept for a short while, by session: the first `whoami` of a session makes two requests, and most of the others none.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import anyio
from tenantscope_core.admission.limits import TierLimits
from tenantscope_core.admission.quotas import quotas_of
from tenantscope_core.admission.standing import FRESH_FOR
from tenantscope_core.credentials.aws import FrozenCredentials
from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.caller_answers import CallsAllowed
from tenantscope_tenant_management.registry import DamagedRecord, mapping_of, summary
from tenantscope_tenant_management.sources.items import typed
from tenantscope_tenant_management.sources.registry_table import RegistryTable

log = logging.getLogger(__name__)

NOBODYS_KEY = ":whoami"
"""A key that no tenant can have, for no tenant id holds a colon."""
TRIED_FOR = timedelta(minutes=5)
ASK_AGAIN_AFTER = timedelta(seconds=5)
WAITS_SECONDS = 2.0
TRIES_SECONDS = 1.0  # of which so much for a key that should be refused
MOST_SESSIONS = 20_000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Session(AwsCaller, Protocol):
    """A session that can be told from another."""

    async def credentials(self) -> FrozenCredentials:
        """What it signs with."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The record, None if not read; whether AWS refused the session nobody's key, None if not tried."""

    record: Mapping[str, Any] | None = None
    refuses_others: bool | None = None
    tried: datetime = _LONG_AGO
    good_until: datetime = _LONG_AGO


class OwnSession:
    """Looks with the session of the call; a registry that is slow or down leaves things out and fails nothing."""

    def __init__(self, registry: RegistryTable) -> None:
        self._registry = registry
        self._found: OrderedDict[str, Found] = OrderedDict()
        self._looking: dict[str, anyio.Event] = {}

    async def look(self, aws: Session, tenant: str, now: datetime) -> Found:
        """What was found within the last half minute, or is found now; one call looks for all that ask at once."""
        key = (await aws.credentials()).access_key
        under_way = self._looking.get(key)
        if under_way is not None:
            with anyio.move_on_after(WAITS_SECONDS):
                await under_way.wait()
            return self._found.get(key, Found())
        known = self._found.get(key, Found())
        if now < known.good_until:
            self._found.move_to_end(key)
            return known
        ended = self._looking[key] = anyio.Event()
        found = Found(good_until=now + ASK_AGAIN_AFTER)
        try:
            with anyio.move_on_after(WAITS_SECONDS):
                found = await self._ask(aws, tenant, now, known)
        finally:
            self._keep(key, found)
            del self._looking[key]
            ended.set()
        return found

    async def _ask(self, aws: Session, tenant: str, now: datetime, known: Found) -> Found:
        try:
            record = await self._registry.get(aws, tenant)
        except (AwsError, ToolFailure) as error:
            log.warning("own record not read: %s", type(error).__name__)
            return Found(good_until=now + ASK_AGAIN_AFTER)
        holds, tried = known.refuses_others, known.tried
        if now - tried >= TRIED_FOR:
            holds, tried = None, now
            with anyio.move_on_after(TRIES_SECONDS):
                holds = await self._is_refused(aws)
        return Found(record, holds, tried if holds is not None else _LONG_AGO, now + FRESH_FOR)

    async def _is_refused(self, aws: Session) -> bool | None:
        """Whether AWS refuses a key that is not the session's; None if it could not be asked."""
        try:
            await self._registry.get(aws, NOBODYS_KEY)
        except AwsError as error:
            if error.fault is Fault.DENIED:
                return True
            if error.retryable or error.fault is Fault.EXPIRED:
                return None
        except ToolFailure:
            return None
        log.error("a tenant's session may read keys of the registry that are not its own")
        return False

    def _keep(self, key: str, found: Found) -> None:
        self._found[key] = found
        self._found.move_to_end(key)
        if len(self._found) > MOST_SESSIONS:
            self._found.popitem(last=False)


def status_and_tier(record: Mapping[str, Any] | None) -> tuple[str | None, str | None]:
    """What a record says of both; None where there is none, or it is damaged."""
    try:
        seen = None if record is None else summary(record)
    except DamagedRecord:
        return None, None
    return (seen.status, seen.tier) if seen is not None else (None, None)


def calls_allowed(
    limits: TierLimits, caller_key: str, tier: str | None, record: Mapping[str, Any] | None
) -> CallsAllowed:
    """How often a caller may call, as admission itself takes it from a record and a tier."""
    quotas = quotas_of(typed({"quotas": mapping_of((record or {}).get("quotas"))}))
    if quotas.allow_no_calls:
        return CallsAllowed(per_minute=0, burst=0, concurrent=0)
    held = limits.of(caller_key, tier, quotas)
    return CallsAllowed(per_minute=held.per_minute, burst=held.burst, concurrent=held.concurrent)
