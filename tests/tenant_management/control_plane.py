"""A control plane of the AWS SaaS Builder Toolkit's kind, on the same table: its wire calls, none of our code."""

import uuid
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from tenantscope_sandbox import Sandbox

_serialise, _deserialise = TypeSerializer().serialize, TypeDeserializer().deserialize


class ControlPlane:
    """Registers, changes, reads and soft-deletes tenants, whatever fields they have; it counts no versions."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._dynamodb = sandbox.client("dynamodb")
        self._table = sandbox.table

    @contextmanager
    def registered(self, *, switch: str = "sbtaws_active", **fields: Any) -> Generator[str]:
        """A tenant for a block, by the id that it was given."""
        tenant = str(uuid.uuid4())
        item = {**fields, "tenantId": tenant, switch: True}
        self._dynamodb.put_item(TableName=self._table, Item={name: _serialise(one) for name, one in item.items()})
        try:
            yield tenant
        finally:
            self._dynamodb.delete_item(TableName=self._table, Key=_key(tenant))

    def update(self, tenant: str, **fields: Any) -> None:
        """Set fields, of a tenant that is there."""
        self._dynamodb.update_item(
            TableName=self._table, Key=_key(tenant), ConditionExpression="tenantId = :tenantId",
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in fields),
            ExpressionAttributeNames={f"#{name}": name for name in fields},
            ExpressionAttributeValues={f":{name}": _serialise(one) for name, one in fields.items()}
            | {":tenantId": {"S": tenant}},
        )  # fmt: skip

    def delete(self, tenant: str, *, switch: str = "sbtaws_active") -> None:
        """Switch a tenant off; nothing is ever deleted."""
        self.update(tenant, **{switch: False})

    def read(self, tenant: str) -> dict[str, Any]:
        """All fields of a tenant."""
        return _plain(self._dynamodb.get_item(TableName=self._table, Key=_key(tenant))["Item"])

    def listed(self) -> set[str]:
        """The ids of all tenants that are switched on, page by page."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table, FilterExpression="sbtaws_active = :on", PaginationConfig={"PageSize": 100},
            ExpressionAttributeValues={":on": {"BOOL": True}},
        )  # fmt: skip
        return {item["tenantId"]["S"] for page in pages for item in page["Items"]}

    def config_of(self, name: str) -> Any:
        """The settings of the tenant of a name, as its sign-in page asks for them."""
        found = self._dynamodb.query(
            TableName=self._table, IndexName="tenantConfigIndex", KeyConditionExpression="tenantName = :name",
            ExpressionAttributeValues={":name": {"S": name}},
        )  # fmt: skip
        return _plain(found["Items"][0]).get("tenantConfig")


def _key(tenant: str) -> dict[str, Any]:
    return {"tenantId": {"S": tenant}}


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _deserialise(one) for name, one in item.items()}
