"""The tenant registry in DynamoDB: read by key and by index, never by Scan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.registry import DamagedRecord, TenantFilter, stored_status
from tenantscope_tenant_management.sources.journal import Item, plain, typed

BY_STATUS, BY_TIER, ALL_TENANTS = "byStatus", "byTier", "allTenants"
MAX_QUERIES_A_PAGE = 10  # a filter that matches little gives a short page and a cursor, not an endless read
_READ_AT_ONCE = 200

_serialise = TypeSerializer().serialize

Position = dict[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """Items in order of name, and where the next page begins; None at the end."""

    items: list[Item]
    next_position: Position | None


class RegistryTable:
    """Reads and writes the registry with the session of the call; holds no credentials and no tenant of its own."""

    def __init__(self, table: str) -> None:
        self._table = table

    async def get(self, aws: AwsCaller, tenant: str) -> Item | None:
        """The item of one tenant, or None."""
        answer = await aws.call(
            "dynamodb", "get_item", TableName=self._table, Key={"tenantId": {"S": tenant}}, ConsistentRead=True
        )
        item = answer.get("Item")
        return None if item is None else plain(item)

    def part(self, before: Item | None, after: Item) -> dict[str, Any]:
        """The part of a transaction that brings a record from one state to another.

        It holds only where the version and every attribute that changes are still as they were read: other writers,
        such as the Toolkit's control plane, do not count versions.
        """
        if before is None:
            put = {"TableName": self._table, "Item": typed(after)}
            return {"Put": {**put, "ConditionExpression": "attribute_not_exists(tenantId)"}}
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        sets: list[str] = []
        removes: list[str] = []
        conditions: list[str] = ["attribute_exists(tenantId)"]
        changed = [n for n in sorted({*before, *after}) if before.get(n) != after.get(n) or n == "version"]
        for number, name in enumerate(changed):
            names[f"#{number}"] = name
            if before.get(name) is None:
                conditions.append(f"attribute_not_exists(#{number})")
            else:
                values[f":old{number}"] = before[name]
                conditions.append(f"#{number} = :old{number}")
            if after.get(name) is None:
                removes.append(f"#{number}")
            else:
                values[f":new{number}"] = after[name]
                sets.append(f"#{number} = :new{number}")
        expression = "SET " + ", ".join(sets) + (" REMOVE " + ", ".join(removes) if removes else "")
        return {
            "Update": {
                "TableName": self._table, "Key": {"tenantId": {"S": str(after["tenantId"])}},
                "UpdateExpression": expression, "ConditionExpression": " AND ".join(conditions),
                "ExpressionAttributeNames": names, "ExpressionAttributeValues": typed(values),
            }
        }  # fmt: skip

    async def find(self, aws: TenantSession, wanted: TenantFilter, *, limit: int, start: Position | None) -> Found:
        """Up to `limit` tenants that match, in order of name, from a position on."""
        query = {"TableName": self._table, **_query(wanted)}
        items: list[Item] = []
        for _ in range(MAX_QUERIES_A_PAGE):
            more: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": _keys(start)}
            answer = await aws.call("dynamodb", "query", **query, **more, Limit=_READ_AT_ONCE)
            page = [plain(item) for item in answer.get("Items", [])]
            room = limit - len(items)
            items += page[:room]
            if len(page) > room:
                return Found(items, _position(items[-1], wanted))
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return Found(items, None)
            start = {name: str(value) for name, value in plain(last).items()}
            if len(items) == limit:
                return Found(items, start)
        return Found(items, start)


def _query(wanted: TenantFilter) -> dict[str, Any]:
    """The index and conditions for a filter: the most selective index, everything else as a filter expression."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    filters: list[str] = []

    def condition(attribute: str, operator: str, value: object) -> str:
        n = len(values)
        names[f"#{n}"] = attribute
        values[f":{n}"] = _serialise(value)
        return f"begins_with(#{n}, :{n})" if operator == "begins_with" else f"#{n} {operator} :{n}"

    if wanted.status is not None:
        index, key = BY_STATUS, condition("tenantStatus", "=", stored_status(wanted.status))
        if wanted.tier is not None:
            filters.append(condition("tier", "=", wanted.tier))
    elif wanted.tier is not None:
        index, key = BY_TIER, condition("tier", "=", wanted.tier)
    else:
        index, key = ALL_TENANTS, condition("recordType", "=", "tenant")
    if wanted.name_prefix is not None:
        key += " AND " + condition("tenantName", "begins_with", wanted.name_prefix)
    if wanted.tag is not None:
        name, value = wanted.tag
        n = len(values)
        names[f"#{n}"], names[f"#{n}t"], values[f":{n}"] = "tags", name, _serialise(value)
        filters.append(f"#{n}.#{n}t = :{n}")
    if wanted.active_since is not None:
        filters.append(condition("lastActiveAt", ">=", _iso(wanted.active_since)))
    if wanted.inactive_since is not None:
        filters.append(condition("lastActiveAt", "<", _iso(wanted.inactive_since)))
    query = {
        "IndexName": index,
        "KeyConditionExpression": key,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    return query | ({"FilterExpression": " AND ".join(filters)} if filters else {})


def _position(item: Item, wanted: TenantFilter) -> Position:
    """The index key of an item, from which a next query goes on."""
    hash_key = "tenantStatus" if wanted.status else "tier" if wanted.tier else "recordType"
    return {name: str(item[name]) for name in ("tenantId", "tenantName", hash_key)}


def _keys(position: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"S": value} for name, value in position.items()}


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def damaged(error: DamagedRecord) -> DataFault:
    """What a caller is told of a damaged record: the attributes at fault."""
    return DataFault(f"The registry's record of this tenant is damaged: {error} missing or unreadable.")
