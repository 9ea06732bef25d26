"""The tenant registry in DynamoDB: read by key and by index, never by Scan."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tenantscope_core.results.errors import DataFault, NotFound, Unavailable
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.audit import is_same
from tenantscope_tenant_management.registry import DamagedRecord
from tenantscope_tenant_management.sources.items import Item, Page, page_of, plain, typed

MOST_AT_ONCE = 100  # what BatchGetItem takes
_TRIES, _PAUSE_SECONDS = 5, 0.025


@dataclass(frozen=True, slots=True)
class Index:
    """An index of the table: its name, and the attributes of its key."""

    name: str
    partition: str
    sort: str = "tenantName"


BY_STATUS, BY_TIER = Index("byStatus", "tenantStatus"), Index("byTier", "tier")
ALL_TENANTS, BY_ACTIVITY = Index("allTenants", "recordType"), Index("byActivity", "recordType", "lastActiveAt")


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
        names_of_both = sorted({*before, *after})
        changed = [n for n in names_of_both if not is_same(before.get(n), after.get(n)) or n == "version"]
        for number, name in enumerate(changed):
            names[f"#{number}"] = name
            if name not in before:
                conditions.append(f"attribute_not_exists(#{number})")
            elif before[name] is None:  # the Toolkit keeps JSON's null as such
                values[f":old{number}"] = "NULL"
                conditions.append(f"attribute_type(#{number}, :old{number})")
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

    async def listed(
        self, aws: AwsCaller, index: Index, value: str, *, limit: int, prefix: str = "",
        between: tuple[str, str] | None = None, backwards: bool = False, after: Item | None = None,
    ) -> Page:  # fmt: skip
        """Items of one partition of an index in its order; the fleet's session alone may ask."""
        names, values = {"#p": index.partition}, {":p": value}
        condition = "#p = :p"
        if between is not None:
            names, values = {**names, "#s": index.sort}, {**values, ":a": between[0], ":b": between[1]}
            condition += " AND #s BETWEEN :a AND :b"
        elif prefix:
            names, values = {**names, "#s": index.sort}, {**values, ":s": prefix}
            condition += " AND begins_with(#s, :s)"
        more: dict[str, Any] = {} if after is None else {"ExclusiveStartKey": typed(after)}
        answer = await aws.call(
            "dynamodb", "query", TableName=self._table, IndexName=index.name, KeyConditionExpression=condition,
            ExpressionAttributeNames=names, ExpressionAttributeValues=typed(values), Limit=limit,
            ScanIndexForward=not backwards, **more,
        )  # fmt: skip
        return page_of(answer)

    async def many(self, aws: AwsCaller, tenants: Sequence[str]) -> dict[str, Item]:
        """The items of up to `MOST_AT_ONCE` tenants that are there, by id.

        Raises:
            Unavailable: The table is too busy to give all of them, after some attempts.
        """
        wanted = [{"tenantId": {"S": tenant}} for tenant in dict.fromkeys(tenants)]
        found: dict[str, Item] = {}
        for tried in range(_TRIES):
            if not wanted:
                return found
            await asyncio.sleep(0.0 if tried == 0 else _PAUSE_SECONDS * 2**tried)
            answer = await aws.call("dynamodb", "batch_get_item", RequestItems={self._table: {"Keys": wanted}})
            for item in map(plain, answer.get("Responses", {}).get(self._table, [])):
                found[str(item["tenantId"])] = item
            wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        if wanted:
            raise Unavailable("The tenant registry is too busy just now; try again.", retry_after_seconds=1.0)
        return found


def unknown_tenant(parameter: str = "tenant_id") -> NotFound:
    """What a caller is told of a tenant that is not there."""
    return NotFound("The registry has no such tenant; list_tenants shows those it has.", parameter=parameter)


def damaged(error: DamagedRecord) -> DataFault:
    """What a caller is told of a damaged record: the attributes at fault."""
    return DataFault(f"The registry's record of this tenant is damaged: {error} missing or unreadable.")
