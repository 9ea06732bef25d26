"""What registry and journal hold of a tenant: counted, exported, and erased down to what proves what was done."""

import json
import time
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.stores.aws import AwsCaller, require_owner

from tenantscope_tenant_management.audit import Entry
from tenantscope_tenant_management.audit_answers import event_view
from tenantscope_tenant_management.holdings import Held
from tenantscope_tenant_management.sources.items import Item, typed
from tenantscope_tenant_management.sources.journal import HEAD, Journal, readable

STORE = "registry"
KEPT = (
    "Registry: the id, so that it is never given again, and when it left.",
    "Audit trail: who did what and when, chained; what was changed, with names and addresses, is erased from it.",
)
_KEPT_ENTRIES = frozenset({HEAD, "workflow:offboarding"})
_OF_WHAT_IS_GONE = frozenset({"tenantId", "entry", "gone"})
_MOST_PAGES = 10_000
_FIRST, _LAST = " ", "~"


class JournalErasing:
    """The two tables, as far as one tenant's leaving is concerned."""

    def __init__(
        self, journal: Journal, *, clock: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._monotonic = monotonic

    async def held(self, aws: AwsCaller, tenant: str) -> Held:
        """The record, audit entries that still tell what was changed, and everything else in the journal."""
        parts = {"record": 1}
        async for item in self._items(aws, tenant):
            if not _is_erased(item):
                kind = str(item["entry"]).partition(":")[0]
                parts[kind] = parts.get(kind, 0) + 1
        return Held(STORE, parts)

    async def exported(self, aws: AwsCaller, tenant: str) -> bytes:
        """The audit trail as JSON lines, the oldest first: what the tenant may see of it, and the hashes."""
        entries = readable([item async for item in self._items(aws, tenant, "audit:", "audit;")])
        return b"".join(self.as_json(_exported(entry)) + b"\n" for entry in entries)

    async def erase(self, aws: AwsCaller, tenant: str, *, seconds: float) -> bool:
        """Erase what is personal; True when nothing of it is left. Idempotent."""
        require_owner(aws, tenant)
        ends = self._monotonic() + seconds
        async for item in self._items(aws, tenant):
            if _is_erased(item):
                continue
            if self._monotonic() >= ends:
                return False
            if str(item["entry"]).startswith("audit:"):
                await self._without_details(aws, item)
            else:
                await aws.call("dynamodb", "put_item", **self._journal.gone(item, self._clock())["Put"])
        return True

    def as_json(self, value: Any) -> bytes:
        """Anything of the tables as JSON text."""
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain).encode()

    async def _without_details(self, aws: AwsCaller, item: Item) -> None:
        """The same entry without what was changed; its digest stays, so that the chain still proves the rest."""
        try:
            await aws.call(
                "dynamodb", "update_item", TableName=self._journal.table,
                Key=typed({"tenantId": item["tenantId"], "entry": item["entry"]}),
                UpdateExpression="REMOVE details, salt", ConditionExpression="attribute_exists(entry)",
            )  # fmt: skip
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    async def _items(self, aws: AwsCaller, tenant: str, first: str = _FIRST, last: str = _LAST) -> AsyncGenerator[Item]:
        after: Item | None = None
        for _ in range(_MOST_PAGES):
            page = await self._journal.listed(aws, tenant, first, last, limit=100, after=after)
            for item in page.items:
                yield item
            after = page.next_key
            if after is None:
                return


def _exported(entry: Entry) -> dict[str, Any]:
    view = event_view(entry, to_provider=False, names_tenant=False, whole=True)
    shown = view.model_dump(mode="json", exclude_none=True)
    return {**shown, "digest": entry.digest, "previous": entry.previous, "hash": entry.hash}


def _is_erased(item: Item) -> bool:
    entry = str(item["entry"])
    if entry in _KEPT_ENTRIES:
        return True
    if entry.startswith("audit:"):
        return item.get("details") is None
    return set(item) <= _OF_WHAT_IS_GONE


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, set | frozenset):
        return sorted(str(each) for each in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)
