"""Writes to the registry and the journal together: the change, its audit entry, its events, in one transaction."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.identity.caller import Caller
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.aws import AwsCaller, require_owner

from tenantscope_tenant_management.audit import Actor, Entry, Head, Note, next_entry
from tenantscope_tenant_management.events import Event
from tenantscope_tenant_management.sources.event_bus import EventBus
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import DamagedHead, Journal, event_item
from tenantscope_tenant_management.sources.registry_table import RegistryTable

MOST_TRIES = 10
_TOKEN = 36  # characters of a request token
_FAILED, _CONTENDED = "ConditionalCheckFailed", frozenset({"TransactionConflict", "ThrottlingError"})


class RecordChanged(Exception):
    """The registry's record is no longer what the change was made from."""


class PartChanged(Exception):
    """Something else that the transaction writes is no longer what it was made from."""


class Asked(Protocol):
    """What a recording needs to know of a call."""

    @property
    def caller(self) -> Caller:
        """Who acts."""
        ...

    @property
    def aws(self) -> AwsCaller:
        """With whose credentials."""
        ...

    @property
    def now(self) -> datetime:
        """When."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A registry record as it was read, None where there was none, and as it should be."""

    before: Item | None
    after: Item


class Recorder:
    """Writes what happened to a tenant, and tells the event bus.

    `new_salt` makes 32 random characters; `jitter` a random number from 0 to 1.
    """

    def __init__(
        self, registry: RegistryTable, journal: Journal, bus: EventBus, *, new_salt: Callable[[], str],
        jitter: Callable[[], float],
    ) -> None:  # fmt: skip
        self._registry = registry
        self._journal = journal
        self._bus = bus
        self._new_salt = new_salt
        self._jitter = jitter

    async def write(
        self, call: Asked, tenant: str, note: Note, *, change: Change | None = None, events: Sequence[Event] = (),
        parts: Sequence[dict[str, Any]] = (),
    ) -> Entry:  # fmt: skip
        """Write a note, with the change of the record and the further parts it is about: all of it or nothing.

        The provider's events are sent once that is done; one that cannot be sent waits in the journal. So do those of a
        tenant: its role may not speak on the bus, where other planes would take its word for the company's.

        Raises:
            RecordChanged: The record is another by now, or there is one where there should be none.
            PartChanged: One of `parts` no longer holds.
            Unavailable: Too many others write to this tenant at this moment; nothing was written.
        """
        require_owner(call.aws, tenant)
        for tried in range(MOST_TRIES):
            try:
                head = await self._journal.head(call.aws, tenant)
            except DamagedHead as damaged:
                await self._mend(call, damaged)
                continue
            entry = self._entry(call, tenant, head, note, change)
            waiting = self._waiting(entry, events)
            items = [*self._change(change), *parts, *map(self._journal.new, waiting), *self._journal.entry(entry, head)]
            try:
                # Under one token AWS takes the same request once, however often an answer is lost and it is sent again.
                await call.aws.call(
                    "dynamodb", "transact_write_items", TransactItems=items, ClientRequestToken=entry.hash[:_TOKEN]
                )
            except AwsError as error:
                if error.retryable and await self._journal.has(call.aws, entry):
                    break
                _judge(error, changes=0 if change is None else 1, parts=len(parts))
                await asyncio.sleep((0.005 + 0.05 * self._jitter()) * (tried + 1))
            else:
                break
        else:
            raise Unavailable("Many are writing to this tenant at once; try again.", retry_after_seconds=1.0)
        if call.caller.is_provider:
            await self._bus.send(call.aws, waiting)
        return entry

    async def _mend(self, call: Asked, damaged: DamagedHead) -> None:
        try:
            await self._journal.mend_head(call.aws, damaged)
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    async def send_waiting(self, call: Asked, tenant: str) -> int:
        """Send what an earlier call could not send of one tenant's events; 0 where none waits any more."""
        require_owner(call.aws, tenant)
        return await self._bus.send_waiting(call.aws, tenant)

    def _entry(self, call: Asked, tenant: str, head: Head, note: Note, change: Change | None) -> Entry:
        version = None if change is None else int(change.after["version"])
        return next_entry(
            tenant, head, note, actor_of(call.caller), now=call.now, salt=self._new_salt(), version=version
        )

    def _change(self, change: Change | None) -> list[dict[str, Any]]:
        return [] if change is None else [self._registry.part(change.before, change.after)]

    def _waiting(self, entry: Entry, events: Sequence[Event]) -> list[Item]:
        if not self._bus.is_set:
            return []
        told = {"tenantscope": {"entry": entry.seq, "hash": entry.hash}}  # the chain, anchored outside of the table
        return [
            event_item(
                entry.tenant,
                entry.seq,
                entry.at,
                (self._bus.source(event), event.detail_type),
                {**event.detail, **told},
            )
            for event in events
        ]


def actor_of(caller: Caller) -> Actor:
    """Who acts, as the audit trail names them."""
    return Actor(caller.subject, "provider" if caller.is_provider else "tenant", caller.actors)


def _judge(error: AwsError, *, changes: int, parts: int) -> None:
    """Return where trying again may help.

    Raises:
        RecordChanged: The first part, a change of the record, did not hold.
        PartChanged: One of the parts after it did not.
        AwsError: Anything that another try does not mend.
    """
    if error.code != "TransactionCanceledException":
        raise error
    reasons = error.reasons
    if any(reason in _CONTENDED for reason in reasons):
        return
    if _FAILED in reasons[:changes]:
        raise RecordChanged from error
    if _FAILED in reasons[changes : changes + parts]:
        raise PartChanged from error
    if _FAILED not in reasons:
        raise error
