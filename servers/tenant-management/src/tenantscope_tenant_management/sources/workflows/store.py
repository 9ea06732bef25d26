"""Workflows in the journal: read, begun and moved on; a writer that was overtaken writes nothing."""

from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.workflow import Kind, Workflow, as_document, from_document

OPEN = "workflow:open"


class Overtaken(Exception):
    """Somebody else moved the workflow on."""


class WorkflowStore:
    """One workflow of each kind for a tenant."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def read(self, aws: AwsCaller, tenant: str, kind: Kind) -> Workflow | None:
        """The workflow of a kind; None where there never was one.

        Raises:
            DataFault: What is kept of it cannot be read.
        """
        item = await self._journal.get(aws, tenant, _key(kind))
        if item is None or "document" not in item:
            return None
        try:
            return from_document(item["document"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise DataFault(f"What the journal keeps of this tenant's {kind} cannot be read.") from None

    def part(self, tenant: str, flow: Workflow, before: Workflow | None) -> dict[str, Any]:
        """The part of a transaction that writes a workflow in place of what was there."""
        item = _item(tenant, flow)
        return (
            self._journal.new(item, unless="document")
            if before is None
            else self._journal.put(item, expected=("revision", before.revision))
        )

    async def write(self, aws: AwsCaller, tenant: str, flow: Workflow, before: Workflow) -> None:
        """Write a workflow in place of `before`.

        Raises:
            Overtaken: It is another by now.
        """
        try:
            await aws.call("dynamodb", "put_item", **self.part(tenant, flow, before)["Put"])
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            found = await self.read(aws, tenant, flow.kind)
            if found is None or as_document(found) != as_document(flow):  # else an answer was lost on the way
                raise Overtaken from error

    async def unfinished(self, aws: AwsCaller, *, limit: int) -> list[tuple[str, Kind]]:
        """Tenants whose workflows are not finished, the longest waiting first; for the fleet's session.

        What claims to be one, and stands where none is kept, is left out.
        """
        kinds: dict[str, Kind] = {_key(kind): kind for kind in ("onboarding", "offboarding")}
        found = self._journal.all_found(aws, OPEN, limit=limit)
        return [(item["tenantId"], kinds[item["entry"]]) async for item in found if item["entry"] in kinds]


def _key(kind: Kind) -> str:
    return f"workflow:{kind}"


def _item(tenant: str, flow: Workflow) -> Item:
    found = {} if flow.finished else {"kind": OPEN, "kindSort": f"{flow.started}:{tenant}"}
    return {
        "tenantId": tenant, "entry": _key(flow.kind), "revision": flow.revision, "document": as_document(flow), **found,
    }  # fmt: skip
