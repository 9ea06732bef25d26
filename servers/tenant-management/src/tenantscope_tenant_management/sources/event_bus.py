"""EventBridge: sends what waits in the journal, each event at least once under an id that stays the same."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.events import Event, Plane
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import EVENTS_WAITING, Journal

log = logging.getLogger(__name__)

AT_ONCE = 10  # what PutEvents takes
KEPT_SECONDS = 7 * 24 * 3600
_MOST_PAGES = 1_000


class EventBus:
    """One bus, or none: then nothing waits and nothing is sent."""

    def __init__(
        self,
        journal: Journal,
        *,
        bus: str | None,
        sources: dict[Plane, str],
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._bus = bus
        self._sources = sources
        self._wall_seconds = wall_seconds

    @property
    def is_set(self) -> bool:
        """Whether there is a bus."""
        return self._bus is not None

    def source(self, event: Event) -> str:
        """Who an event says that it comes from."""
        return self._sources[event.plane]

    async def send(self, aws: AwsCaller, waiting: Sequence[Item]) -> int:
        """Send events and take note of it; how many were sent. What is not sent goes on waiting, and fails nobody."""
        sent = 0
        for start in range(0, len(waiting), AT_ONCE):
            batch = waiting[start : start + AT_ONCE]
            try:
                answer = await aws.call("events", "put_events", Entries=[self._entry(item) for item in batch])
                for item, told in zip(batch, answer["Entries"], strict=True):
                    if told.get("EventId"):
                        await self._done(aws, item)
                        sent += 1
            except (AwsError, ToolFailure) as error:
                log.warning("events wait to be sent: %s", type(error).__name__)
                return sent
        return sent

    async def send_waiting(self, aws: AwsCaller, tenant: str) -> int:
        """Send what waits of one tenant, in order; 0 where none waits any more, else how many were found that do."""
        left, after = 0, None
        for _ in range(_MOST_PAGES if self._bus is not None else 0):
            page = await self._journal.listed(aws, tenant, "event:", "event;", limit=100, after=after)
            waiting = [item for item in page.items if self._may_be_sent(item)]
            sent = await self.send(aws, waiting)
            left, after = left + len(waiting) - sent, page.next_key
            if after is None or (waiting and not sent):
                break
        return left

    def _may_be_sent(self, item: Item) -> bool:
        """Whether an event waits and is one of ours about its own tenant: a tenant's session can write items here."""
        if item.get("kind") != EVENTS_WAITING:
            return False
        try:
            about = json.loads(item["detail"])["tenantId"]
            is_ours = about == item["tenantId"] and item["source"] in self._sources.values()
        except (KeyError, TypeError, ValueError):
            is_ours = False
        if not is_ours:
            log.error("an event that waits is none that this server writes, and is not sent")
        return is_ours

    def _entry(self, item: Item) -> dict[str, Any]:
        return {
            "EventBusName": self._bus, "Source": item["source"], "DetailType": item["detailType"],
            "Detail": item["detail"],
        }  # fmt: skip

    async def _done(self, aws: AwsCaller, item: Item) -> None:
        """The same item out of the index of what waits; it leaves the table in a week."""
        kept = {name: value for name, value in item.items() if name not in ("kind", "kindSort")}
        kept["gone"] = int(self._wall_seconds()) + KEPT_SECONDS
        put = self._journal.put(kept)["Put"]
        await aws.call("dynamodb", "put_item", **put)
