"""The journal table: audit entries, events not yet sent, tags to find tenants by, workflows; written all or nothing."""

import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.audit import Actor, Entry, Head
from tenantscope_tenant_management.sources.items import Item, Page, page_of, typed

log = logging.getLogger(__name__)

BY_KIND = "byKind"
HEAD = "audit-head"
EVENTS_WAITING = "event:waiting"
_MOST_ENTRIES = 10**12  # as many digits as a key has room for
_UNREADABLE = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


class DamagedHead(Exception):
    """The head of a tenant's chain cannot be read; `item` is what stands there."""

    def __init__(self, item: Item) -> None:
        super().__init__("the head of an audit trail cannot be read")
        self.item = item


class Journal:
    """Reads the journal with the session of the call, and makes the parts of a transaction that write to it."""

    def __init__(self, table: str) -> None:
        self.table = table

    async def get(self, aws: AwsCaller, tenant: str, entry: str) -> Item | None:
        """One item, read consistently (by query: one right serves for one and for many)."""
        page = await self._query(
            aws, "tenantId = :t AND entry = :e", {":t": tenant, ":e": entry}, limit=1, consistent=True
        )
        return page.items[0] if page.items else None

    async def head(self, aws: AwsCaller, tenant: str) -> Head:
        """The newest entry of a tenant's chain.

        Raises:
            DamagedHead: What is kept of it is none: a tenant's session can put items here.
        """
        item = await self.get(aws, tenant, HEAD)
        if item is None or item.keys() == {"tenantId", "entry"}:
            return Head.none()
        try:
            head = Head(int(item["seq"]), _text(item["hash"]), datetime.fromisoformat(item["at"]))
        except _UNREADABLE:
            raise DamagedHead(item) from None
        if not 0 < head.seq < _MOST_ENTRIES or head.at is None or head.at.tzinfo is None:
            raise DamagedHead(item)
        return head

    async def mend_head(self, aws: AwsCaller, damaged: "DamagedHead") -> None:
        """Let the newest entry that can be read be the head again, unless somebody else has mended it."""
        item = damaged.item
        page = await self.listed(aws, item["tenantId"], "audit:", "audit;", limit=100, newest=True)
        entries = [entry for entry in readable(page.items) if 0 < entry.seq < _MOST_ENTRIES]
        log.error("the head of a tenant's audit trail was damaged, and is mended from its newest entry")
        fresh: Item = {"tenantId": item["tenantId"], "entry": HEAD}
        if entries:
            fresh |= {"seq": entries[0].seq, "hash": entries[0].hash, "at": _time(entries[0].at)}
        kept = item.get("hash")
        part = self.new(fresh, unless="hash") if kept is None else self.put(fresh, expected=("hash", kept))
        await aws.call("dynamodb", "put_item", **part["Put"])

    async def has(self, aws: AwsCaller, entry: Entry) -> bool:
        """Whether an audit entry was written, as far as can be found out now."""
        try:
            item = await self.get(aws, entry.tenant, audit_key(_time(entry.at), entry.seq))
        except AwsError:
            return False
        return item is not None and item["hash"] == entry.hash

    async def listed(
        self, aws: AwsCaller, tenant: str, first: str, last: str, *, limit: int, newest: bool = False,
        after: Item | None = None,
    ) -> Page:  # fmt: skip
        """Items of a tenant from `first` to `last` in order of `entry`, backwards if `newest` first."""
        values = {":t": tenant, ":a": first, ":b": last}
        condition = "tenantId = :t AND entry BETWEEN :a AND :b"
        return await self._query(aws, condition, values, limit=limit, consistent=True, backwards=newest, after=after)

    async def found(
        self, aws: AwsCaller, kind: str, *, limit: int, prefix: str = "", newest: bool = False,
        between: tuple[str, str] | None = None, after: Item | None = None,
    ) -> Page:  # fmt: skip
        """Items of all tenants by kind, in order of `kindSort`; the fleet's session alone may ask."""
        condition, values = "kind = :k", {":k": kind}
        if between is not None:
            condition, values = f"{condition} AND kindSort BETWEEN :a AND :b", values | {
                ":a": between[0], ":b": between[1],
            }  # fmt: skip
        elif prefix:
            condition, values = f"{condition} AND begins_with(kindSort, :p)", values | {":p": prefix}
        return await self._query(aws, condition, values, limit=limit, index=BY_KIND, backwards=newest, after=after)

    async def all_found(self, aws: AwsCaller, kind: str, *, limit: int) -> AsyncGenerator[Item]:
        """The first `limit` items of all tenants by kind, over as many pages as they take: one holds 1 MB."""
        after: Item | None = None
        while limit > 0:
            page = await self.found(aws, kind, limit=limit, after=after)
            for item in page.items:
                yield item
            limit, after = limit - len(page.items), page.next_key
            if after is None:
                return

    async def _query(
        self, aws: AwsCaller, condition: str, values: Mapping[str, Any], *, limit: int, index: str | None = None,
        consistent: bool = False, backwards: bool = False, after: Item | None = None,
    ) -> Page:  # fmt: skip
        more: dict[str, Any] = {} if after is None else {"ExclusiveStartKey": typed(after)}
        if index is not None:
            more["IndexName"] = index
        answer = await aws.call(
            "dynamodb", "query", TableName=self.table, KeyConditionExpression=condition,
            ExpressionAttributeValues=typed(values), Limit=limit, ConsistentRead=consistent,
            ScanIndexForward=not backwards, **more,
        )  # fmt: skip
        return page_of(answer)

    # Parts of a transaction

    def new(self, item: Item, *, unless: str = "entry") -> dict[str, Any]:
        """Put what must not be there yet; `unless` names an attribute without which what is there does not count."""
        return self._put(item, "attribute_not_exists(#u)", {"#u": unless})

    def put(self, item: Item, *, expected: tuple[str, Any] | None = None) -> dict[str, Any]:
        """Put in place of whatever is there; `expected` names an attribute and the value that it must still have."""
        if expected is None:
            return self._put(item, None, {})
        name, value = expected
        return self._put(item, "#x = :x", {"#x": name}, {":x": value})

    def gone(self, item: Item, now: datetime) -> dict[str, Any]:
        """Leave nothing of an item but its key, until DynamoDB next looks for what is to leave the table."""
        return self.put({"tenantId": item["tenantId"], "entry": item["entry"], "gone": int(now.timestamp())})

    def entry(self, entry: Entry, head: Head) -> list[dict[str, Any]]:
        """Add an audit entry after `head`, which must still be the newest."""
        now = {"tenantId": entry.tenant, "entry": HEAD, "seq": entry.seq, "hash": entry.hash, "at": _time(entry.at)}
        follows = self.new(now, unless="hash") if head.seq == 0 else self.put(now, expected=("hash", head.hash))
        return [self.new(item_of(entry)), follows]

    def _put(
        self, item: Item, condition: str | None, names: Mapping[str, str], values: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self.table, "Item": typed(item)}
        if condition is not None:
            put["ConditionExpression"] = condition
        if names:
            put["ExpressionAttributeNames"] = dict(names)
        if values:
            put["ExpressionAttributeValues"] = typed(values)
        return {"Put": put}


def item_of(entry: Entry) -> Item:
    """An audit entry as the journal keeps it."""
    at = _time(entry.at)
    return {
        "tenantId": entry.tenant, "entry": audit_key(at, entry.seq), "kind": f"audit:{at[:7]}",
        "kindSort": fleet_key(at, entry.tenant, entry.seq), "seq": entry.seq, "at": at,
        "subject": entry.actor.subject, "audience": entry.actor.audience, "agents": list(entry.actor.agents),
        "action": entry.action, "target": entry.target, "version": entry.version, "digest": entry.digest,
        "salt": entry.salt, "details": entry.details, "previous": entry.previous, "hash": entry.hash,
    }  # fmt: skip


def entry_of(item: Item) -> Entry:
    """The audit entry in an item of the journal."""
    version = item.get("version")
    return Entry(
        tenant=item["tenantId"], seq=int(item["seq"]), at=datetime.fromisoformat(item["at"]),
        actor=Actor(item["subject"], item["audience"], tuple(item["agents"])), action=item["action"],
        target=item.get("target"), version=None if version is None else int(version), digest=item["digest"],
        salt=item.get("salt"), details=item.get("details"), previous=item["previous"], hash=item["hash"],
    )  # fmt: skip


def readable(items: Sequence[Item]) -> list[Entry]:
    """The audit entries among items; what is none is left out, and so missing from its chain."""
    entries: list[Entry] = []
    for item in items:
        try:
            entry = entry_of(item)
            is_one = entry.actor.audience in ("tenant", "provider") and all(
                isinstance(entry.shown.get(side, {}), dict) for side in ("before", "after")
            )
            for text in (entry.action, entry.actor.subject, entry.digest, entry.previous, entry.hash):
                _text(text)
            is_one = is_one and all(map(_text, entry.actor.agents)) and entry.at.tzinfo is not None
        except _UNREADABLE:
            is_one = False
        else:
            entries += [entry] if is_one else []
        if not is_one:
            log.error("an entry of a tenant's audit trail cannot be read, and is missing from it")
    return entries


def audit_key(at: str, seq: int) -> str:
    """Where an entry stands among its tenant's: by time, then by number."""
    return f"audit:{at}:{seq:012d}"


def fleet_key(at: str, tenant: str, seq: int) -> str:
    """Where an entry stands among all tenants': by time, then by tenant and number."""
    return f"{at}:{tenant}:{seq:012d}"


def event_item(tenant: str, number: int, at: datetime, fields: Sequence[str], detail: Mapping[str, Any]) -> Item:
    """An event that waits to be sent: it follows audit entry `number`, which gives it its id."""
    source, detail_type = fields
    return {
        "tenantId": tenant, "entry": f"event:{number:012d}:{detail_type}", "kind": EVENTS_WAITING,
        "kindSort": fleet_key(_time(at), tenant, number), "source": source, "detailType": detail_type,
        "detail": json.dumps(detail, sort_keys=True),
    }  # fmt: skip


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
