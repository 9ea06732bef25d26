"""Writes what the servers have counted of each tenant into the registry, where it outlives the counts."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.metering.use import MeteredUse, read_use
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.valkey import ValkeyStore

from tenantscope_tenant_management.filters import TenantFilter
from tenantscope_tenant_management.registry import has_left, mapping_of
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.items import Item, typed
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.quota_use import METERED
from tenantscope_tenant_management.sources.registry_table import RegistryTable
from tenantscope_tenant_management.sources.tenant_search import TenantSearch

_AT_ONCE = 100
_MOST_PAGES = 100_000


class Measuring:
    """Goes through the registry with the fleet's session.

    What it writes is no decision of anybody's: it counts no version and stands in no audit trail.
    """

    def __init__(
        self, settings: Settings, aws: AwsCaller, valkey: ValkeyStore, *, clock: Callable[[], datetime],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._table = settings.tenants_table
        self._aws = aws
        self._valkey = valkey
        self._clock = clock
        self._say = say
        self._search = TenantSearch(RegistryTable(settings.tenants_table), Journal(settings.journal_table))

    async def run(self) -> int:
        """Go through all tenants; 1 where Valkey did not answer for some."""
        looked = written = unknown = 0
        start = None
        for _ in range(_MOST_PAGES):
            found = await self._search.find(self._aws, TenantFilter(), limit=_AT_ONCE, start=start)
            for record in found.items:
                if has_left(record):
                    continue
                looked += 1
                use = await read_use(self._valkey, str(record["tenantId"]), self._clock())
                unknown += use is None
                written += use is not None and await self._write(record, use)
            if looked % 1_000 < _AT_ONCE:
                self._say(f"measure: {looked:,} tenants looked at")
            start = found.next_position
            if start is None:
                break
        self._say(f"measure: {written:,} of {looked:,} tenants written" + (f", {unknown:,} unknown" if unknown else ""))
        return 1 if unknown else 0

    async def _write(self, record: Item, use: MeteredUse) -> bool:
        """Write what is news of a tenant; whether anything was."""
        now = self._clock()
        quotas = mapping_of(record.get("quotas"))
        month = {n: read(use) for n, read in METERED.items() if n in quotas and n.endswith("_per_month")}
        measured = {n: {"used": used, "asOf": now.isoformat(timespec="seconds")} for n, used in month.items()}
        kept = mapping_of(record.get("quotaUse"))
        changed = {n: v for n, v in measured.items() if mapping_of(kept.get(n)).get("used") != v["used"]}
        sets: dict[str, Any] = {"quotaUse": {**kept, **changed}} if changed else {}
        last = None if use.last_call is None else use.last_call.isoformat(timespec="seconds")
        if last is not None and last > str(record.get("lastActiveAt", "")):
            sets["lastActiveAt"] = last
        if not sets:
            return False
        names = list(sets)
        try:
            await self._aws.call(
                "dynamodb", "update_item", TableName=self._table, Key=typed({"tenantId": record["tenantId"]}),
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in names),
                ConditionExpression="attribute_exists(tenantId)",
                ExpressionAttributeValues=typed({f":{name}": sets[name] for name in names}),
            )  # fmt: skip
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return False  # it has left meanwhile
        return True
