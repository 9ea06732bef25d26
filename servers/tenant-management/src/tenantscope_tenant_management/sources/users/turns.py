"""Turns: one change of a tenant's users at a time, so that what was checked still holds when it is done."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.aws import AwsCaller, require_owner

from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import Journal

ENTRY = "users-turn"
MOST_TRIES = 20
MOST_UNFINISHED = 100
_RELEASE_SECONDS = 5.0
_TAKEN = "ConditionalCheckFailedException"


@dataclass(slots=True)
class Turn:
    """A turn that is held. Set `is_done` once what it was taken for is done."""

    ends_monotonic: float
    monotonic: Callable[[], float]
    is_done: bool = False

    def require(self) -> None:
        """Refuse to go on once somebody else may have the turn. Unavailable."""
        if self.monotonic() >= self.ends_monotonic:
            raise _busy()


class Turns:
    """Hands out turns by an item of the journal. One whose holder fell silent ends with its lease.

    The item also names the addresses whose invitation was cut short: their users are in no list of the tenant's, and
    are erased by them. `new_holder` makes 32 random characters; `jitter` a random number from 0 to 1.
    """

    def __init__(
        self, journal: Journal, *, lease_seconds: float, new_holder: Callable[[], str], jitter: Callable[[], float],
        wall_seconds: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._journal = journal
        self._lease_seconds = lease_seconds
        self._new_holder = new_holder
        self._jitter = jitter
        self._wall_seconds = wall_seconds
        self._monotonic = monotonic

    @asynccontextmanager
    async def take(self, aws: AwsCaller, tenant: str, *, inviting: str | None = None) -> AsyncGenerator[Turn]:
        """Hold the turn for a block; `inviting` is the address that is being invited, if one is.

        Raises:
            Unavailable: Others hold it for longer than this waits, about three seconds.
        """
        require_owner(aws, tenant)
        holder = self._new_holder()
        unfinished = await self._taken(aws, tenant, holder, inviting)
        turn = Turn(self._monotonic() + self._lease_seconds * 0.8, self._monotonic)
        try:
            yield turn
        finally:
            left = [email for email in unfinished if not (turn.is_done and email == inviting)]
            with anyio.move_on_after(_RELEASE_SECONDS, shield=True):
                await self._release(aws, tenant, holder, left)

    async def unfinished(self, aws: AwsCaller, tenant: str) -> tuple[str, ...]:
        """Addresses whose invitation was cut short, for erasing."""
        item = await self._journal.get(aws, tenant, ENTRY)
        return () if item is None else tuple(item["unfinished"])

    async def _taken(self, aws: AwsCaller, tenant: str, holder: str, inviting: str | None) -> list[str]:
        for tried in range(MOST_TRIES):
            before = await self._journal.get(aws, tenant, ENTRY)
            if before is not None and before["holder"] == holder:  # an answer was lost on the way
                return list(before["unfinished"])
            now_ms = int(self._wall_seconds() * 1_000)
            if before is None or int(before["until"]) <= now_ms:
                unfinished = _with([] if before is None else list(before["unfinished"]), inviting)
                item = _item(tenant, holder, now_ms + int(self._lease_seconds * 1_000), unfinished)
                if await self._put(aws, item, None if before is None else before["holder"]):
                    return unfinished
            else:
                await asyncio.sleep(0.05 + 0.2 * self._jitter() * min(1.0, (tried + 1) / 5))
        raise _busy()

    async def _release(self, aws: AwsCaller, tenant: str, holder: str, unfinished: list[str]) -> None:
        try:
            await self._put(aws, _item(tenant, holder, 0, unfinished), holder)
        except AwsError:
            return  # it ends with its lease

    async def _put(self, aws: AwsCaller, item: Item, holder: str | None) -> bool:
        """Put the item unless somebody else did since."""
        part = self._journal.new(item) if holder is None else self._journal.put(item, expected=("holder", holder))
        try:
            await aws.call("dynamodb", "put_item", **part["Put"])
        except AwsError as error:
            if error.code == _TAKEN:
                return False
            raise
        return True


def _item(tenant: str, holder: str, until_ms: int, unfinished: list[str]) -> dict[str, Any]:
    return {"tenantId": tenant, "entry": ENTRY, "holder": holder, "until": until_ms, "unfinished": unfinished}


def _with(unfinished: list[str], inviting: str | None) -> list[str]:
    others = [email for email in unfinished if email != inviting]
    return others if inviting is None else [*others, inviting][-MOST_UNFINISHED:]


def _busy() -> Unavailable:
    return Unavailable("Another change of this tenant's users is under way; try again.", retry_after_seconds=2.0)
